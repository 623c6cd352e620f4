#include "tasks/monitoring/monitoring_plan.h"

#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>

#include "base/encoding.h"
#include "tasks/arguments.h"
#include "tasks/artifacts/object_store.h"
#include "tasks/monitoring/executions.h"
#include "tasks/processing/processors.h"

namespace millrace::tasks {
namespace {

constexpr std::string_view kAnalyzerImage = "sagemaker-model-monitor-analyzer";
constexpr std::int64_t kDurationDaysMax = 3660;

// The parts of a definition, whatever their members are called.
struct DefinitionParts {
  Arguments baseline, input, app, output, environment, stopping;
};

// The built-in analysis runs under these names; nothing else would be run under any other.
Status check_image(const Arguments& app) {
  MR_TRY(image, app.text_or("ImageUri", kAnalyzerImage));
  std::string_view name = std::string_view(image).substr(image.rfind('/') + 1);
  name = name.substr(0, name.find(':'));
  if (name != kAnalyzerImage && name != "sagemaker-clarify-processing" && name != "monitor")
    return app.wrong("ImageUri", "\"" + image + "\" is not built in",
                     "monitors run sagemaker-model-monitor-analyzer or sagemaker-clarify-processing; for a "
                     "program of your own schedule a workflow");
  for (const char* program : {"RecordPreprocessorSourceUri", "PostAnalyticsProcessorSourceUri"})
    if (app.has(program))
      return app.wrong(program, "programs beside the analysis are not run here",
                       "leave it out; a rule on the execution's event starts what is to follow");
  return {};
}

// Where the job of that name wrote its baseline.
Result<std::string> baseline_of_job(const Jobs& jobs, const std::string& name) {
  MR_TRY(record, jobs.find(kProcessingJob.kind, name));
  const Json outputs = record.value("ProcessingOutputConfig", Json::object()).value("Outputs", Json::array());
  const std::string uri = outputs.empty() ? "" : text_at(outputs[0], {"S3Output", "S3Uri"});
  if (uri.empty()) return invalid("BaseliningJobName: the job \"" + name + "\" has no output");
  return uri;
}

Status read_baseline_config(const Arguments& in, const Jobs& jobs, MonitoringPlan& plan) {
  const auto resource = [&](const char* member, std::string& uri) -> Status {
    MR_TRY(place, in.object_or_empty(member));
    MR_TRY(text, place.text_or("S3Uri", ""));
    if (!text.empty()) MR_DO(parse_s3_uri(text));
    uri = std::move(text);
    return {};
  };
  MR_DO(resource("ConstraintsResource", plan.constraints));
  MR_DO(resource("StatisticsResource", plan.statistics));
  MR_TRY(job, in.text_or("BaseliningJobName", ""));
  if (job.empty() || (!plan.constraints.empty() && !plan.statistics.empty())) return {};
  MR_TRY(uri, baseline_of_job(jobs, job));
  if (plan.constraints.empty()) plan.constraints = uri;
  if (plan.statistics.empty()) plan.statistics = uri;
  return {};
}

Status read_input(const Arguments& in, MonitoringPlan& plan) {
  const bool batch = in.has("BatchTransformInput");
  MR_TRY(source, in.object(batch ? "BatchTransformInput" : "EndpointInput"));
  if (batch) {
    MR_TRY(uri, source.text("DataCapturedDestinationS3Uri"));
    MR_DO(parse_s3_uri(uri));
    plan.captured = std::move(uri);
  } else {
    MR_TRY(endpoint, source.text("EndpointName"));
    plan.endpoint = std::move(endpoint);
  }
  MR_TRY(from, source.text_or("StartTimeOffset", ""));
  MR_TRY(until, source.text_or("EndTimeOffset", ""));
  for (const auto& [name, text] : {std::pair("StartTimeOffset", from), std::pair("EndTimeOffset", until)})
    if (const auto parsed = text.empty() ? Result<Millis>(Millis(0)) : parse_iso_duration(text); !parsed)
      return source.wrong(name, parsed.error().message, parsed.error().hint);
  plan.start_offset = std::move(from), plan.end_offset = std::move(until);
  const std::pair<const char*, const char*> kAttributes[] = {
      {"InferenceAttribute", "inference_attribute"},
      {"ProbabilityAttribute", "probability_attribute"},
      {"ProbabilityThresholdAttribute", "probability_threshold_attribute"}};
  for (const auto& [member, setting] : kAttributes)
    if (source.has(member)) plan.settings[setting] = source.json()[member];
  MR_TRY(excluded, source.text_or("ExcludeFeaturesAttribute", ""));
  for (std::size_t at = 0; at < excluded.size();) {
    const std::size_t end = std::min(excluded.find(',', at), excluded.size());
    std::string name = excluded.substr(at, end - at);
    name.erase(0, name.find_first_not_of(' '));
    name.erase(name.find_last_not_of(' ') + 1);
    if (!name.empty()) plan.settings["exclude_features"].push_back(name);
    at = end + 1;
  }
  MR_TRY(truth, in.object_or_empty("GroundTruthS3Input"));
  MR_TRY(uri, truth.text_or("S3Uri", ""));
  if (!uri.empty()) MR_DO(parse_s3_uri(uri));
  plan.ground_truth = std::move(uri);
  return {};
}

Status read_output(const Arguments& in, MonitoringPlan& plan) {
  MR_TRY(outputs, in.list("MonitoringOutputs"));
  if (outputs.size() != 1) return in.wrong("MonitoringOutputs", "needs one output");
  MR_TRY(place, outputs[0].object("S3Output"));
  MR_TRY(uri, place.text("S3Uri"));
  MR_DO(parse_s3_uri(uri));
  plan.output = std::move(uri);
  return {};
}

Status read_app(const Arguments& in, const Arguments& environment, MonitoringPlan& plan) {
  MR_DO(check_image(in));
  MR_TRY(config, in.text_or("ConfigUri", ""));
  if (!config.empty()) MR_DO(parse_s3_uri(config));
  plan.config = std::move(config);
  MR_TRY(problem, in.text_or("ProblemType", ""));
  if (!problem.empty()) plan.settings["problem_type"] = problem;
  const std::string own = text_at(environment.json(), {"SETTINGS"});
  if (own.empty()) return {};
  const Json settings = Json::parse(own, nullptr, false);
  if (!settings.is_object()) return environment.wrong("SETTINGS", "expected the text of a JSON object");
  plan.settings.update(settings);
  return {};
}

// What an analysis can't do without.
Status check_whole(const MonitoringPlan& plan) {
  const std::string_view type = plan.type->name;
  const bool bias = type == "ModelBias", quality = type == "ModelQuality";
  if ((bias || quality) && plan.ground_truth.empty())
    return invalid("GroundTruthS3Input.S3Uri is required for " + std::string(type));
  if (quality && !plan.settings.contains("problem_type"))
    return invalid("ProblemType is required for ModelQuality",
                   "BinaryClassification, MulticlassClassification or Regression");
  if ((bias || type == "ModelExplainability") && plan.config.empty())
    return invalid("ConfigUri is required for " + std::string(type), "analysis_config.json of Clarify");
  return {};
}

Result<MonitoringPlan> plan_of(const MonitoringType& type, const DefinitionParts& parts, const Jobs& jobs) {
  MonitoringPlan plan;
  plan.type = &type;
  MR_DO(read_input(parts.input, plan));
  MR_DO(read_app(parts.app, parts.environment, plan));
  MR_DO(read_baseline_config(parts.baseline, jobs, plan));
  MR_DO(read_output(parts.output, plan));
  MR_TRY(seconds, parts.stopping.integer_or("MaxRuntimeInSeconds", 0));
  if (seconds < 0) return parts.stopping.wrong("MaxRuntimeInSeconds", "must be at least 1");
  plan.runtime_max_s = seconds;
  MR_DO(check_whole(plan));
  return plan;
}

Result<MonitoringPlan> read_own_definition(const MonitoringType& type, const Arguments& own,
                                           const Jobs& jobs) {
  MR_TRY(baseline, own.object_or_empty("BaselineConfig"));
  MR_TRY(inputs, own.list("MonitoringInputs"));
  if (inputs.size() != 1) return own.wrong("MonitoringInputs", "needs one input");
  MR_TRY(app, own.object("MonitoringAppSpecification"));
  MR_TRY(output, own.object("MonitoringOutputConfig"));
  MR_TRY(environment, own.object_or_empty("Environment"));
  MR_TRY(stopping, own.object_or_empty("StoppingCondition"));
  return plan_of(type, {baseline, inputs[0], app, output, environment, stopping}, jobs);
}

// Where an endpoint's requests are captured, the model that it answers with, and the variants in the shadow,
// which are shown the same requests again.
Status resolve_endpoint(const Jobs& jobs, const std::string& endpoint, std::string& captured,
                        Json& settings) {
  MR_TRY(record, jobs.find(kEndpoint.kind, endpoint));
  const std::string uri = text_at(record, {"DataCaptureConfig", "DestinationS3Uri"});
  if (uri.empty())
    return invalid("EndpointName: \"" + endpoint + "\" captures nothing",
                   "give its endpoint configuration a DataCaptureConfig");
  captured = join_uri(uri, endpoint);
  const Json variants = record.value("ProductionVariants", Json::array());
  if (!variants.empty() && !settings.contains("model_name"))
    settings["model_name"] = text_at(variants[0], {"ModelName"});
  for (const Json& shadow : record.value("ShadowProductionVariants", Json::array()))
    settings["exclude_variants"].push_back(text_at(shadow, {"VariantName"}));
  return {};
}

}  // namespace

std::span<const MonitoringType> monitoring_types() {
  static const MonitoringType kTypes[] = {
      {"DataQuality", "DATA_QUALITY", kDataQualityJobDefinition},
      {"ModelQuality", "MODEL_QUALITY", kModelQualityJobDefinition},
      {"ModelBias", "MODEL_BIAS", kModelBiasJobDefinition},
      {"ModelExplainability", "MODEL_EXPLAINABILITY", kModelExplainabilityJobDefinition}};
  return kTypes;
}

const MonitoringType* find_monitoring_type(std::string_view name) {
  for (const MonitoringType& type : monitoring_types())
    if (type.name == name) return &type;
  return nullptr;
}

Result<MonitoringPlan> read_job_definition(const MonitoringType& type, const Json& definition,
                                           const Jobs& jobs) {
  const Arguments in(definition);
  const std::string prefix(type.name);
  MR_TRY(baseline, in.object_or_empty(prefix + "BaselineConfig"));
  MR_TRY(app, in.object(prefix + "AppSpecification"));
  MR_TRY(input, in.object(prefix + "JobInput"));
  MR_TRY(output, in.object(prefix + "JobOutputConfig"));
  MR_TRY(environment, app.object_or_empty("Environment"));
  MR_TRY(stopping, in.object_or_empty("StoppingCondition"));
  return plan_of(type, {baseline, input, app, output, environment, stopping}, jobs);
}

Result<MonitoringPlan> read_monitoring_plan(const Json& schedule_config, const Jobs& jobs) {
  const Arguments in(schedule_config, "MonitoringScheduleConfig");
  MR_TRY(definition, in.text_or("MonitoringJobDefinitionName", ""));
  MR_TRY(type_name, in.text_or("MonitoringType", "DataQuality"));
  MR_DO(in.one_of("MonitoringType", type_name, "DataQuality|ModelQuality|ModelBias|ModelExplainability"));
  const MonitoringType& type = *find_monitoring_type(type_name);
  if (definition.empty() == !in.has("MonitoringJobDefinition"))
    return in.wrong("MonitoringJobDefinition", "or MonitoringJobDefinitionName: one of them is needed");
  MR_TRY(schedule, in.object_or_empty("ScheduleConfig"));
  MR_TRY(from, schedule.text_or("DataAnalysisStartTime", ""));
  MR_TRY(until, schedule.text_or("DataAnalysisEndTime", ""));
  Json record;
  if (!definition.empty()) {
    MR_TRY(found, jobs.find(type.definition.kind, definition));
    record = std::move(found);
  }
  MR_TRY(own, in.object_or_empty("MonitoringJobDefinition"));
  MR_TRY(plan,
         definition.empty() ? read_own_definition(type, own, jobs) : read_job_definition(type, record, jobs));
  plan.definition = definition;
  for (const auto& [name, text] :
       {std::pair("DataAnalysisStartTime", from), std::pair("DataAnalysisEndTime", until)})
    if (const auto parsed = text.empty() ? Result<Millis>(Millis(0)) : parse_iso_duration(text); !parsed)
      return schedule.wrong(name, parsed.error().message, parsed.error().hint);
  if (plan.start_offset.empty()) plan.start_offset = from;
  if (plan.end_offset.empty()) plan.end_offset = until;
  return plan;
}

Result<Millis> parse_iso_duration(std::string_view text) {
  const auto wrong = [&] {
    return invalid("\"" + std::string(text) + "\" is no duration",
                   "ISO 8601 in weeks, days, hours, minutes and seconds: -PT1H, -P7D");
  };
  std::string_view rest = text;
  const bool negative = rest.starts_with('-');
  if (negative || rest.starts_with('+')) rest.remove_prefix(1);
  if (!rest.starts_with('P') || rest.size() < 3) return wrong();
  rest.remove_prefix(1);
  Millis sum{0};
  bool time = false, any = false;
  std::string_view order = "WD";  // what may still come
  while (!rest.empty()) {
    if (rest[0] == 'T') {
      if (time) return wrong();
      time = true, order = "HMS", any = false;
      rest.remove_prefix(1);
      continue;
    }
    std::int64_t count = 0;
    std::size_t digits = 0;
    while (digits < rest.size() && std::isdigit(static_cast<unsigned char>(rest[digits])) && digits < 9)
      count = count * 10 + (rest[digits++] - '0');
    if (digits == 0 || digits == rest.size()) return wrong();
    const char unit = rest[digits];
    const std::size_t place = order.find(unit);
    if (place == std::string_view::npos) return wrong();
    order.remove_prefix(place + 1);
    const std::int64_t seconds = unit == 'W'   ? 604'800
                                 : unit == 'D' ? 86'400
                                 : unit == 'H' ? 3'600
                                 : unit == 'M' ? 60
                                               : 1;
    sum += Millis(count * seconds * 1000);
    rest.remove_prefix(digits + 1);
    any = true;
  }
  if (!any || sum > Millis(kDurationDaysMax * 86'400'000)) return wrong();
  return negative ? -sum : sum;
}

Result<TimeSpan> span_of(const MonitoringPlan& plan, Instant due, Instant previous) {
  TimeSpan span{previous, due};
  if (!plan.start_offset.empty()) {
    MR_TRY(offset, parse_iso_duration(plan.start_offset));
    span.from = due + offset;
  }
  if (!plan.end_offset.empty()) {
    MR_TRY(offset, parse_iso_duration(plan.end_offset));
    span.until = due + offset;
  }
  // Captures know the second of a request, so spans are of whole ones.
  span.from = std::chrono::floor<std::chrono::seconds>(span.from);
  span.until = std::chrono::floor<std::chrono::seconds>(span.until);
  if (span.from >= span.until)
    return invalid("the analysis would be of no time: from " + format_rfc3339(span.from) + " to " +
                   format_rfc3339(span.until));
  return span;
}

std::string compact_time(Instant time) {
  std::string text = format_rfc3339(time).substr(0, 19) + "Z";
  std::erase_if(text, [](char c) { return c == '-' || c == ':'; });
  return text;
}

std::string monitoring_job_name(const MonitoringRun& run) {
  std::string time = compact_time(run.due);
  std::erase_if(time, [](char c) { return c == 'T' || c == 'Z'; });
  const std::string digest =
      digest_hex(Digest::Sha256, run.schedule + "/" + run.born + "/" + time).substr(0, 16);
  std::string name = run.schedule.substr(0, 63 - 11 - 15 - 17);
  while (name.ends_with('-')) name.pop_back();
  return "monitoring-" + name + "-" + time + "-" + digest;
}

std::string monitoring_output(const MonitoringPlan& plan, const MonitoringRun& run) {
  std::string time = format_rfc3339(run.due).substr(0, 19);  // 2026-11-21T10:05:00
  const bool on_the_hour = time.ends_with(":00:00");
  std::string hour = time.substr(0, 13);
  for (char& c : hour)
    if (c == '-' || c == 'T') c = '/';
  std::string uri = plan.output;
  if (!plan.endpoint.empty()) uri = join_uri(uri, plan.endpoint);
  uri = join_uri(join_uri(uri, run.schedule), hour);
  return on_the_hour ? uri : join_uri(uri, time.substr(14, 2) + "-" + time.substr(17, 2));
}

Result<Json> monitoring_job_request(const MonitoringPlan& plan, const MonitoringRun& run, const Jobs& jobs) {
  std::string captured = plan.captured;
  Json settings = plan.settings;
  if (!plan.endpoint.empty()) MR_DO(resolve_endpoint(jobs, plan.endpoint, captured, settings));
  settings["analysis_type"] = plan.type->analysis;
  settings["start_time"] = format_rfc3339(run.span.from);
  settings["end_time"] = format_rfc3339(run.span.until);
  settings["schedule"] = run.schedule;
  if (!plan.endpoint.empty()) settings["endpoint"] = plan.endpoint;
  Json inputs = Json::array();
  const std::pair<const char*, const std::string&> kPlaces[] = {{"captured", captured},
                                                                {"ground_truth", plan.ground_truth},
                                                                {"constraints", plan.constraints},
                                                                {"statistics", plan.statistics},
                                                                {"analysis", plan.config}};
  for (const auto& [name, uri] : kPlaces)
    if (!uri.empty()) inputs.push_back({{"InputName", name}, {"S3Input", {{"S3Uri", uri}}}});
  Json request = {{"ProcessingJobName", monitoring_job_name(run)},
                  {"AppSpecification", {{"ImageUri", kAnalyzerImage}}},
                  {"ProcessingInputs", std::move(inputs)},
                  {"ProcessingOutputConfig",
                   {{"Outputs", Json::array({{{"OutputName", "result"},
                                              {"S3Output", {{"S3Uri", monitoring_output(plan, run)}}}}})}}},
                  {"Environment",
                   {{"SETTINGS", std::string(to_payload(settings).text())},
                    {kExecutionVariable, run.schedule + "/" + compact_time(run.due)}}},
                  {"MonitoringScheduleArn", entity_arn(kMonitoringSchedule, run.schedule)}};
  if (plan.runtime_max_s > 0) request["StoppingCondition"] = {{"MaxRuntimeInSeconds", plan.runtime_max_s}};
  return request;
}

}  // namespace millrace::tasks
