#pragma once
// MonitoringPlan: what one monitoring schedule looks at, whichever way its configuration says so: in itself
// (MonitoringJobDefinition) or by the name of a job definition of one of four types. From it and a due time
// follows the request of the processing job that is run. Pure but for the records that are read. Any thread.
// Source: SageMaker API reference, MonitoringScheduleConfig, Create…JobDefinition.

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/json.h"
#include "base/result.h"
#include "base/time.h"
#include "tasks/jobs/entities.h"
#include "tasks/jobs/jobs.h"
#include "tasks/monitor/captured_rows.h"

namespace millrace::tasks {

struct MonitoringType {
  std::string_view name;         // "DataQuality": members DataQualityJobInput, …
  std::string_view analysis;     // "DATA_QUALITY", of the analyzer
  const EntityKind& definition;  // the records of its job definitions
};
std::span<const MonitoringType> monitoring_types();
const MonitoringType* find_monitoring_type(std::string_view name);  // null: there is none

struct MonitoringPlan {
  const MonitoringType* type = nullptr;
  std::string definition;  // its name; empty: the schedule's own
  std::string endpoint;    // empty: what a batch transform captured
  std::string captured;    // where batch transforms captured; of an endpoint: resolved when it runs
  std::string ground_truth, constraints, statistics, config, output;  // URIs; empty: none
  std::string start_offset, end_offset;  // durations; empty: since the due time before, until the due time
  std::int64_t runtime_max_s = 0;        // 0: no limit of its own
  Json settings = Json::object();        // of the analyzer
};

// InvalidArgument names the field; NotFound: a definition or a baselining job that does not exist.
Result<MonitoringPlan> read_monitoring_plan(const Json& schedule_config, const Jobs& jobs);
// Of a job definition by itself, as its Create… gives it.
Result<MonitoringPlan> read_job_definition(const MonitoringType& type, const Json& definition,
                                           const Jobs& jobs);

// ISO 8601 as SageMaker writes it: "-PT1H", "PT5M", "-P7DT12H". InvalidArgument; no years and months.
Result<Millis> parse_iso_duration(std::string_view text);

// What a run due at `due` looks at, when the one before it was due at `previous`: whole seconds. Spans of
// runs that follow each other meet. InvalidArgument: it is empty.
Result<TimeSpan> span_of(const MonitoringPlan& plan, Instant due, Instant previous);

// One run: of which schedule, due when.
struct MonitoringRun {
  std::string schedule, born;  // `born`: tells schedules of one name apart
  Instant due;
  TimeSpan span;
};
// "monitoring-NAME-20261121100000-9f86d081884c7d65": the same for the same run, within a job's 63 characters.
std::string monitoring_job_name(const MonitoringRun& run);
// OUTPUT/ENDPOINT/SCHEDULE/yyyy/mm/dd/hh, and the minute and second of what is not due on the hour.
std::string monitoring_output(const MonitoringPlan& plan, const MonitoringRun& run);
// The CreateProcessingJob request. NotFound: the endpoint; InvalidArgument: it captures nothing.
Result<Json> monitoring_job_request(const MonitoringPlan& plan, const MonitoringRun& run, const Jobs& jobs);

// "20261121T100000Z": of what a run is named after.
std::string compact_time(Instant time);

}  // namespace millrace::tasks
