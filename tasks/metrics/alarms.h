#pragma once
// What the task library sees of the home's metrics: how alarms stand, and where values go. A TaskCall carries
// both (null outside a runner): they are the home's metric store, opened when it is asked first; tests have
// their own. Any thread; once the store is open neither waits for the disk. Source: Amazon CloudWatch API
// reference, 2010-08-01.

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace millrace::tasks {

enum class AlarmState { Ok, Alarm, InsufficientData };
// "OK", "ALARM", "INSUFFICIENT_DATA"
std::string_view name_of(AlarmState state);

// How an alarm stands, as it is on disk.
struct AlarmStatus {
  AlarmState state = AlarmState::InsufficientData;
  Instant since;       // when it changed to that state, or was made
  std::string reason;  // "Threshold Crossed: 1 datapoint [7.0 (…)] was greater than the threshold (5.0)."
};

class AlarmStates {
 public:
  virtual ~AlarmStates() = default;
  // Of a metric alarm or a composite one. NotFound: there is no alarm of that name; else what kept the store
  // from being opened.
  virtual Result<AlarmStatus> state_of(std::string_view alarm) = 0;
};

using MetricDimensions = std::map<std::string, std::string>;  // by name; at most 30

// One value of one metric at a time. What AWS's PutMetricData would refuse is refused here, too.
struct MetricValue {
  std::string name_space;  // "AWS/SageMaker", "shop"; a user's does not begin with "AWS/"
  std::string name;        // "feature_baseline_drift_age"
  MetricDimensions dimensions = {};
  double value = 0;             // finite
  Instant time = {};            // at most two weeks ago, two hours ahead
  std::string unit = "None";    // "Count", "Milliseconds", "Percent", …
  int storage_resolution = 60;  // seconds: 1 or 60
  double count = 1;             // how often it was measured
};

class MetricSink {
 public:
  virtual ~MetricSink() = default;
  // Takes the values; they are on disk, and seen by queries and alarms, some milliseconds later. What a kill
  // loses in between has to be put again by who needs it. InvalidArgument for a value that is none (nothing
  // is taken then), LimitExceeded when too much waits to be written.
  virtual Status put(std::vector<MetricValue> values) = 0;
  Status put(std::string name_space, std::string name, MetricDimensions dimensions, double value,
             Instant time) {
    return put({MetricValue{std::move(name_space), std::move(name), std::move(dimensions), value, time}});
  }
};

}  // namespace millrace::tasks
