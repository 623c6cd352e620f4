#pragma once
// The parameters of CloudWatch's operations as task kinds (aws-sdk:cloudwatch:…), for the catalog and for
// people. Source: Amazon CloudWatch API reference.

#include "tasks/task_kind.h"

namespace millrace::tasks {

inline constexpr Parameter kMetricName[] = {
    {"Namespace", "string", true, "of the metric"},
    {"MetricName", "string", true, "its name"},
    {"Dimensions", "array", false, "Name and Value of each"},
    {"StartTime", "string", true, "from then on"},
    {"EndTime", "string", true, "up to then"},
    {"Period", "number", true, "seconds: 1, 5, 10, 20, 30 or a multiple of 60"},
    {"Statistics", "array", false, "SampleCount, Average, Sum, Minimum, Maximum"},
    {"ExtendedStatistics", "array", false, "percentiles: p99, p99.9"},
    {"Unit", "string", false, "only values of this unit"},
};
inline constexpr Parameter kMetricDataParameters[] = {
    {"MetricDataQueries", "array", true, "Id with MetricStat or Expression"},
    {"StartTime", "string", true, "from then on"},
    {"EndTime", "string", true, "up to then"},
    {"ScanBy", "string", false, "TimestampDescending (default), TimestampAscending"},
    {"MaxDatapoints", "number", false, "of a page"},
};
inline constexpr Parameter kPutMetricParameters[] = {
    {"Namespace", "string", true, "does not begin with AWS/"},
    {"MetricData", "array", true,
     "MetricName, Dimensions, Value or Values and Counts or StatisticValues, Unit, Timestamp"},
};
inline constexpr Parameter kListMetricsParameters[] = {
    {"Namespace", "string", false, "only its metrics"},
    {"MetricName", "string", false, "only metrics of that name"},
    {"Dimensions", "array", false, "only metrics that have these: Name, Value"},
    {"NextToken", "string", false, "of the page before"},
};
inline constexpr Parameter kAlarmParameters[] = {
    {"AlarmName", "string", true, "unique"},
    {"Namespace", "string", false, "of the metric; or Metrics"},
    {"MetricName", "string", false, "its name"},
    {"Dimensions", "array", false, "Name and Value of each"},
    {"Metrics", "array", false, "metrics and expressions, one of which returns data"},
    {"Statistic", "string", false, "or ExtendedStatistic, a percentile"},
    {"Period", "number", false, "seconds"},
    {"EvaluationPeriods", "number", true, "so many latest periods are looked at"},
    {"DatapointsToAlarm", "number", false, "so many of them must breach"},
    {"Threshold", "number", true, "what values are compared with"},
    {"ComparisonOperator", "string", true, "GreaterThanThreshold, …"},
    {"TreatMissingData", "string", false, "missing (default), ignore, breaching, notBreaching"},
    {"AlarmActions", "array", false,
     "ARNs of topics, functions, state machines, queues; also OKActions, InsufficientDataActions"},
};
inline constexpr Parameter kCompositeParameters[] = {
    {"AlarmName", "string", true, "unique"},
    {"AlarmRule", "string", true, "ALARM(\"a\") AND NOT OK(\"b\")"},
    {"AlarmActions", "array", false, "as of metric alarms"},
};
inline constexpr Parameter kAlarmNames[] = {
    {"AlarmNames", "array", true, "names of alarms"},
};
inline constexpr Parameter kDescribeAlarmsParameters[] = {
    {"AlarmNames", "array", false, "only these"},
    {"AlarmNamePrefix", "string", false, "only those whose names begin so"},
    {"AlarmTypes", "array", false, "MetricAlarm (default), CompositeAlarm"},
    {"StateValue", "string", false, "OK, ALARM, INSUFFICIENT_DATA"},
    {"NextToken", "string", false, "of the page before"},
};
inline constexpr Parameter kAlarmHistoryParameters[] = {
    {"AlarmName", "string", false, "only of this one"},
    {"HistoryItemType", "string", false, "ConfigurationUpdate, StateUpdate, Action"},
    {"NextToken", "string", false, "of the page before"},
};
inline constexpr Parameter kAlarmsForMetricParameters[] = {
    {"Namespace", "string", true, "of the metric"},
    {"MetricName", "string", true, "its name"},
    {"Dimensions", "array", false, "Name and Value of each"},
};
inline constexpr Parameter kSetAlarmParameters[] = {
    {"AlarmName", "string", true, "an alarm"},
    {"StateValue", "string", true, "OK, ALARM, INSUFFICIENT_DATA"},
    {"StateReason", "string", true, "for people"},
};
inline constexpr Parameter kAlarmTagParameters[] = {
    {"ResourceARN", "string", true, "of an alarm"},
    {"Tags", "array", false, "Key and Value of each"},
    {"TagKeys", "array", false, "to be removed"},
};

}  // namespace millrace::tasks
