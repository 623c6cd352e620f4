// Endpoint configurations and endpoints; see models.h.

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "base/time.h"
#include "tasks/arguments.h"
#include "tasks/deployment/async_invocations.h"
#include "tasks/deployment/data_capture.h"
#include "tasks/deployment/deployments.h"
#include "tasks/deployment/endpoint_host.h"
#include "tasks/deployment/models.h"
#include "tasks/jobs/entities.h"
#include "tasks/jobs/tags.h"

namespace millrace::tasks {
namespace {

constexpr const char *kProduction = "ProductionVariants", *kShadows = "ShadowProductionVariants";

constexpr const char* kUpdateKey = "UpdateKey";  // of the attempt that asked for the last update

struct Named {
  std::string name;
  Json fields;
};

// What a variant says of its workers (of programs) and of requests at a time (serverless).
Result<Json> variant_limits(const Arguments& variant) {
  Json limits = Json::object();
  MR_TRY(instances, variant.integer_or("InitialInstanceCount", 1));
  if (instances < 0) return variant.wrong("InitialInstanceCount", "must not be negative");
  std::int64_t min = std::max<std::int64_t>(1, instances), max = min;
  MR_TRY(scaling, variant.object_or_empty("ManagedInstanceScaling"));
  MR_TRY(status, scaling.text_or("Status", "DISABLED"));
  MR_DO(scaling.one_of("Status", status, "ENABLED|DISABLED"));
  if (status == "ENABLED") {
    MR_TRY(least, scaling.integer_or("MinInstanceCount", min));
    MR_TRY(most, scaling.integer_or("MaxInstanceCount", std::max(least, max)));
    if (least < 0 || most < std::max<std::int64_t>(1, least))
      return scaling.wrong("MaxInstanceCount", "must be at least MinInstanceCount, and 1");
    min = least, max = most;
  }
  if (variant.has("ServerlessConfig")) {
    if (status == "ENABLED")
      return variant.wrong("ServerlessConfig", "does not go with ManagedInstanceScaling");
    MR_TRY(serverless, variant.object("ServerlessConfig"));
    MR_TRY(concurrency, serverless.integer_or("MaxConcurrency", 0));
    MR_TRY(memory, serverless.integer_or("MemorySizeInMB", 0));
    MR_TRY(provisioned, serverless.integer_or("ProvisionedConcurrency", 0));
    if (concurrency < 1 || concurrency > 200)
      return serverless.wrong("MaxConcurrency", "must be from 1 to 200");
    if (memory < 1024 || memory > 6144 || memory % 1024 != 0)
      return serverless.wrong("MemorySizeInMB", "must be 1024, 2048, 3072, 4096, 5120 or 6144");
    if (provisioned < 0 || provisioned > concurrency)
      return serverless.wrong("ProvisionedConcurrency", "must be from 0 to MaxConcurrency");
    min = provisioned, max = concurrency;
    limits["Concurrency"] = concurrency;
    limits["Lazy"] = provisioned == 0;
  }
  MR_TRY(startup, variant.integer_or("ContainerStartupHealthCheckTimeoutInSeconds", 60));
  if (startup < 1 || startup > 3600)
    return variant.wrong("ContainerStartupHealthCheckTimeoutInSeconds", "must be from 1 to 3600");
  limits["WorkersMin"] = min;
  limits["WorkersMax"] = max;
  limits["StartupMs"] = startup * 1000;
  return limits;
}

// The variants of one list, checked, with their names and weights in `fields`; the sum of the weights.
Result<double> checked_variants(const Arguments& arguments, const char* list, const Jobs& jobs,
                                std::set<std::string>& names, Json& fields) {
  MR_TRY(variants, arguments.list(list));
  double weight_sum = 0;
  for (std::size_t i = 0; i < variants.size(); ++i) {
    MR_TRY(variant_name, variants[i].text_or("VariantName", names.empty() ? "AllTraffic" : ""));
    if (variant_name.empty())
      return variants[i].wrong("VariantName", "is required when there is more than one variant");
    MR_DO(check_name("VariantName", variant_name));
    if (!names.insert(variant_name).second)
      return variants[i].wrong("VariantName", "\"" + variant_name + "\" is used twice");
    MR_TRY(model, variants[i].text("ModelName"));
    MR_DO(jobs.find(kModel.kind, model));
    MR_TRY(weight, variants[i].real_or("InitialVariantWeight", 1));
    if (!(weight >= 0)) return variants[i].wrong("InitialVariantWeight", "must not be negative");
    MR_DO(variant_limits(variants[i]));
    weight_sum += weight;
    fields[list][i]["VariantName"] = variant_name;
    fields[list][i]["InitialVariantWeight"] = weight;
  }
  return weight_sum;
}

Result<Named> checked_config(TaskCall& call) {
  const Arguments arguments(call.arguments);
  MR_TRY(name, arguments.text("EndpointConfigName"));
  MR_DO(check_name("EndpointConfigName", name));
  MR_DO(check_tags(call.arguments));
  Json fields = arguments.json();
  std::set<std::string> names;
  const Jobs& jobs = call.context.jobs();
  MR_TRY(weight_sum, checked_variants(arguments, kProduction, jobs, names, fields));
  if (names.empty()) return invalid("ProductionVariants needs at least one variant");
  if (weight_sum <= 0)
    return invalid("ProductionVariants: at least one InitialVariantWeight must be above 0");
  MR_TRY(shadow_sum, checked_variants(arguments, kShadows, jobs, names, fields));
  static_cast<void>(shadow_sum);
  MR_DO(CaptureConfig::read(call.arguments.value("DataCaptureConfig", Json())));
  MR_DO(check_async_config(call.arguments.value("AsyncInferenceConfig", Json())));
  return Named{name, std::move(fields)};
}

// The variants of a list of the configuration as an endpoint shows them, with notes of what serves them.
Result<Json> shown_variants(const Json& list, TaskCall& call, Json& notes) {
  Json variants = Json::array();
  for (const Json& variant : list) {
    const std::string name = variant.at("VariantName").get<std::string>();
    MR_TRY(containers, model_containers(call.context.jobs(), variant.at("ModelName").get<std::string>()));
    MR_TRY(limits, variant_limits(Arguments(variant)));
    notes["Artifacts"][name] = containers;
    notes["Limits"][name] = limits;
    const double weight = variant.at("InitialVariantWeight").get<double>();
    variants.push_back({{"VariantName", variant.at("VariantName")},
                        {"ModelName", variant.at("ModelName")},
                        {"CurrentWeight", weight},
                        {"DesiredWeight", weight},
                        {"CurrentInstanceCount", 1},
                        {"DesiredInstanceCount", 1}});
    if (variant.contains("ServerlessConfig"))
      for (const char* shown : {"CurrentServerlessConfig", "DesiredServerlessConfig"})
        variants.back()[shown] = variant["ServerlessConfig"];
    if (variant.contains("ManagedInstanceScaling"))
      variants.back()["ManagedInstanceScaling"] = variant["ManagedInstanceScaling"];
  }
  return variants;
}

// The number of instances that a configuration asks for: what sizes in instances are a part of.
std::int64_t instances_of(const Json& config) {
  std::int64_t instances = 0;
  for (const Json& variant : config.value(kProduction, Json::array())) {
    const auto count = variant.find("InitialInstanceCount");
    instances += count != variant.end() && count->is_number_integer() ? count->get<std::int64_t>() : 1;
  }
  return instances;
}

// What an endpoint says of itself, from the configuration.
Result<Json> endpoint_fields(const std::string& config_name, TaskCall& call) {
  MR_TRY(config, call.context.jobs().find(kEndpointConfig.kind, config_name));
  Json notes = {{"Artifacts", Json::object()}, {"Limits", Json::object()}};
  MR_TRY(variants, shown_variants(config.at(kProduction), call, notes));
  MR_TRY(shadows, shown_variants(config.value(kShadows, Json::array()), call, notes));
  const Json capture = config.value("DataCaptureConfig", Json());
  Json fields = {{"EndpointConfigName", config_name},
                 {kProduction, variants},
                 {"EndpointStatus", "InService"},
                 {kNotes, std::move(notes)}};
  fields[kNotes]["DataCaptureConfig"] = capture;
  fields[kNotes]["Instances"] = instances_of(config);
  if (!shadows.empty()) fields[kShadows] = shadows;
  if (config.contains("AsyncInferenceConfig"))
    fields["AsyncInferenceConfig"] = config["AsyncInferenceConfig"];
  if (capture.is_object()) {
    const bool enabled = capture.value("EnableCapture", false);
    fields["DataCaptureConfig"] = {
        {"EnableCapture", enabled},
        {"CaptureStatus", enabled ? "Started" : "Stopped"},
        {"CurrentSamplingPercentage", capture.value("InitialSamplingPercentage", 100)},
        {"DestinationS3Uri", text_in(capture, "DestinationS3Uri")}};
  }
  return fields;
}

// Variants that were there before keep their weights.
void retain_weights(const Json& before, Json& variants) {
  for (Json& variant : variants)
    for (const Json& old : before)
      if (old.at("VariantName") == variant.at("VariantName"))
        for (const char* weight : {"CurrentWeight", "DesiredWeight"}) variant[weight] = old.at(weight);
}

Result<Named> checked_endpoint(TaskCall& call) {
  const Arguments arguments(call.arguments);
  MR_TRY(name, arguments.text("EndpointName"));
  MR_DO(check_name("EndpointName", name));
  MR_DO(check_tags(call.arguments));
  MR_TRY(config, arguments.text("EndpointConfigName"));
  MR_TRY(fields, endpoint_fields(config, call));
  // Models are loaded and programs answer /ping before anything is said: an endpoint that is InService can
  // answer, and goes on when a model's record is deleted or its package rejected later.
  name_fleet(fields, call.context.clock().now());
  if (!call.endpoints) return fail(ErrorCode::Internal, "there is no host of endpoints here");
  MR_DO(call.endpoints->prepare(name, fields));
  return Named{name, std::move(fields)};
}

// What UpdateEndpoint says besides the configuration.
struct EndpointUpdate {
  bool retain_weights = false;
  std::optional<Json> deployment_config;  // of this request, or the last one's
};

// Alarms that can't be watched are refused: a deployment must not seem safer than it is.
Status check_alarms(const RolloutPlan& plan, TaskCall& call) {
  for (const std::string& alarm : plan.alarms)
    if (!call.endpoints || call.endpoints->alarm_state(alarm).empty())
      return invalid("DeploymentConfig.AutoRollbackConfiguration: there is no alarm \"" + alarm + "\"",
                     "make it first, or use a guard such as \"millrace:error-rate > 0.05\"");
  return {};
}

Result<EndpointUpdate> checked_update(TaskCall& call, const Json& fields) {
  const Arguments arguments(call.arguments);
  EndpointUpdate update;
  MR_TRY(retain, arguments.boolean_or("RetainAllVariantProperties", false));
  update.retain_weights = retain;
  MR_TRY(retain_config, arguments.boolean_or("RetainDeploymentConfig", false));
  if (arguments.has("DeploymentConfig")) {
    if (retain_config) return invalid("DeploymentConfig and RetainDeploymentConfig exclude each other");
    update.deployment_config = call.arguments["DeploymentConfig"];
  } else if (retain_config) {
    MR_TRY(name, arguments.text("EndpointName"));
    MR_TRY(record, call.context.jobs().find(kEndpoint.kind, name));
    if (!record.contains("LastDeploymentConfig"))
      return invalid("RetainDeploymentConfig: endpoint \"" + name +
                     "\" was never updated with a DeploymentConfig");
    update.deployment_config = record["LastDeploymentConfig"];
  }
  if (!update.deployment_config) return update;
  MR_TRY(plan, RolloutPlan::read(*update.deployment_config, fields.at(kNotes).at("Instances")));
  MR_DO(check_alarms(plan, call));
  return update;
}

// As SageMaker says it.
Status not_in_progress(const Json& record) {
  const std::string status = text_in(record, "EndpointStatus");
  if (status != "Updating" && status != "RollingBack") return {};
  return invalid("Cannot update in-progress endpoint \"" + text_in(record, "EndpointArn") + "\".");
}

// All traffic at once, or the beginning of a deployment that goes on by itself.
Status begin_update(Json& r, const Named& endpoint, const EndpointUpdate& update, TaskCall& call,
                    Instant now) {
  Deployment deployment;
  deployment.id = fleet_of(endpoint.fields);
  deployment.config = update.deployment_config.value_or(Json());
  deployment.next = endpoint.fields;
  if (update.retain_weights) retain_weights(r[kProduction], deployment.next[kProduction]);
  if (update.deployment_config) {
    deployment.instances = endpoint.fields.at(kNotes).at("Instances").get<std::int64_t>();
    MR_TRY(plan, RolloutPlan::read(deployment.config, deployment.instances));
    deployment.plan = std::move(plan);
  }
  r.erase("FailureReason");
  r[kNotes][kUpdateKey] = call.key;
  if (deployment.plan.at_once()) {
    const Json last = r.value("LastDeploymentConfig", Json());
    deployment.complete(r, now);
    r[kNotes].erase("DeploymentEnded");
    if (!update.deployment_config) r["LastDeploymentConfig"] = last;
    if (r["LastDeploymentConfig"].is_null()) r.erase("LastDeploymentConfig");
    return {};
  }
  deployment.key = call.key;
  deployment.begun_ms = to_millis(now);
  deployment.state = begin_rollout(deployment.plan, now);
  deployment.write(r, now);
  r["LastModifiedTime"] = to_millis(now);
  return {};
}

Result<Json> reweighted(TaskCall& call) {
  const Arguments arguments(call.arguments);
  MR_TRY(name, arguments.text("EndpointName"));
  MR_TRY(wishes, arguments.list("DesiredWeightsAndCapacities"));
  if (wishes.empty()) return invalid("DesiredWeightsAndCapacities needs at least one variant");
  return call.context.jobs().modify(kEndpoint.kind, name, [&](Json& record) -> Status {
    MR_DO(not_in_progress(record));
    double weight_sum = 0;
    for (const Arguments& wish : wishes) {
      MR_TRY(variant_name, wish.text("VariantName"));
      MR_TRY(weight, wish.real_or("DesiredWeight", -1));
      bool found = false;
      for (Json& variant : record["ProductionVariants"]) {
        if (variant["VariantName"] != variant_name) continue;
        found = true;
        if (weight >= 0) variant["CurrentWeight"] = variant["DesiredWeight"] = weight;
      }
      if (!found)
        return wish.wrong("VariantName", "endpoint \"" + name + "\" has no variant \"" + variant_name + "\"");
    }
    for (const Json& variant : record["ProductionVariants"])
      weight_sum += variant["CurrentWeight"].get<double>();
    if (weight_sum <= 0)
      return invalid("at least one variant of endpoint \"" + name + "\" must keep a weight above 0");
    record["LastModifiedTime"] = to_millis(call.context.clock().now());
    return {};
  });
}

}  // namespace

Outcome create_endpoint_config(TaskCall& call) {
  auto config = checked_config(call);
  if (!config) return sagemaker_failure(config.error());
  return create_entity(kEndpointConfig, config->name, std::move(config->fields), call);
}

Outcome create_endpoint(TaskCall& call) {
  auto endpoint = checked_endpoint(call);
  if (!endpoint) return sagemaker_failure(endpoint.error());
  return create_entity(kEndpoint, endpoint->name, std::move(endpoint->fields), call);
}

Outcome update_endpoint(TaskCall& call) {
  const auto endpoint = checked_endpoint(call);
  if (!endpoint) return sagemaker_failure(endpoint.error());
  const auto update = checked_update(call, endpoint->fields);
  if (!update) return sagemaker_failure(update.error());
  const Instant now = call.context.clock().now();
  const auto record = call.context.jobs().modify(kEndpoint.kind, endpoint->name, [&](Json& r) -> Status {
    if (!call.key.empty() && text_in(r[kNotes], kUpdateKey) == call.key) return {};  // dispatched again
    MR_DO(not_in_progress(r));
    return begin_update(r, *endpoint, *update, call, now);
  });
  if (!record) return sagemaker_failure(record.error());
  return arn_answer(kEndpoint, endpoint->name);
}

Outcome update_endpoint_weights_and_capacities(TaskCall& call) {
  const auto record = reweighted(call);
  if (!record) return sagemaker_failure(record.error());
  return to_payload(Json{{"EndpointArn", (*record)["EndpointArn"]}});
}

}  // namespace millrace::tasks
