#pragma once
// EventLog: the events that were put on a bus: accepted means written and synced; kept for a time and in
// number within limits, oldest gone first, so that whatever routes events can read them in order. Any thread.
// Source: EventBridge API reference, PutEvents.

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/json.h"
#include "base/result.h"
#include "base/sqlite.h"
#include "tasks/functions/lambda.h"

namespace millrace::tasks {

class EventLog {
 public:
  struct Settings {
    std::int64_t retention_days = 30;
    std::int64_t events_max = 1'000'000;
    LambdaPlace place;  // region and account of the events
    std::uint64_t seed = 0;
  };
  struct Event {
    std::int64_t number = 0;  // 1, 2, … in the order of acceptance
    std::string bus;          // "default"
    Json document;            // as EventBridge hands it to targets: version, id, detail-type, …
  };

  // `path`: HOME/events.db.
  static Result<std::unique_ptr<EventLog>> open(const std::string& path, Settings settings,
                                                const Clock& clock);

  // PutEvents: {"Entries": […]} to {"Entries": [{"EventId"} or {"ErrorCode", "ErrorMessage"}],
  // "FailedEntryCount"}. An entry that is wrong fails alone. `request`: when it is not empty, a second call
  // of that name puts nothing and answers what the first one did; kept as long as the events. `resources` are
  // added to those of each entry. `from_service`: the home's own services put it, whose sources begin with
  // "aws.". InvalidArgument when the request as a whole is wrong.
  Result<Json> put(const Json& request_body, const std::string& request,
                   const std::vector<std::string>& resources = {}, bool from_service = false);
  // In order, from behind `after`.
  Result<std::vector<Event>> read(std::int64_t after, std::size_t limit) const;

  // For who routes events (event_log_routing.cpp).
  struct Row {
    std::int64_t number = 0;
    Instant accepted;
    std::string bus;
    Payload document;
  };
  // As read(), on a connection of its own: it does not wait for what is being put.
  Result<std::vector<Row>> rows(std::int64_t after, std::size_t limit) const;
  Result<std::int64_t> last() const;  // the number of the newest event there ever was; 0: none
  // Whole events with ids of their own, durable on return, in one transaction. Each is named; a second one of
  // a name is not put. Names are kept as long as the events.
  struct Named {
    std::string name, bus;
    Payload document;
  };
  Status put_named(const std::vector<Named>& events);
  // When the newest of the events whose name begins so was put; nothing: there is none.
  Result<std::optional<Instant>> newest_named(const std::string& prefix) const;
  // Called after each put that is durable, from the thread that put; must not block. Empty: nobody.
  void on_put(std::function<void()> listener);

 private:
  EventLog(Settings settings, const Clock& clock) : settings_(std::move(settings)), clock_(clock) {}
  Result<Json> put_all(const std::vector<Json>& entries, const std::string& request,
                       const std::vector<std::string>& resources, bool from_service);
  Status remove_old();

  const Settings settings_;
  const Clock& clock_;
  mutable std::mutex mutex_;  // over what follows
  mutable Database database_;
  Statement insert_, find_request_, insert_request_;
  mutable Statement select_;
  std::uint64_t ids_ = 0;
  Millis cleaned_{-3'600'000};  // uptime
  std::function<void()> listener_;
  std::string path_;
  mutable std::mutex reading_;  // over what follows
  mutable Database reader_;
  mutable bool rows_opened_ = false;
  mutable Statement rows_;
};

}  // namespace millrace::tasks
