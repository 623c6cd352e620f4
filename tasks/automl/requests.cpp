#include "tasks/automl/requests.h"

#include <nlohmann/json.hpp>

#include "tasks/artifacts/object_store.h"

namespace millrace::tasks {

Json builtin_processing(const std::string& name, const std::string& image, const Json& settings,
                        const Json& inputs, const std::string& output) {
  Json list = Json::array();
  for (const Json& input : inputs) list.push_back({{"InputName", input[0]}, {"S3Input", input[1]}});
  return {{"ProcessingJobName", name},
          {"AppSpecification", {{"ImageUri", image}}},
          {"Environment", {{"SETTINGS", settings.dump()}}},
          {"ProcessingInputs", list},
          {"ProcessingOutputConfig",
           {{"Outputs", Json::array({{{"OutputName", "rows"}, {"S3Output", {{"S3Uri", output}}}}})}}}};
}

std::string AutoMLRequests::prepared_uri() const {
  return join_uri(spec_.place(), "prepared");
}

Json AutoMLRequests::raw_inputs() const {
  Json inputs = Json::array({Json::array({"train", spec_.train_input})});
  if (!spec_.validation_input.is_null())
    inputs.push_back(Json::array({"validation", spec_.validation_input}));
  return inputs;
}

Json AutoMLRequests::split_request() const {
  if (!split_) return Json();
  const bool stratified = analysis_.problem != Problem::Regression && analysis_.without_target == 0;
  Json settings = {{"method", stratified ? "stratified" : "random"},
                   {"train", 1 - spec_.validation_fraction},
                   {"validation", spec_.validation_fraction},
                   {"seed", spec_.seed}};
  if (stratified) settings["column"] = spec_.target;
  return builtin_processing(spec_.job_name + "-split", "split", settings, raw_inputs(),
                            join_uri(spec_.place(), "raw"));
}

Json AutoMLRequests::prepare_request() const {
  Json inputs = raw_inputs();
  if (split_) {
    inputs = Json::array();
    for (const char* part : {"train", "validation"}) {
      const Json place = {{"S3Uri", join_uri(join_uri(spec_.place(), "raw"), part)}};
      inputs.push_back(Json::array({part, place}));
    }
  }
  return builtin_processing(spec_.job_name + "-prepare", "prepare", analysis_.prepare_settings(), inputs,
                            prepared_uri());
}

Json AutoMLRequests::training_request(const std::string& name,
                                      std::span<const EnsembleMember> members) const {
  Json parameters = {{"members", format_members(members)},
                     {"categorical_features", Json(analysis_.categorical()).dump()},
                     {"seed", std::to_string(spec_.seed)}};
  const Problem problem = analysis_.problem;
  parameters["predictor_type"] = problem == Problem::Binary    ? "binary_classifier"
                                 : problem == Problem::Classes ? "multiclass_classifier"
                                                               : "regressor";
  if (problem == Problem::Classes) parameters["num_classes"] = std::to_string(analysis_.classes.size());
  if (!once()) parameters["folds"] = std::to_string(kAutoMLFolds);
  Json channels = Json::array();
  for (const std::string_view channel : {"train", "validation"}) {
    if (channel == "validation" && !once()) continue;
    channels.push_back({{"ChannelName", channel},
                        {"ContentType", "text/csv"},
                        {"DataSource", {{"S3DataSource", {{"S3Uri", join_uri(prepared_uri(), channel)}}}}}});
  }
  Json request = {{"TrainingJobName", name},
                  {"AlgorithmSpecification", {{"TrainingImage", "ensemble"}}},
                  {"HyperParameters", parameters},
                  {"InputDataConfig", channels},
                  {"OutputDataConfig", {{"S3OutputPath", join_uri(spec_.place(), "models")}}}};
  if (spec_.training_seconds_max > 0)
    request["StoppingCondition"]["MaxRuntimeInSeconds"] = spec_.training_seconds_max;
  return request;
}

}  // namespace millrace::tasks
