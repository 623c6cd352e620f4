// Endpoint configurations and endpoints; see models.h.

#include <nlohmann/json.hpp>

#include "base/time.h"
#include "tasks/arguments.h"
#include "tasks/deployment/models.h"
#include "tasks/deployment/serving.h"
#include "tasks/jobs/entities.h"

namespace millrace::tasks {
namespace {

struct Named {
  std::string name;
  Json fields;
};

Result<Named> checked_config(TaskCall& call) {
  const Arguments arguments(call.arguments);
  MR_TRY(name, arguments.text("EndpointConfigName"));
  MR_DO(check_name("EndpointConfigName", name));
  MR_TRY(variants, arguments.list("ProductionVariants"));
  if (variants.empty()) return invalid("ProductionVariants needs at least one variant");
  Json fields = arguments.json();
  double weight_sum = 0;
  for (std::size_t i = 0; i < variants.size(); ++i) {
    MR_TRY(variant_name, variants[i].text_or("VariantName", i == 0 ? "AllTraffic" : ""));
    if (variant_name.empty())
      return variants[i].wrong("VariantName", "is required when there is more than one variant");
    for (std::size_t j = 0; j < i; ++j)
      if (fields["ProductionVariants"][j]["VariantName"] == variant_name)
        return variants[i].wrong("VariantName", "\"" + variant_name + "\" is used twice");
    MR_TRY(model, variants[i].text("ModelName"));
    MR_DO(call.context.jobs().find(kModel.kind, model));
    MR_TRY(weight, variants[i].real_or("InitialVariantWeight", 1));
    if (!(weight >= 0)) return variants[i].wrong("InitialVariantWeight", "must not be negative");
    weight_sum += weight;
    fields["ProductionVariants"][i]["VariantName"] = variant_name;
    fields["ProductionVariants"][i]["InitialVariantWeight"] = weight;
  }
  if (weight_sum <= 0)
    return invalid("ProductionVariants: at least one InitialVariantWeight must be above 0");
  return Named{name, std::move(fields)};
}

// What an endpoint says of its variants, from the configuration. Their models are resolved and loaded here:
// an endpoint that is InService can answer, and goes on when a model's record is deleted or its package
// rejected later.
Result<Json> endpoint_fields(const std::string& config_name, TaskCall& call) {
  const Jobs& jobs = call.context.jobs();
  MR_TRY(config, jobs.find(kEndpointConfig.kind, config_name));
  Json variants = Json::array(), artifacts = Json::object();
  for (const Json& variant : config.at("ProductionVariants")) {
    MR_TRY(uris, model_uris(jobs, variant.at("ModelName").get<std::string>()));
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
  return Json{{"EndpointConfigName", config_name},
              {"ProductionVariants", variants},
              {"EndpointStatus", "InService"},
              {kNotes, {{"Artifacts", artifacts}}}};
}

Result<Named> checked_endpoint(TaskCall& call) {
  const Arguments arguments(call.arguments);
  MR_TRY(name, arguments.text("EndpointName"));
  MR_DO(check_name("EndpointName", name));
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
  const auto record = call.context.jobs().modify(kEndpoint.kind, endpoint->name, [&](Json& r) -> Status {
    for (const auto& [key, value] : endpoint->fields.items()) {
      if (key == kNotes)
        r[kNotes].update(value);
      else
        r[key] = value;
    }
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
