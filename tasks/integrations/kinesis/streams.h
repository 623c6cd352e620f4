#pragma once
// Streams: Kinesis on one SQLite file. What changes something is carried out by the streams' own thread, many
// in one transaction (group_store.h), and answered when it is durable; reading has threads and a connection
// of its own and sees only what is durable. Any thread asks. A task's attempt puts its records once
// (attempts.h).

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/metrics.h"
#include "tasks/integrations/kinesis/stream_store.h"
#include "tasks/integrations/service_call.h"

namespace millrace::tasks::kinesis {

// A record for those who put without the API.
struct OwnRecord {
  std::string partition_key, data;
};

class Streams {
 public:
  // Makes the file when it is missing. The clock is borrowed, so is `metrics`, which may be null.
  static Result<std::unique_ptr<Streams>> open(const std::string& path, ServicePlace place,
                                               const Clock& clock, std::uint64_t seed,
                                               metrics::Registry* metrics = nullptr);
  ~Streams();  // answers what was asked
  static bool has(std::string_view operation);
  void call(ServiceCall call, ServiceReply reply);

  // For those who read on in order. `done` comes on a reading thread; Unavailable when too many wait.
  template <class T>
  using Done = std::function<void(Result<T>)>;
  void look(std::string stream, Done<std::optional<Stream>> done);
  void read(ReadFrom from, Done<ReadRecords> done);
  void position_at(Shard shard, Instant time, Done<std::int64_t> done);

  // Puts records and keeps notes in one transaction. `done` comes on the streams' thread when it is durable;
  // NotFound: there is no such stream, and nothing was kept. An empty `stream`: the note alone.
  struct Put {
    std::string stream;
    std::vector<OwnRecord> records;
    std::string note_key = {}, note = {};
  };
  void put(Put put, std::function<void(Status)> done);
  void note(std::string key, Done<std::optional<std::string>> done);
  // A stream of the home's own ("firehose/NAME"), which the API does not show; one that is there stays.
  void make_own(std::string name, std::int64_t retention_hours, std::function<void(Status)> done);
  void drop_own(std::string name, std::function<void(Status)> done);

  // Told of each put that is durable, on the streams' thread; must not block. Empty: nobody.
  void on_put(std::function<void(const std::string& stream)> listener);

 private:
  struct State;
  explicit Streams(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace millrace::tasks::kinesis
