#pragma once
// Home: the one directory of state, open: lock, loop, store, committer, task library and engine put together.
// With server_main.cpp the only place that makes real clocks, stores and loops. Loop thread only.
//
//   HOME/lock          held while a process has the home open
//   HOME/serve.json    where its server is, while one serves it (serve_file.h)
//   HOME/millrace.db   definitions, executions, histories
//   HOME/tasks.db      job records, models, endpoints
//   HOME/tables.db     DynamoDB tables, when there are any
//   HOME/queues.db     SQS queues, when there are any
//   HOME/metrics.db    metrics and alarms
//   HOME/features.db   records of feature groups, when there are any
//   HOME/labels.db     what people label, when there is something
//   HOME/streams.db    Kinesis streams
//   HOME/bus.db        rules, archives, schedules of the event bus (service/bus)
//   HOME/hashes.db     what is remembered of files' hashes; may be deleted
//   HOME/objects/      s3://bucket/key is objects/bucket/key
//   HOME/objects.db    what is known of objects beside their bytes
//   HOME/outcomes.db   requests of endpoints with an inference id, and what became of them
//   HOME/functions/    local functions, a folder each
//   HOME/environments/ packages of programs; may be deleted when no job runs
//   HOME/integrations.json, connections.json, events.db, topics.db, notifications/: docs/integrations.md
//   HOME/logs/         logs of jobs and functions

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "base/clock.h"
#include "orchestrator/engine.h"
#include "orchestrator/maps/background.h"
#include "orchestrator/maps/object_source.h"
#include "tasks/runner.h"

namespace millrace::service {

// --home, else MILLRACE_HOME, else .millrace in the working directory.
std::string home_path(const std::string& option);

// The one right to write a home; it goes with the object, and with the process however it ends.
class HomeLock {
 public:
  HomeLock() = default;
  HomeLock(HomeLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  HomeLock& operator=(HomeLock&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~HomeLock();
  // Unavailable when another process has it (the message names it), InvalidArgument when the directory can't
  // be written.
  static Result<HomeLock> take(const std::string& home);

 private:
  explicit HomeLock(int fd) : fd_(fd) {}
  int fd_ = -1;
};

struct HomeOptions {
  std::string path;
  orchestrator::EngineSettings engine;                    // its seed is drawn here
  std::unique_ptr<orchestrator::TaskRunner> runner = {};  // instead of the task library
  orchestrator::CommitterSettings store = {};
  tasks::TaskLibraryRunner::Settings tasks = {};  // its home and seed are set here
};

class Home {
 public:
  // Unavailable when another process has the home open (the message names it), DataLoss for a damaged
  // database, InvalidArgument for a directory that can't be made or written.
  static Result<std::unique_ptr<Home>> open(HomeOptions options);
  ~Home();

  orchestrator::UvLoop& loop() { return *loop_; }
  orchestrator::Engine& engine() { return *engine_; }
  orchestrator::Committer& committer() { return *committer_; }
  orchestrator::TaskRunner& runner() {
    return runner_ ? *runner_ : static_cast<orchestrator::TaskRunner&>(*library_);
  }
  tasks::TaskLibraryRunner* tasks() { return library_.get(); }  // null when another runner was given
  const std::string& path() const { return path_; }

 private:
  Home() = default;
  std::string path_;
  HomeLock lock_;
  SystemClock clock_;
  std::unique_ptr<orchestrator::UvLoop> loop_;
  std::unique_ptr<orchestrator::Committer> committer_;
  std::unique_ptr<tasks::TaskLibraryRunner> library_;
  std::unique_ptr<orchestrator::TaskRunner> runner_;
  std::unique_ptr<orchestrator::ObjectSource> objects_;
  std::unique_ptr<orchestrator::Background> background_;
  std::unique_ptr<orchestrator::Engine> engine_;
};

// For commands that only read: works beside a process that has the home open. NotFound when there is no home.
Result<std::unique_ptr<orchestrator::Store>> open_for_reading(const std::string& path);

std::uint64_t draw_seed();  // real entropy

}  // namespace millrace::service
