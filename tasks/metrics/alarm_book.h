#pragma once
// AlarmBook: the alarms of a home, their states and their history, in memory and in a database. Metric alarms
// stand in one order by the time their next period has ended, so that those that are not due cost nothing;
// composite ones follow the alarms they ask for. A change of state, its line of history and what has to be
// told of it are part of one transaction. The store's thread alone.

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/sqlite.h"
#include "tasks/metrics/alarm_notice.h"
#include "tasks/metrics/point_table.h"

namespace millrace::tasks {

class AlarmBook {
 public:
  struct Limits {
    std::size_t alarms_max = 10'000;
    Millis history_kept{30LL * 86'400'000};
    Millis delay{2'000};  // behind the end of a period: until its last values have come
  };
  static const char* const kSchema;
  static Result<AlarmBook> open(Database& database, ServicePlace place, Limits limits, Instant now);

  using Alarms = std::map<std::string, Alarm, std::less<>>;
  const Alarms& alarms() const { return alarms_; }
  const Alarm* find(std::string_view name) const;  // null: there is none

  // A new one, or new settings of one, whose state stays. LimitExceeded: there are too many; InvalidArgument:
  // a composite one that asks for what is not there, or for itself.
  Status put(Alarm alarm, Instant now);
  Status erase(const std::string& name, Instant now);
  Status set_state(const std::string& name, AlarmState state, std::string reason, std::string reason_data,
                   Instant now);
  Status enable_actions(const std::string& name, bool enabled, Instant now);
  Status set_tags(const std::string& name, Payload tags);

  // Evaluates what is due, at most so many.
  Status evaluate(PointTable& points, Instant now, std::size_t alarms_max);
  std::optional<Instant> first_due() const;

  // Changes that nobody was told of, oldest first, each given once. Those of an earlier process come again.
  std::vector<AlarmChange> take_changes();
  // It was told; `actions`: to whom.
  Status told(std::int64_t number, const std::string& alarm, const std::vector<std::string>& actions,
              Instant now);

  struct HistoryFilter {
    std::string alarm, kind;  // empty: all
    std::set<std::string> types;
    std::optional<Instant> from, until;
    bool newest_first = true;
    std::int64_t behind = 0;  // a number of this order; 0: from its beginning
    std::size_t limit = 100;
  };
  struct HistoryItem {
    std::int64_t number = 0;
    std::string alarm, type, kind, summary, data;
    Instant time;
  };
  Result<std::vector<HistoryItem>> history(const HistoryFilter& filter);
  Status tidy(Instant now);

  // Alarms whose state may have changed since it was asked last, with what they are now (none: gone).
  std::vector<std::pair<std::string, std::optional<AlarmStatus>>> take_statuses();
  // A group was undone: everything is read again.
  Status forget(Instant now);

 private:
  Status load(Instant now);
  Status keep(const Alarm& alarm);
  Status change(Alarm& alarm, AlarmState state, std::string reason, std::string reason_data, Instant now);
  Status note(const Alarm& alarm, std::string_view kind, std::string_view summary, std::string_view data,
              Instant now);
  Status evaluate_metric(PointTable& points, Alarm& alarm, Instant now);
  Status evaluate_parents(Instant now);
  Status evaluate_composite(Alarm& alarm, Instant now);
  void schedule(const Alarm& alarm, Instant due);
  void unschedule(const std::string& name);
  void link(const Alarm& alarm, bool linked);
  std::size_t rank(const std::string& name) const;
  std::size_t rank(const std::string& name, std::map<std::string, std::size_t>& known) const;
  bool reaches(const std::string& from, const std::string& name, std::set<std::string>& seen) const;

  Database* database_ = nullptr;
  ServicePlace place_;
  Limits limits_;
  Alarms alarms_;
  std::set<std::pair<Instant, std::string>> order_;
  std::map<std::string, Instant, std::less<>> due_;                    // of those in the order
  std::map<std::string, std::set<std::string>, std::less<>> parents_;  // composite ones, by what they ask for
  std::set<std::pair<std::size_t, std::string>> stale_;  // composite ones to be looked at, by rank
  std::map<std::string, std::string> changer_;           // of those: what changed, in words
  std::vector<AlarmChange> changes_;
  std::set<std::string> touched_;
  Statement put_, erase_, note_, tidy_, enqueue_, dequeue_, last_;
};

}  // namespace millrace::tasks
