#include "tasks/explain/clarify.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "tasks/bias/run_bias.h"
#include "tasks/explain/run_explain.h"
#include "tasks/processing/channels.h"

namespace millrace::tasks {
namespace {

// Whether `methods` asks for one of these.
bool asks_for(const ProcessingInputs& inputs, std::initializer_list<std::string_view> names) {
  const auto methods = inputs.settings.find("methods");
  if (methods == inputs.settings.end() || !methods->is_object()) return false;
  return std::any_of(names.begin(), names.end(),
                     [&](std::string_view name) { return methods->contains(name); });
}
bool asks_for_bias(const ProcessingInputs& inputs) {
  return asks_for(inputs, {"pre_training_bias", "post_training_bias"});
}
bool asks_for_explanations(const ProcessingInputs& inputs) {
  return asks_for(inputs, {"shap", "pdp", "permutation"});
}

}  // namespace

Status check_clarify(const ProcessingInputs& inputs) {
  const bool bias = asks_for_bias(inputs), explanations = asks_for_explanations(inputs);
  if (!bias && !explanations)
    return invalid("methods: none of pre_training_bias, post_training_bias, shap and pdp is asked for",
                   "analysis_config.json of SageMaker Clarify is an input named \"analysis_config\"");
  if (bias) MR_DO(check_bias(inputs));
  if (explanations) MR_DO(check_explain(inputs));
  return {};
}

Result<Json> run_clarify(const ProcessingInputs& inputs, TaskContext& context) {
  MR_DO(check_clarify(inputs));
  const bool both = asks_for_bias(inputs) && asks_for_explanations(inputs);
  if (!both) return asks_for_bias(inputs) ? run_bias(inputs, context) : run_explain(inputs, context);
  const ObjectStore& objects = context.objects();
  const std::string &uri = inputs.outputs[0].uri, file = join_uri(uri, "analysis.json");
  MR_DO(run_bias(inputs, context));
  MR_TRY(biased, objects.read(file));
  MR_TRY(page, objects.read(join_uri(uri, "report.html")));
  MR_DO(objects.write(join_uri(uri, "bias_report.html"), page));
  MR_DO(run_explain(inputs, context));
  MR_TRY(text, objects.read(file));
  Json whole = Json::parse(biased, nullptr, false);
  const Json more = Json::parse(text, nullptr, false);
  if (!whole.is_object() || !more.is_object()) return fail(ErrorCode::DataLoss, file + " can't be read");
  whole.update(more);
  MR_DO(objects.write(file, whole.dump(2) + "\n"));
  if (whole["explanations"].contains("pdp")) whole["explanations"].erase("pdp");  // long, and in the file
  return bounded_summary(std::move(whole), file);
}

}  // namespace millrace::tasks
