#pragma once
// Kernel SHAP: what each feature adds to one answer of any model, by asking it about mixtures of the row with
// rows of a baseline. With few features all mixtures are asked and the values are exact Shapley values; with
// more, the mixtures that weigh most are, and the others are sampled in pairs.
//
// Source: Lundberg and Lee, "A unified approach to interpreting model predictions" (2017); Covert and Lee,
// "Improving KernelSHAP" (2021), paired sampling. One thread.

#include <functional>
#include <memory>
#include <vector>

#include "tasks/explain/feature_rows.h"

namespace millrace::tasks {

struct KernelShapSettings {
  std::size_t samples = 0;  // mixtures a row; 0: 2 * features + 2048
  std::uint64_t seed = 0;
  bool use_logit = false;  // explains log odds of probabilities
};

inline constexpr std::size_t kShapSamplesMax = 1'000'000;

class KernelShap {
 public:
  // The baseline's columns are the features. Errors are those of `predict`.
  static Result<KernelShap> make(PredictTable predict, Baseline baseline, const KernelShapSettings& settings);
  ~KernelShap();
  KernelShap(KernelShap&&) noexcept;

  // Answers to rows of which nothing is known, by output.
  const std::vector<double>& expected() const { return expected_; }
  // (outputs, features): what each adds to the answer for that row; sums to answer - expected. `rows` has the
  // baseline's columns.
  Result<std::vector<double>> explain(const Table& rows, std::size_t row) const;
  bool exact() const { return exact_; }
  std::size_t mixtures() const { return masks_.size(); }

 private:
  struct Solver;
  KernelShap();
  void choose_mixtures(std::size_t features, const KernelShapSettings& settings);
  Result<std::vector<double>> averages(const Table& rows, std::size_t row, std::size_t first,
                                       std::size_t count) const;

  PredictTable predict_;
  Baseline baseline_;
  bool use_logit_ = false, exact_ = false;
  std::vector<double> expected_;
  std::vector<std::vector<std::uint8_t>> masks_;  // by mixture and feature: 1 from the row
  std::vector<double> mask_weights_;
  std::unique_ptr<Solver> solver_;
};

}  // namespace millrace::tasks
