#include "tasks/jobs/rank_worker.h"

#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <mutex>
#include <nlohmann/json.hpp>

#include "base/check.h"
#include "base/clock.h"
#include "base/encoding.h"
#include "tasks/artifacts/files.h"
#include "tasks/artifacts/object_store.h"
#include "tasks/jobs/rank_job.h"
#include "tasks/ranks/rank_line.h"
#include "tasks/training/train.h"

namespace millrace::tasks {

namespace {

using Says = RankMessage::Kind;

// Lines to stdout, whole ones. Any thread.
class RankVoice {
 public:
  explicit RankVoice(int rank) : rank_(rank) {}

  void say(const RankMessage& message) {
    const std::string line = rank_line(message);
    const std::lock_guard lock(mutex_);
    for (std::string_view rest = line; !rest.empty();) {
      const ssize_t sent = ::write(STDOUT_FILENO, rest.data(), rest.size());
      if (sent < 0 && errno == EINTR) continue;
      if (sent <= 0) return;  // nobody listens: then this process is about to be ended, too
      rest.remove_prefix(static_cast<std::size_t>(sent));
    }
  }
  void say(Says kind, std::string text) { say(RankMessage{rank_, kind, std::move(text)}); }
  Status object(std::string_view name, std::string_view bytes) {
    say_object(rank_, std::string(name), bytes, [this](const RankMessage& message) { say(message); });
    return {};
  }
  int rank() const { return rank_; }

 private:
  const int rank_;
  std::mutex mutex_;
};

class RankContext final : public TaskContext {
 public:
  RankContext(const RankJobFile& job, RankVoice& voice)
      : job_(job), voice_(voice), objects_(job.objects), record_(job.record) {}

  bool cancelled() const override { return false; }  // who is stopped is ended
  void progress(const Progress& progress) override {
    if (voice_.rank() == 0) voice_.say(Says::Progress, to_text(progress));
  }
  void log(std::string_view line) override { voice_.say(Says::Log, std::string(line)); }
  ObjectStore& objects() override { return objects_; }
  Jobs& jobs() override { check_failed("jobs()", "a rank has no job records", __FILE__, __LINE__); }
  const Clock& clock() const override { return clock_; }
  std::uint64_t seed() const override { return job_.seed; }
  int threads() const override { return job_.threads; }
  const Json* provenance() const override { return record_.is_null() ? nullptr : &record_; }

 private:
  const RankJobFile& job_;
  RankVoice& voice_;
  ObjectStore objects_;  // read only: what is written is said
  const Json record_;
  SystemClock clock_;
};

TrainHooks rank_hooks(const RankJobFile& job, RankVoice& voice, const std::filesystem::path& directory,
                      Collective& collective) {
  TrainHooks hooks;
  hooks.ranks = &collective;
  hooks.write = [&voice](const std::string& uri, std::string_view bytes) { return voice.object(uri, bytes); };
  hooks.scratch = directory;
  hooks.metric = [&voice](const MetricPoint& point) {
    char value[40];
    const auto end = std::to_chars(value, value + sizeof value, point.value);
    voice.say(Says::Metric,
              std::to_string(point.round) + " " + std::string(value, end.ptr) + " " + point.name);
  };
  hooks.stop_early = [stop = directory / kStopFile](const MetricPoint&) {
    return ::access(stop.c_str(), F_OK) == 0;
  };
  if (job.model_wanted)
    hooks.model = [&voice](const Model& model, const Dataset*, const Dataset*) {
      (void)voice.object(kModelOfRank, model.save());
    };
  return hooks;
}

Status train_rank(const RankPlace& place, RankVoice& voice, Collective& collective) {
  MR_TRY(job, RankJobFile::read(place.directory));
  MR_TRY(spec, parse_training_spec(job.request));
  RankContext context(job, voice);
  MR_TRY(result, run_training(spec, context, rank_hooks(job, voice, place.directory, collective)));
  if (voice.rank() == 0)
    voice.say(Says::Result, Json{{"model_uri", result.model_uri},
                                 {"metrics", result.metrics},
                                 {"rounds", result.rounds},
                                 {"stopped_early", result.stopped_early}}
                                .dump(-1, ' ', false, Json::error_handler_t::replace));
  return collective.finish();
}

}  // namespace

Status run_rank(const RankPlace& place) {
  // Whoever started this may be killed: nobody would end it then.
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  auto transport = place.mpi ? ranks_of_mpi() : ranks_of_processes(place.directory, place.rank, place.ranks);
  RankVoice voice(transport ? (*transport)->rank() : place.rank);
  if (!transport) {
    voice.say(Says::Error, to_text(transport.error()));
    return fail(transport.error());
  }
  Collective collective(std::move(*transport));
  const Status done = train_rank(place, voice, collective);
  if (!done) voice.say(Says::Error, to_text(done.error()));  // before the others learn that it is gone
  return done;
}

}  // namespace millrace::tasks
