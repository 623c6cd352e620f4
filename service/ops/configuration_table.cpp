// The table of all options. One row an option: name, kind, range, help. Limits of the language stand in
// base/limits.h, the others in the settings of the part that obeys them; defaults are what those say.

#include <limits>
#include <type_traits>

#include "service/ops/configuration.h"
#include "tasks/ranks/transport.h"

namespace millrace::service {
namespace {

template <class T>
OptionValue value_of(const T& field) {
  if constexpr (std::is_same_v<T, std::string>) {
    return {0, field};
  } else if constexpr (std::is_same_v<T, Millis>) {
    return {field.count()};
  } else {
    return {static_cast<std::int64_t>(field)};
  }
}
template <class T>
void assign(T& field, const OptionValue& value) {
  if constexpr (std::is_same_v<T, std::string>) {
    field = value.text;
  } else if constexpr (std::is_same_v<T, Millis>) {
    field = Millis(value.number);
  } else if constexpr (std::is_same_v<T, bool>) {
    field = value.number != 0;
  } else {
    field = static_cast<T>(value.number);
  }
}

OptionValue get_level(const Configuration& c) {
  static constexpr std::string_view kNames[] = {"debug", "info", "warning", "error", "off"};
  return {0, std::string(kNames[static_cast<std::size_t>(c.log.level)])};
}
void set_level(Configuration& c, const OptionValue& value) {
  static const std::map<std::string_view, log::Level> kLevels = {{"debug", log::Level::Debug},
                                                                 {"info", log::Level::Info},
                                                                 {"warning", log::Level::Warning},
                                                                 {"error", log::Level::Error},
                                                                 {"off", log::Level::Off}};
  c.log.level = kLevels.at(value.text);
}
OptionValue get_format(const Configuration& c) {
  static constexpr std::string_view kNames[] = {"auto", "text", "json"};
  return {0, std::string(kNames[static_cast<std::size_t>(c.log.format)])};
}
void set_format(Configuration& c, const OptionValue& value) {
  c.log.format = value.text == "auto"   ? log::Format::Auto
                 : value.text == "text" ? log::Format::Text
                                        : log::Format::Json;
}

constexpr std::string_view kAuditNames[] = {"off", "refused", "changes"};
OptionValue get_audit(const Configuration& c) {
  return {0, std::string(kAuditNames[static_cast<std::size_t>(c.audit)])};
}
void set_audit(Configuration& c, const OptionValue& value) {
  c.audit = value.text == "off"       ? api::AuditLevel::Off
            : value.text == "refused" ? api::AuditLevel::Refused
                                      : api::AuditLevel::Changes;
}

OptionValue get_host_names(const Configuration& c) {
  std::string names;
  for (const std::string& name : c.gate.host_names) names += (names.empty() ? "" : ",") + name;
  return {0, names};
}
void set_host_names(Configuration& c, const OptionValue& value) {
  c.gate.host_names.clear();
  for (std::size_t at = 0; at < value.text.size();) {
    const std::size_t end = std::min(value.text.find(',', at), value.text.size());
    if (end > at) c.gate.host_names.push_back(value.text.substr(at, end - at));
    at = end + 1;
  }
}

// Both accessors of a field.
#define MR_OPTION_FIELD(field)                              \
  [](const Configuration& c) { return value_of(c.field); }, \
      [](Configuration& c, const OptionValue& value) { assign(c.field, value); }

constexpr std::int64_t KiB = 1024, MiB = 1024 * KiB, GiB = 1024 * MiB;
constexpr std::int64_t kSecond = 1000, kMinute = 60 * kSecond, kHour = 60 * kMinute;
constexpr std::int64_t kTexts = 4096;  // characters of a text
using enum OptionKind;

constexpr Option kOptions[] = {
    {"server.listen", Text, 1, kTexts, "", "", "where to listen, HOST:PORT; port 0 takes a free one",
     MR_OPTION_FIELD(listen), "listen"},
    {"server.region", Text, 1, 64, "", "", "region of the ARNs it makes", MR_OPTION_FIELD(engine.region),
     "region"},
    {"server.account", Text, 1, 64, "", "", "account of the ARNs it makes", MR_OPTION_FIELD(engine.account),
     "account"},

    {"limits.payload_bytes_max", Bytes, 1 * KiB, 1 * GiB, "", "",
     "one document: input, output, task result; AWS's limit by default",
     MR_OPTION_FIELD(engine.limits.payload_bytes_max), "payload-bytes-max"},
    {"limits.definition_bytes_max", Bytes, 1 * KiB, 64 * MiB, "", "", "one definition",
     MR_OPTION_FIELD(engine.limits.definition_bytes_max)},
    {"limits.history_events_max", Integer, 100, 10'000'000, "events", "",
     "visible events of one execution; AWS's limit by default",
     MR_OPTION_FIELD(engine.limits.history_events_max), "history-events-max"},
    {"limits.variable_bytes_max", Bytes, 1 * KiB, 64 * MiB, "", "", "one variable",
     MR_OPTION_FIELD(engine.limits.variable_bytes_max)},
    {"limits.assign_bytes_max", Bytes, 1 * KiB, 64 * MiB, "", "", "all that one state assigns",
     MR_OPTION_FIELD(engine.limits.assign_bytes_max)},
    {"limits.variables_bytes_max", Bytes, 1 * KiB, 1 * GiB, "", "", "all variables of one execution",
     MR_OPTION_FIELD(engine.limits.variables_bytes_max)},
    {"limits.error_characters_max", Integer, 16, 32'768, "characters", "", "the name of an error",
     MR_OPTION_FIELD(engine.limits.error_characters_max)},
    {"limits.cause_characters_max", Integer, 16, 1 << 20, "characters", "", "the cause of an error",
     MR_OPTION_FIELD(engine.limits.cause_characters_max)},
    {"limits.name_characters_max", Integer, 1, 1024, "characters", "",
     "names of states, executions and state machines", MR_OPTION_FIELD(engine.limits.name_characters_max)},
    {"limits.express_seconds_max", Integer, 1, 86'400, "seconds", "", "one Express execution",
     MR_OPTION_FIELD(engine.limits.express_seconds_max)},
    {"limits.redrive_days_max", Integer, 0, 3650, "days", "",
     "how long after its end an execution may be redriven", MR_OPTION_FIELD(engine.limits.redrive_days_max)},
    {"limits.execution_days_max", Integer, 1, 3650, "days", "", "one execution with its redrives",
     MR_OPTION_FIELD(engine.limits.execution_days_max)},
    {"limits.inline_map_concurrency_max", Integer, 1, 10'000, "iterations", "",
     "what MaxConcurrency 0 means in an inline Map",
     MR_OPTION_FIELD(engine.limits.inline_map_concurrency_max)},
    {"limits.distributed_map_concurrency_max", Integer, 1, 100'000, "children", "",
     "children of one map run at a time", MR_OPTION_FIELD(engine.limits.distributed_map_concurrency_max)},
    {"limits.map_run_items_max", Integer, 1, 1'000'000'000, "items", "", "items of one map run",
     MR_OPTION_FIELD(engine.limits.map_run_items_max)},
    {"limits.intrinsic_nesting_max", Integer, 1, 100, "levels", "", "intrinsic functions inside each other",
     MR_OPTION_FIELD(engine.limits.intrinsic_nesting_max)},
    {"limits.array_range_elements_max", Integer, 1, 10'000'000, "elements", "",
     "what States.ArrayRange makes", MR_OPTION_FIELD(engine.limits.array_range_elements_max)},
    {"limits.intrinsic_text_characters_max", Integer, 1, 100'000'000, "characters", "",
     "texts of States.Base64Encode, States.Base64Decode and States.Hash",
     MR_OPTION_FIELD(engine.limits.intrinsic_text_characters_max)},
    {"limits.json_depth_max", Integer, 16, 10'000, "levels", "", "nesting of a document that comes in",
     MR_OPTION_FIELD(engine.limits.json_depth_max)},
    {"limits.definition_nesting_max", Integer, 1, 1000, "levels", "", "Parallel and Map inside each other",
     MR_OPTION_FIELD(engine.limits.definition_nesting_max)},
    {"limits.jsonata_steps_max", Integer, 1000, 100'000'000'000, "steps", "",
     "work of one JSONata evaluation; the default is about AWS's second",
     MR_OPTION_FIELD(engine.limits.jsonata_steps_max)},
    {"limits.jsonata_depth_max", Integer, 100, 8'000, "levels", "",
     "JSONata expressions inside each other, and calls that wait for calls",
     MR_OPTION_FIELD(engine.limits.jsonata_depth_max)},
    {"limits.jsonata_memory_max", Bytes, 1 * MiB, 16 * GiB, "", "", "what one JSONata evaluation may hold",
     MR_OPTION_FIELD(engine.limits.jsonata_memory_max)},
    {"limits.decision_events_max", Integer, 100, 1'000'000, "events", "",
     "events of one decision; then the execution rests until its next turn",
     MR_OPTION_FIELD(engine.limits.decision_events_max)},

    {"engine.live_executions_max", Integer, 1, 10'000'000, "executions", "",
     "executions in memory; beyond it starts are refused with ExecutionLimitExceeded",
     MR_OPTION_FIELD(engine.live_executions_max)},
    {"engine.park_after", Duration, 1 * kSecond, 24 * kHour, "", "",
     "an execution that waits longer than this for time alone leaves memory",
     MR_OPTION_FIELD(engine.park_after)},
    {"engine.activity_poll_time_max", Duration, 1 * kSecond, 60 * kMinute, "", "",
     "how long GetActivityTask waits for a task", MR_OPTION_FIELD(engine.activities.poll_time_max)},
    {"engine.activity_pollers_max", Integer, 1, 1'000'000, "pollers", "",
     "workers that wait for tasks of one activity", MR_OPTION_FIELD(engine.activities.pollers_max)},

    {"store.group_appends_max", Integer, 1, 100'000, "appends", "",
     "appends in one transaction; larger groups hurt the slowest answer",
     MR_OPTION_FIELD(store.group_appends_max)},
    {"store.group_bytes_max", Bytes, 64 * KiB, 1 * GiB, "", "", "documents in one transaction, roughly",
     MR_OPTION_FIELD(store.group_bytes_max)},
    {"store.slow_commit", Duration, 10, 10 * kMinute, "", "",
     "a transaction that takes longer is a line in the log", MR_OPTION_FIELD(store.slow_commit)},

    {"retention.days", Integer, 0, 36'500, "days", "",
     "how long executions are kept after their end, with their histories; 0: for ever",
     MR_OPTION_FIELD(retention.days)},
    {"retention.batch", Integer, 1, 100'000, "executions", "", "executions looked at in one transaction",
     MR_OPTION_FIELD(retention.batch)},
    {"retention.pause", Duration, 0, 1 * kMinute, "", "", "between two such transactions",
     MR_OPTION_FIELD(retention.pause)},
    {"retention.interval", Duration, 1 * kSecond, 24 * kHour, "", "", "between two passes over the home",
     MR_OPTION_FIELD(retention.interval)},
    {"retention.vacuum_pages", Integer, 0, 1'000'000, "pages of 4 KiB", "",
     "free pages given back to the file system after each transaction; 0: none",
     MR_OPTION_FIELD(retention.vacuum_pages)},

    {"http.connections_max", Integer, 1, 1'000'000, "connections", "", "beyond it: 503, closed",
     MR_OPTION_FIELD(http.connections_max)},
    {"http.header_bytes_max", Bytes, 1 * KiB, 16 * MiB, "", "", "all headers of one request",
     MR_OPTION_FIELD(http.parser.header_bytes_max)},
    {"http.body_bytes_max", Bytes, 64 * KiB, 4 * GiB - 1, "", "", "the body of one request",
     MR_OPTION_FIELD(http.parser.body_bytes_max)},
    {"http.unanswered_bytes_max", Bytes, 64 * KiB, 1 * GiB, "", "",
     "pipelined requests and unread answers of one connection; then reading rests",
     MR_OPTION_FIELD(http.unanswered_bytes_max)},
    {"http.request_time_max", Duration, 100, 1 * kHour, "", "", "from a request's first byte to its last",
     MR_OPTION_FIELD(http.request_time_max)},
    {"http.idle_time_max", Duration, 100, 24 * kHour, "", "", "between two requests of a connection",
     MR_OPTION_FIELD(http.idle_time_max)},
    {"http.write_time_max", Duration, 100, 1 * kHour, "", "",
     "without a client taking anything of its answer", MR_OPTION_FIELD(http.write_time_max)},
    {"http.drain_time_max", Duration, 0, 1 * kHour, "", "",
     "for what is being answered when the server is told to stop", MR_OPTION_FIELD(http.drain_time_max)},
    {"http.handshake_time_max", Duration, 100, 1 * kHour, "", "", "for TLS to begin",
     MR_OPTION_FIELD(http.handshake_time_max)},

    {"tls.certificate", Text, 0, kTexts, "", "",
     "serve HTTPS: the certificate and its chain, PEM; SIGHUP reads it again",
     MR_OPTION_FIELD(tls_certificate), "tls-cert"},
    {"tls.key", Text, 0, kTexts, "", "", "its key, PEM", MR_OPTION_FIELD(tls_key), "tls-key"},

    {"auth.clock_skew_max", Duration, 1 * kSecond, 24 * kHour, "", "",
     "between a signature's time and this clock, each way; at least 15 min where the service is S3",
     MR_OPTION_FIELD(gate.skew)},
    {"auth.host_names", Text, 0, kTexts, "", "",
     "public host names it is called by, as behind a proxy, with commas; only asked where there are no keys",
     get_host_names, set_host_names, "host-name"},
    {"auth.audit", Choice, 0, 0, "", "off|refused|changes",
     "a line in the log for each call that is refused; changes: and for each that changes something",
     get_audit, set_audit},

    {"tasks.jobs_at_once", Integer, 1, 1024, "jobs", "", "training, processing, … at a time; others wait",
     MR_OPTION_FIELD(tasks.jobs_at_once)},
    {"tasks.calls_at_once", Integer, 1, 1024, "calls", "",
     "quick calls of the task library (createModel, invokeEndpoint, …) at a time",
     MR_OPTION_FIELD(tasks.calls_at_once)},
    {"tasks.threads_per_job", Integer, 0, 1024, "threads", "", "of one job; 0: as many as the machine has",
     MR_OPTION_FIELD(tasks.threads_per_job)},
    {"tasks.waiting_max", Integer, 1, 10'000'000, "tasks", "",
     "jobs, and calls, that wait; more are refused with SageMaker.ResourceLimitExceededException",
     MR_OPTION_FIELD(tasks.waiting_max)},
    {"tasks.stop_grace", Duration, 0, 24 * kHour, "", "",
     "what a script has to end after SIGTERM, then SIGKILL", MR_OPTION_FIELD(tasks.stop_grace)},
    {"tasks.cache", Text, 0, 64, "", "",
     "jobs take over the result of an equal one that ended at most so long ago (P30D, PT12H, on; off); a "
     "job's "
     "tag millrace:cache says otherwise",
     MR_OPTION_FIELD(tasks.cache), "cache"},
    {"tasks.ranks_max", Integer, 1, tasks::kRanksMost, "ranks", "",
     "of a training job: the largest ResourceConfig.InstanceCount of algorithms that train in ranks",
     MR_OPTION_FIELD(tasks.ranks.most)},
    {"tasks.ranks_launcher", Text, 0, kTexts, "", "",
     "command that starts ranks on several machines, like mpirun --hostfile /etc/millrace-hosts; empty: "
     "processes "
     "of this machine",
     MR_OPTION_FIELD(tasks.ranks.launcher)},
    {"tasks.cents_per_hour", Integer, 0, 1'000'000'000, "cents", "",
     "price of an hour of a job, for its estimated cost; 0: none", MR_OPTION_FIELD(tasks.cents_per_hour)},
    {"tasks.heartbeat_interval", Duration, 10, 1 * kHour, "", "",
     "progress of a job is reported at most this often", MR_OPTION_FIELD(tasks.heartbeat_interval)},

    {"tasks.script_processes_max", Integer, 0, 1'000'000, "processes", "",
     "of a program of yours; one with more is ended; 0: any number",
     MR_OPTION_FIELD(tasks.script_processes_max)},

    {"environments.python", Text, 0, kTexts, "", "",
     "the interpreter of programs with a requirements.txt, by name or path",
     MR_OPTION_FIELD(tasks.environments.python)},
    {"environments.index_url", Text, 0, kTexts, "", "",
     "the package index that pip asks; empty: as pip is configured",
     MR_OPTION_FIELD(tasks.environments.index_url)},
    {"environments.pip_config", Text, 0, kTexts, "", "", "a pip.conf; empty: pip's own places",
     MR_OPTION_FIELD(tasks.environments.pip_config)},
    {"environments.offline", Flag, 0, 1, "", "", "no package index is asked",
     MR_OPTION_FIELD(tasks.environments.offline)},
    {"environments.prepare_max", Duration, 1 * kSecond, 24 * kHour, "", "", "to prepare one",
     MR_OPTION_FIELD(tasks.environments.prepare_max)},
    {"environments.count_max", Integer, 1, 1'000'000, "environments", "",
     "that are kept; those unused for longest go", MR_OPTION_FIELD(tasks.environments.count_max)},
    {"environments.bytes_max", Bytes, 1 * MiB, 1024 * 1024 * GiB, "", "", "of all together; likewise",
     MR_OPTION_FIELD(tasks.environments.bytes_max)},
    {"environments.unused_max", Duration, 1 * kMinute, 3650 * 24 * kHour, "", "", "then one goes",
     MR_OPTION_FIELD(tasks.environments.unused_max)},

    {"endpoints.threads", Integer, 1, 1024, "threads", "",
     "that score requests of endpoints which are not quick", MR_OPTION_FIELD(tasks.endpoints.threads)},
    {"endpoints.waiting_max", Integer, 1, 10'000'000, "requests", "",
     "that wait for these threads; more are refused with ServiceUnavailable",
     MR_OPTION_FIELD(tasks.endpoints.waiting_max)},
    {"endpoints.quick_micros_max", Integer, 0, 1'000'000, "microseconds", "",
     "a request that takes less, by what those before it took, is scored by the thread that reads it",
     MR_OPTION_FIELD(tasks.endpoints.quick_micros_max)},
    {"endpoints.capture_interval", Duration, 100, 1 * kHour, "", "",
     "captured requests are written at most so much later",
     MR_OPTION_FIELD(tasks.endpoints.capture.interval)},
    {"endpoints.capture_queue_bytes_max", Bytes, 64 * KiB, 16 * GiB, "", "",
     "captures that wait to be written; what comes beyond it is dropped and counted",
     MR_OPTION_FIELD(tasks.endpoints.capture.queue_bytes_max)},
    {"endpoints.capture_object_bytes_max", Bytes, 64 * KiB, 4 * GiB, "", "",
     "an object of captures that is as large is written at once",
     MR_OPTION_FIELD(tasks.endpoints.capture.object_bytes_max)},
    {"endpoints.script_threads", Integer, 1, 1024, "threads", "",
     "that wait for programs behind endpoints, and for models to be loaded",
     MR_OPTION_FIELD(tasks.endpoints.script_threads)},
    {"endpoints.script_workers_max", Integer, 1, 1024, "processes", "",
     "of one variant's program, whatever its configuration says",
     MR_OPTION_FIELD(tasks.endpoints.script_workers_max)},
    {"endpoints.script_idle_max", Duration, 100, 24 * kHour, "", "",
     "a process beyond the least number ends when it was idle for so long",
     MR_OPTION_FIELD(tasks.endpoints.script_idle_max)},
    {"endpoints.models_bytes_max", Bytes, 1 * KiB, 1024 * GiB, "", "",
     "of models that multi-model and serverless endpoints keep in memory",
     MR_OPTION_FIELD(tasks.endpoints.models.bytes_max)},
    {"endpoints.models_idle_max", Duration, 100, 24 * kHour, "", "", "then such a model is let go of",
     MR_OPTION_FIELD(tasks.endpoints.models.idle_max)},
    {"endpoints.inferences_max", Integer, 1'000, 1'000'000'000, "requests", "",
     "with an inference id that are kept for their outcomes; the oldest go",
     MR_OPTION_FIELD(tasks.endpoints.outcomes.rows_max)},
    {"endpoints.guard_interval", Duration, 50, 1 * kMinute, "", "",
     "how often the guards of a deployment are asked", MR_OPTION_FIELD(tasks.endpoints.guard_interval)},

    {"features.flush_interval", Duration, 100, 24 * kHour, "", "",
     "records of feature groups are in files of the offline store at most so much later",
     MR_OPTION_FIELD(tasks.features.flush_interval)},

    {"functions.folder", Text, 0, kTexts, "", "", "the folder of functions; empty: HOME/functions",
     MR_OPTION_FIELD(functions), "functions"},
    {"functions.workers_max", Integer, 1, 10'000, "processes", "", "of all functions together",
     MR_OPTION_FIELD(tasks.function_host.workers_max)},
    {"functions.idle_max", Duration, 1 * kSecond, 24 * kHour, "", "",
     "an idle process is ended after that time", MR_OPTION_FIELD(tasks.function_host.idle_max)},
    {"functions.waiting_max", Integer, 1, 10'000'000, "invocations", "", "of all functions together",
     MR_OPTION_FIELD(tasks.function_host.waiting_max)},
    {"functions.response_bytes_max", Bytes, 1 * KiB, 64 * MiB, "", "",
     "what a function may answer; as Lambda has it", MR_OPTION_FIELD(tasks.function_host.response_bytes_max)},

    {"log.level", Choice, 0, 0, "", "debug|info|warning|error|off", "the least a line must be to be written",
     get_level, set_level, "log-level"},
    {"log.format", Choice, 0, 0, "", "auto|text|json", "auto: text on a terminal, else JSON lines",
     get_format, set_format, "log-format"},
    {"log.file", Text, 0, kTexts, "", "", "where lines go; empty: stderr", MR_OPTION_FIELD(log.file)},
    {"log.file_bytes_max", Bytes, 64 * KiB, 16 * GiB, "", "", "then the file is rotated: FILE.1, FILE.2, …",
     MR_OPTION_FIELD(log.file_bytes_max)},
    {"log.files_max", Integer, 1, 1000, "files", "", "rotated files that are kept",
     MR_OPTION_FIELD(log.files_max)},
    {"log.payloads", Flag, 0, 1, "", "", "whether lines may hold causes of failures in full",
     MR_OPTION_FIELD(log.payloads)},

    {"metrics.enabled", Flag, 0, 1, "", "", "whether GET /metrics answers", MR_OPTION_FIELD(metrics.enabled)},
    {"metrics.open", Flag, 0, 1, "", "",
     "whether it answers without a signature where the home has keys, as Prometheus asks",
     MR_OPTION_FIELD(metrics.open)},
    {"metrics.machines_max", Integer, 1, 100'000, "state machines", "",
     "with series of their own; those beyond it share one called 'other'",
     MR_OPTION_FIELD(metrics.machines_max)},

    {"monitoring.engine", Flag, 0, 1, "", "",
     "whether executions and endpoints are metrics of the home: AWS/States, AWS/SageMaker",
     MR_OPTION_FIELD(monitoring.engine)},
    {"monitoring.interval", Duration, 100, 60'000, "", "",
     "between two times that these values are added to the metrics", MR_OPTION_FIELD(monitoring.interval)},
    {"monitoring.metrics_max", Integer, 1, 10'000'000, "metrics", "",
     "names with their dimensions; values of more are refused",
     MR_OPTION_FIELD(tasks.metric_store.metrics_max)},
    {"monitoring.alarms_max", Integer, 1, 1'000'000, "alarms", "", "of the home",
     MR_OPTION_FIELD(tasks.metric_store.alarms_max)},
    {"monitoring.seconds_kept", Duration, 60'000, 366 * 24 * kHour, "", "",
     "values of high-resolution metrics, by the second; then by the minute",
     MR_OPTION_FIELD(tasks.metric_store.seconds_kept)},
    {"monitoring.minutes_kept", Duration, 3 * kHour, 3660 * 24 * kHour, "", "",
     "values by the minute; then by five minutes", MR_OPTION_FIELD(tasks.metric_store.minutes_kept)},
    {"monitoring.five_minutes_kept", Duration, 3 * kHour, 3660 * 24 * kHour, "", "",
     "values by five minutes; then by the hour", MR_OPTION_FIELD(tasks.metric_store.five_minutes_kept)},
    {"monitoring.hours_kept", Duration, 3 * kHour, 3660 * 24 * kHour, "", "",
     "values by the hour; then they go", MR_OPTION_FIELD(tasks.metric_store.hours_kept)},
    {"monitoring.history_days", Integer, 1, 3650, "days", "", "what became of alarms",
     MR_OPTION_FIELD(tasks.metric_store.history_days)},
    {"monitoring.evaluation_delay", Duration, 0, 10 * 60'000, "", "",
     "behind a period's end, until its last values have come: then its alarms are evaluated",
     MR_OPTION_FIELD(tasks.metric_store.evaluation_delay)},
    {"monitoring.cache_bytes_max", Bytes, 1 * MiB, 16 * GiB, "", "",
     "of memory for values that were written last", MR_OPTION_FIELD(tasks.metric_store.cache_bytes_max)},

    {"events.clients_max", Integer, 0, 100'000, "streams", "", "of /v1/events at a time; beyond it: 503",
     MR_OPTION_FIELD(events.clients_max)},
    {"events.heartbeat", Duration, 100, 1 * kHour, "", "",
     "a comment is sent when nothing else was for that time", MR_OPTION_FIELD(events.heartbeat)},
    {"events.unsent_bytes_max", Bytes, 4 * KiB, 256 * MiB, "", "",
     "that one client has not read; then sending rests until it does",
     MR_OPTION_FIELD(events.unsent_bytes_max)},
    {"events.recent_max", Integer, 100, 10'000'000, "status changes", "",
     "kept for clients that come back or are slow; one that falls behind them is dropped",
     MR_OPTION_FIELD(events.recent_max)},

    {"logs.enabled", Flag, 0, 1, "", "", "whether HOME/logs.db is kept and the CloudWatch Logs API answers",
     MR_OPTION_FIELD(logs.enabled)},
    {"logs.queue_bytes_max", Bytes, 64 * KiB, 4 * GiB, "", "",
     "log events that wait to be written; what comes beyond it is dropped and counted",
     MR_OPTION_FIELD(logs.queue_bytes_max)},
    {"logs.event_bytes_max", Bytes, 1 * KiB, 16 * MiB, "", "", "one log event",
     MR_OPTION_FIELD(logs.event_bytes_max)},
    {"logs.function_days", Integer, 0, 36'500, "days", "",
     "retention of log groups that functions make by themselves; 0: for ever",
     MR_OPTION_FIELD(logs.function_days)},

    {"objects.watch", Flag, 0, 1, "", "",
     "whether files that others put into buckets are noticed and make events; without it they are found by "
     "whoever asks",
     MR_OPTION_FIELD(objects.watch)},
    {"objects.settle", Duration, 0, 1 * kHour, "", "",
     "a file that was written in place is whole when it is unchanged for that time",
     MR_OPTION_FIELD(objects.settle)},
    {"objects.scan_interval", Duration, 1 * kSecond, 24 * kHour, "", "",
     "between two scans for files that were not noticed", MR_OPTION_FIELD(objects.scan_interval)},
    {"objects.threads", Integer, 1, 256, "threads", "", "that read and write objects for requests",
     MR_OPTION_FIELD(objects.threads)},
    {"objects.waiting_max", Integer, 1, 10'000'000, "pieces of work", "", "for them; beyond it: 503 SlowDown",
     MR_OPTION_FIELD(objects.waiting_max)},
    {"objects.upload_days", Integer, 1, 3650, "days", "",
     "then a multipart upload that nobody completed is removed", MR_OPTION_FIELD(objects.upload_days)},
};

}  // namespace

std::span<const Option> options() {
  return kOptions;
}

}  // namespace millrace::service
