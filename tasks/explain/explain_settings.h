#pragma once
// The settings of `explain`, checked: see run_explain.h.

#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace millrace::tasks {

struct ShapSettings {
  std::string algorithm = "auto", agg_method = "mean_abs";
  Json baseline;  // null: none given
  std::size_t clusters = 5, samples = 0;
  std::optional<std::size_t> max_rows;  // unset: kTreeRows or kKernelRows
  bool use_logit = false, save_local = true;
  std::uint64_t seed = 0;
};
struct PdpSettings {
  std::vector<std::string> features;  // empty: the first by SHAP
  std::size_t grid = 15, top = 10, max_rows = 500;
};
struct PermutationSettings {
  std::size_t repeats = 5, max_rows = 5'000;
  std::string metric;  // empty: auc, accuracy or r2
};
struct ExplainSettings {
  std::optional<ShapSettings> shap;
  std::optional<PdpSettings> pdp;
  std::optional<PermutationSettings> permutation;
  bool permutation_asked = false;  // by name: then it must be possible
  std::vector<std::string> label_headers;
};

inline constexpr std::size_t kTreeRows = 20'000, kKernelRows = 200;

// InvalidArgument names the setting, and the nearest that exists.
Result<ExplainSettings> read_explain_settings(const Json& settings, std::uint64_t seed);

}  // namespace millrace::tasks
