// XGBoost's JSON models: what is accepted can be walked, explained and written, and reads back as the same
// bytes.

#include <limits>
#include <vector>

#include "tasks/trees/explain.h"
#include "tasks/trees/model_json.h"
#include "tasks/trees/objective.h"
#include "tasks/trees/predict.h"
#include "tests/fuzz/input.h"

using namespace millrace;
using namespace millrace::tasks;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto model = trees::read_model(fuzz::text_of(data, size));
  if (!model) {
    MR_CHECK(model.error().code == ErrorCode::DataLoss && !model.error().message.empty(),
             "a refusal says why");
    return 0;
  }
  const std::string bytes = trees::write_model(*model);
  const auto again = trees::read_model(bytes);
  MR_CHECK(again && trees::write_model(*again) == bytes, "a model reads back");
  if (model->features > 1000 || model->outputs > 1000) return 0;
  std::vector<float> rows(model->features * 3, 0.5f);
  for (std::size_t j = 0; j < model->features; ++j) rows[j] = std::numeric_limits<float>::quiet_NaN();
  const MatrixView X{rows.data(), 3, model->features};
  const double base = trees::make_objective(model->objective, {})->base_margin(model->base_score);
  const trees::Predictor predictor(*model);
  std::vector<float> out(3 * model->outputs * (model->features + 1));
  trees::margins_of(*model, predictor, base, X, out.data());
  std::vector<std::uint32_t> leaves(3 * predictor.trees());
  predictor.leaves(X, leaves.data());
  for (const char* type : {"weight", "gain"})
    MR_CHECK(trees::feature_importance(*model, type), "a known type");
  trees::Team team(1);
  if (model->booster != trees::Ensemble::Booster::Linear)
    trees::Explainer(*model, base).contributions(X, team, out.data());
  return 0;
}
