#pragma once
// The operations of CloudWatch's API on the points and alarms of a store: one row each. Store thread.

#include <map>
#include <string_view>

#include "tasks/metrics/alarm_book.h"
#include "tasks/metrics/point_table.h"

namespace millrace::tasks::cloudwatch {

struct MetricSession {
  PointTable& points;
  AlarmBook& alarms;
  Instant now;
  const ServicePlace& place;
};
struct OperationRow {
  std::string_view name;
  ServiceAnswer (*run)(MetricSession& session, JsonView input);
  bool writes = false;
};
const OperationRow* find_operation(std::string_view name);  // null: there is none

// A metric's values as they are added: by metric, unit, resolution and period, so that each aggregate is
// written once.
class Batch {
 public:
  void add(const MetricId& id, int unit, Instant time, bool seconds, const Aggregate& aggregate);
  Status write(PointTable& points) const;

 private:
  struct Key {
    MetricId id;
    int unit;
    std::int64_t period;  // seconds or minutes since 1970
    bool seconds;
    auto operator<=>(const Key&) const = default;
  };
  std::map<Key, Aggregate> aggregates_;
};
// What is wrong with a time of a value; empty: nothing.
std::string refuse_time(Instant time, Instant now);

// put_metric_data.cpp
ServiceAnswer put_metric_data(MetricSession& session, JsonView input);
// metric_operations.cpp
ServiceAnswer list_metrics(MetricSession& session, JsonView input);
ServiceAnswer get_metric_statistics(MetricSession& session, JsonView input);
ServiceAnswer get_metric_data(MetricSession& session, JsonView input);
// alarm_operations.cpp
ServiceAnswer put_metric_alarm(MetricSession& session, JsonView input);
ServiceAnswer put_composite_alarm(MetricSession& session, JsonView input);
ServiceAnswer delete_alarms(MetricSession& session, JsonView input);
ServiceAnswer set_alarm_state(MetricSession& session, JsonView input);
ServiceAnswer enable_alarm_actions(MetricSession& session, JsonView input);
ServiceAnswer disable_alarm_actions(MetricSession& session, JsonView input);
ServiceAnswer tag_resource(MetricSession& session, JsonView input);
ServiceAnswer untag_resource(MetricSession& session, JsonView input);
ServiceAnswer list_tags_for_resource(MetricSession& session, JsonView input);
// alarm_lists.cpp
ServiceAnswer describe_alarms(MetricSession& session, JsonView input);
ServiceAnswer describe_alarms_for_metric(MetricSession& session, JsonView input);
ServiceAnswer describe_alarm_history(MetricSession& session, JsonView input);

}  // namespace millrace::tasks::cloudwatch
