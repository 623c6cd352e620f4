#pragma once
// BusStore: HOME/bus.db with its thread. Pieces of work run there in order, many in one transaction; what
// they answer and what they changed is told when it is durable. Any thread may ask.

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "service/api/call.h"
#include "service/api/shapes.h"
#include "service/bus/records.h"
#include "tasks/integrations/group_store.h"

namespace millrace::bus {

// Where the bus says it lives.
struct BusPlace {
  std::string region = "us-east-1", account = "123456789012";
  std::string arn(std::string_view service, std::string_view resource) const;
};

// One operation of an API on the records. Store thread.
struct OperationCall {
  Records& records;
  JsonView input;  // has passed its shape's checks
  const BusPlace& place;
  Instant now;
  Random& random;
  std::int64_t last_event = 0;  // number of the newest event of the log
};
using BusAnswer = tl::expected<Json, api::ApiError>;
struct BusOperation {
  std::string_view name;  // "PutRule"
  std::span<const api::Member> input;
  BusAnswer (*run)(OperationCall& call);
};

class BusStore {
 public:
  struct Settings {
    std::string path;
    BusPlace place;
    std::uint64_t seed = 0;
    std::function<std::int64_t()> last_event;  // asked on the store's thread
  };
  using Changes = std::vector<Records::Change>;

  // `changed` is told on the store's thread what is durable; with `all` empty kinds first when everything was
  // read anew.
  static Result<std::unique_ptr<BusStore>> open(Settings settings, const Clock& clock,
                                                std::function<void(const Changes&)> changed);
  ~BusStore();
  void shut_down();  // carries out what is queued; what comes later is refused

  // Before the first piece: what was there.
  const Records& records() const { return records_; }
  const BusPlace& place() const { return settings_.place; }

  // `done` comes on the store's thread when it is durable, or with the error that kept it from being so.
  void run(std::function<void(Records&)> work, std::function<void(const Status&)> done = {});
  void call(const BusOperation& operation, Payload input, std::function<void(api::Answer)> reply);

 private:
  BusStore(Settings settings, const Clock& clock, std::function<void(const Changes&)> changed);
  bool submit(std::function<bool(Records&)> work, std::function<void(const Status&)> done);

  const Settings settings_;
  const Clock& clock_;
  const std::function<void(const Changes&)> changed_;
  // Store thread.
  Records records_;
  Random random_;
  bool stale_ = false;  // a group was undone: the records are read again first
  std::unique_ptr<tasks::GroupStore> store_;
};

}  // namespace millrace::bus
