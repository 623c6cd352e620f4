#include "tasks/metrics/operations.h"

#include <algorithm>

namespace millrace::tasks::cloudwatch {
namespace {

// In alphabetical order.
constexpr OperationRow kMetricOperations[] = {
    {"DeleteAlarms", delete_alarms, true},
    {"DescribeAlarmHistory", describe_alarm_history},
    {"DescribeAlarms", describe_alarms},
    {"DescribeAlarmsForMetric", describe_alarms_for_metric},
    {"DisableAlarmActions", disable_alarm_actions, true},
    {"EnableAlarmActions", enable_alarm_actions, true},
    {"GetMetricData", get_metric_data},
    {"GetMetricStatistics", get_metric_statistics},
    {"ListMetrics", list_metrics},
    {"ListTagsForResource", list_tags_for_resource},
    {"PutCompositeAlarm", put_composite_alarm, true},
    {"PutMetricAlarm", put_metric_alarm, true},
    {"PutMetricData", put_metric_data, true},
    {"SetAlarmState", set_alarm_state, true},
    {"TagResource", tag_resource, true},
    {"UntagResource", untag_resource, true},
};

}  // namespace

const OperationRow* find_operation(std::string_view name) {
  const auto found = std::find_if(std::begin(kMetricOperations), std::end(kMetricOperations),
                                  [&](const OperationRow& row) { return row.name == name; });
  return found == std::end(kMetricOperations) ? nullptr : found;
}

}  // namespace millrace::tasks::cloudwatch
