#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/check.h"
#include "base/json.h"
#include "tasks/training/dataset_checks.h"
#include "tasks/training/forest.h"
#include "tasks/training/hyperparameters.h"
#include "tasks/training/xgboost.h"
#include "tasks/trees/model_json.h"
#include "tasks/trees/objective.h"
#include "tasks/trees/predict.h"

namespace millrace::tasks {

namespace {

class XgboostModel final : public Model {
 public:
  // `bytes` empty: written when asked for.
  XgboostModel(trees::Ensemble ensemble, std::string bytes)
      : ensemble_(std::move(ensemble)),
        bytes_(std::move(bytes)),
        predictor_(ensemble_),
        objective_(trees::make_objective(ensemble_.objective, {})),
        base_(objective_->base_margin(ensemble_.base_score)) {}

  std::string_view algorithm() const override { return "xgboost"; }
  std::size_t n_features() const override { return ensemble_.features; }
  std::string save() const override { return bytes_.empty() ? trees::write_model(ensemble_) : bytes_; }
  Result<Matrix> predict(MatrixView X) const override {
    MR_DO(check_features("xgboost", X, ensemble_.features));
    Matrix out(X.rows, ensemble_.outputs);
    trees::margins_of(ensemble_, predictor_, base_, X, out.values.data());
    for (std::size_t i = 0; i < X.rows; ++i)
      objective_->transform(out.values.data() + i * out.cols, out.cols);
    return out;
  }
  const trees::Ensemble& ensemble() const { return ensemble_; }

 private:
  const trees::Ensemble ensemble_;
  const std::string bytes_;
  const trees::Predictor predictor_;
  const std::unique_ptr<trees::Objective> objective_;
  const double base_;
};

// XGBoost writes the same model as JSON or as Universal Binary JSON, in which a name stands behind its
// length.
bool is_universal_binary(std::string_view bytes) {
  return bytes.size() > 2 && bytes[0] == '{' &&
         std::string_view("UiIlL").find(bytes[1]) != std::string_view::npos;
}

Result<std::string> text_of_universal_binary(std::string_view bytes) {
  const Json model = Json::from_ubjson(bytes, true, false);
  if (model.is_discarded())
    return fail(ErrorCode::DataLoss, "not a usable xgboost model: it is no Universal Binary JSON");
  return model.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace

std::unique_ptr<const Model> xgboost_model(trees::Ensemble ensemble) {
  return std::make_unique<XgboostModel>(std::move(ensemble), std::string());
}

Result<std::unique_ptr<const Model>> load_xgboost(std::string_view bytes) {
  if (is_universal_binary(bytes)) {
    MR_TRY(text, text_of_universal_binary(bytes));
    return load_xgboost(text);
  }
  MR_TRY(ensemble, trees::read_model(bytes));
  return std::unique_ptr<const Model>(
      std::make_unique<XgboostModel>(std::move(ensemble), std::string(bytes)));
}

const trees::Ensemble* ensemble_of(const Model& model) {
  const auto* own = dynamic_cast<const XgboostModel*>(&model);
  return own ? &own->ensemble() : forest_ensemble_of(model);
}

}  // namespace millrace::tasks
