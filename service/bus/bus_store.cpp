#include "service/bus/bus_store.h"

#include <nlohmann/json.hpp>

#include "base/check.h"
#include "base/log.h"

namespace millrace::bus {

std::string BusPlace::arn(std::string_view service, std::string_view resource) const {
  return "arn:aws:" + std::string(service) + ":" + region + ":" + account + ":" + std::string(resource);
}

BusStore::BusStore(Settings settings, const Clock& clock, std::function<void(const Changes&)> changed)
    : settings_(std::move(settings)), clock_(clock), changed_(std::move(changed)), random_(settings_.seed) {}

BusStore::~BusStore() {
  shut_down();
}

void BusStore::shut_down() {
  store_.reset();
}

Result<std::unique_ptr<BusStore>> BusStore::open(Settings settings, const Clock& clock,
                                                 std::function<void(const Changes&)> changed) {
  std::unique_ptr<BusStore> made(new BusStore(std::move(settings), clock, std::move(changed)));
  tasks::GroupStore::Settings store;
  store.path = made->settings_.path;
  store.schema = Records::kSchema;
  store.pieces_max = 100'000;
  store.rolled_back = [bus = made.get()] { bus->stale_ = true; };
  MR_TRY(opened, tasks::GroupStore::open(std::move(store), clock));
  made->store_ = std::move(opened);
  MR_DO(made->records_.load(made->store_->database()));
  return made;
}

bool BusStore::submit(std::function<bool(Records&)> work, std::function<void(const Status&)> done) {
  using End = tasks::GroupStore::End;
  const auto changes = std::make_shared<Changes>();
  tasks::GroupStore::Piece piece;
  piece.work = [this, changes, work = std::move(work)](tasks::GroupStore::Turn& turn) {
    if (stale_) {
      if (const Status read = records_.load(turn.database); !read) {
        turn.error = read.error();
        return End::Broken;
      }
      stale_ = false;
    }
    const bool keep = work(records_);
    *changes = records_.take_changes();
    MR_CHECK(keep || changes->empty(), "what is refused changes nothing");
    if (auto error = records_.take_error()) {
      turn.error = std::move(*error);
      return End::Broken;
    }
    return keep ? End::Keep : End::Undo;
  };
  piece.done = [this, changes, done = std::move(done)](const Status& status) {
    if (status && !changes->empty()) changed_(*changes);
    if (done) done(status);
  };
  return store_ && store_->submit(std::move(piece));
}

void BusStore::run(std::function<void(Records&)> work, std::function<void(const Status&)> done) {
  auto kept = done;
  const bool taken = submit(
      [work = std::move(work)](Records& records) {
        work(records);
        return true;
      },
      std::move(done));
  if (!taken && kept)
    kept(fail(ErrorCode::Unavailable, "the bus is being closed, or too much waits for its disk"));
}

void BusStore::call(const BusOperation& operation, Payload input, std::function<void(api::Answer)> reply) {
  const auto answer = std::make_shared<BusAnswer>(Json());
  const bool taken = submit(
      [this, answer, &operation, input](Records& records) {
        OperationCall call{records,      input.view(), settings_.place,
                           clock_.now(), random_,      settings_.last_event ? settings_.last_event() : 0};
        *answer = operation.run(call);
        return answer->has_value();
      },
      [answer, reply](const Status& status) {
        if (!status)
          return reply(
              api::refuse("InternalException", "the bus could not keep it: " + status.error().message, 500));
        if (!*answer) return reply(tl::unexpected<api::ApiError>(answer->error()));
        reply(to_payload((*answer)->is_object() ? **answer : Json::object()));
      });
  if (!taken) reply(api::refuse("ServiceUnavailable", "too much waits for the disk; try again later", 503));
}

}  // namespace millrace::bus
