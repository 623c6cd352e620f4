// Endpoint configurations and endpoints; see models.h.

#include <nlohmann/json.hpp>
#include <set>

#include "base/time.h"
#include "tasks/arguments.h"
#include "tasks/deployment/data_capture.h"
#include "tasks/deployment/models.h"
#include "tasks/deployment/serving.h"
#include "tasks/jobs/entities.h"
#include "tasks/jobs/tags.h"

namespace millrace::tasks {
namespace {

constexpr const char *kProduction = "ProductionVariants", *kShadows = "ShadowProductionVariants";

struct Named {
  std::string name;
  Json fields;
};

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
  return Named{name, std::move(fields)};
}

// The variants of a list of the configuration as an endpoint shows them. Their models are resolved and loaded
// here: an endpoint that is InService can answer, and goes on when a model's record is deleted or its package
// rejected later.
Result<Json> shown_variants(const Json& list, TaskCall& call, Json& artifacts) {
  Json variants = Json::array();
  for (const Json& variant : list) {
    MR_TRY(uris, model_uris(call.context.jobs(), variant.at("ModelName").get<std::string>()));
    MR_DO(load_chain(call.context.objects(), uris));
    artifacts[variant.at("VariantName").get<std::string>()] = uris;
    const double weight = variant.at("InitialVariantWeight").get<double>();
    variants.push_back({{"VariantName", variant.at("VariantName")},
                        {"ModelName", variant.at("ModelName")},
                        {"CurrentWeight", weight},
                        {"DesiredWeight", weight},
                        {"CurrentInstanceCount", 1},
                        {"DesiredInstanceCount", 1}});
  }
  return variants;
}

// What an endpoint says of itself, from the configuration.
Result<Json> endpoint_fields(const std::string& config_name, TaskCall& call) {
  MR_TRY(config, call.context.jobs().find(kEndpointConfig.kind, config_name));
  Json artifacts = Json::object();
  MR_TRY(variants, shown_variants(config.at(kProduction), call, artifacts));
  MR_TRY(shadows, shown_variants(config.value(kShadows, Json::array()), call, artifacts));
  const Json capture = config.value("DataCaptureConfig", Json());
  Json fields = {{"EndpointConfigName", config_name},
                 {kProduction, variants},
                 {"EndpointStatus", "InService"},
                 {kNotes, {{"Artifacts", artifacts}, {"DataCaptureConfig", capture}}}};
  if (!shadows.empty()) fields[kShadows] = shadows;
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
  return Named{name, std::move(fields)};
}

Result<Json> reweighted(TaskCall& call) {
  const Arguments arguments(call.arguments);
  MR_TRY(name, arguments.text("EndpointName"));
  MR_TRY(wishes, arguments.list("DesiredWeightsAndCapacities"));
  if (wishes.empty()) return invalid("DesiredWeightsAndCapacities needs at least one variant");
  return call.context.jobs().modify(kEndpoint.kind, name, [&](Json& record) -> Status {
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
  const auto retain = Arguments(call.arguments).boolean_or("RetainAllVariantProperties", false);
  if (!retain) return sagemaker_failure(retain.error());
  const auto record = call.context.jobs().modify(kEndpoint.kind, endpoint->name, [&](Json& r) -> Status {
    const Json before = r[kProduction];
    r.erase(kShadows);  // of the configuration before
    r.erase("DataCaptureConfig");
    for (const auto& [key, value] : endpoint->fields.items()) {
      if (key == kNotes)
        r[kNotes].update(value);
      else
        r[key] = value;
    }
    if (*retain) retain_weights(before, r[kProduction]);
    if (call.arguments.contains("DeploymentConfig"))
      r["LastDeploymentConfig"] = call.arguments["DeploymentConfig"];
    r["LastModifiedTime"] = to_millis(call.context.clock().now());
    return {};
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
