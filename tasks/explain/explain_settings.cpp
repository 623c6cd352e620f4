#include "tasks/explain/explain_settings.h"

#include <nlohmann/json.hpp>

#include "tasks/arguments.h"
#include "tasks/explain/kernel_shap.h"
#include "tasks/processing/channels.h"

namespace millrace::tasks {
namespace {

// A whole number within bounds.
Result<std::size_t> read_count(const Arguments& from, std::string_view key, std::size_t otherwise,
                               std::int64_t low, std::int64_t high) {
  MR_TRY(value, from.integer_or(key, static_cast<std::int64_t>(otherwise)));
  if (value < low || value > high)
    return from.wrong(key, "must be between " + std::to_string(low) + " and " + std::to_string(high));
  return static_cast<std::size_t>(value);
}

Result<ShapSettings> read_shap(const Arguments& from, std::uint64_t seed) {
  MR_DO(check_setting_names(from.json(),
                            {"baseline", "num_clusters", "num_samples", "agg_method", "use_logit",
                             "save_local_shap_values", "seed", "algorithm", "max_rows"},
                            "methods.shap"));
  ShapSettings out;
  MR_TRY(algorithm, from.text_or("algorithm", "auto"));
  MR_DO(from.one_of("algorithm", algorithm, "auto|tree|kernel"));
  MR_TRY(method, from.text_or("agg_method", "mean_abs"));
  MR_DO(from.one_of("agg_method", method, "mean_abs|median|mean_sq"));
  MR_TRY(clusters, read_count(from, "num_clusters", out.clusters, 1, 1000));
  MR_TRY(samples, read_count(from, "num_samples", 0, 0, kShapSamplesMax));
  if (from.has("max_rows")) {
    MR_TRY(rows, read_count(from, "max_rows", 0, 1, 100'000'000));
    out.max_rows = rows;
  }
  MR_TRY(logit, from.boolean_or("use_logit", false));
  MR_TRY(local, from.boolean_or("save_local_shap_values", true));
  MR_TRY(own, from.integer_or("seed", static_cast<std::int64_t>(seed)));
  out.algorithm = std::move(algorithm);
  out.agg_method = std::move(method);
  if (from.has("baseline")) out.baseline = from.json()["baseline"];
  out.clusters = clusters;
  out.samples = samples;
  out.use_logit = logit;
  out.save_local = local;
  out.seed = static_cast<std::uint64_t>(own);
  return out;
}

Result<PdpSettings> read_pdp(const Arguments& from) {
  MR_DO(check_setting_names(from.json(), {"features", "grid_resolution", "top_k_features", "max_rows"},
                            "methods.pdp"));
  PdpSettings out;
  MR_TRY(features, from.texts("features"));
  MR_TRY(grid, read_count(from, "grid_resolution", out.grid, 2, 1000));
  MR_TRY(top, read_count(from, "top_k_features", out.top, 1, 1000));
  MR_TRY(rows, read_count(from, "max_rows", out.max_rows, 1, 1'000'000));
  out.features = std::move(features);
  out.grid = grid;
  out.top = top;
  out.max_rows = rows;
  return out;
}

Result<PermutationSettings> read_permutation(const Arguments& from) {
  MR_DO(check_setting_names(from.json(), {"repeats", "metric", "max_rows"}, "methods.permutation"));
  PermutationSettings out;
  MR_TRY(repeats, read_count(from, "repeats", out.repeats, 1, 1000));
  MR_TRY(rows, read_count(from, "max_rows", out.max_rows, 2, 1'000'000));
  MR_TRY(metric, from.text_or("metric", ""));
  out.repeats = repeats;
  out.max_rows = rows;
  out.metric = std::move(metric);
  return out;
}

}  // namespace

Result<ExplainSettings> read_explain_settings(const Json& settings, std::uint64_t seed) {
  MR_DO(check_setting_names(
      settings,
      {"label", "headers", "dataset_type", "label_headers", "methods", "version", "predictor", "dataset_uri",
       "probability", "facet", "label_values_or_threshold", "group_variable", "probability_threshold",
       "excluded_columns", "predicted_label", "joinsource_name_or_index"},
      "explain"));
  const Arguments arguments(settings);
  ExplainSettings out;
  MR_TRY(headers, arguments.texts("label_headers"));
  out.label_headers = std::move(headers);
  MR_TRY(methods, arguments.object_or_empty("methods"));
  const bool all = !arguments.has("methods");
  MR_DO(check_setting_names(
      methods.json(), {"shap", "pdp", "permutation", "report", "pre_training_bias", "post_training_bias"},
      "methods"));
  if (all || methods.has("shap")) {
    MR_TRY(from, methods.object_or_empty("shap"));
    MR_TRY(shap, read_shap(from, seed));
    out.shap = std::move(shap);
  }
  if (all || methods.has("pdp")) {
    MR_TRY(from, methods.object_or_empty("pdp"));
    MR_TRY(pdp, read_pdp(from));
    out.pdp = std::move(pdp);
  }
  if (all || methods.has("permutation")) {
    MR_TRY(from, methods.object_or_empty("permutation"));
    MR_TRY(permutation, read_permutation(from));
    out.permutation = std::move(permutation);
    out.permutation_asked = !all;
  }
  if (!out.shap && !out.pdp && !out.permutation)
    return arguments.wrong("methods", "none of shap, pdp and permutation is asked for");
  return out;
}

}  // namespace millrace::tasks
