#include "tasks/training/model_artifact.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/encoding.h"
#include "tasks/training/model_source.h"
#include "tasks/training/xgboost.h"
#include "tasks/trees/tree.h"

namespace millrace::tasks {

namespace {

struct Card {
  std::string algorithm, model_sha256;
  std::vector<std::string> features;
  bool pipeline = false;
};

Result<Card> read_card(const Json& json, const std::string& uri) {
  try {
    return Card{json.at("algorithm").get<std::string>(), json.at("model_sha256").get<std::string>(),
                json.at("features").get<std::vector<std::string>>(), json.value("pipeline", false)};
  } catch (const std::exception& error) {
    return fail(ErrorCode::DataLoss, uri + " is not a model card of ours: " + error.what());
  }
}

Result<Json> json_file(const ModelSource& source, std::string_view name) {
  MR_TRY(bytes, source.read(name));
  Json json = Json::parse(bytes, nullptr, false);
  if (json.is_discarded()) return fail(ErrorCode::DataLoss, join_uri(source.uri(), name) + " is not JSON");
  return json;
}

// The card of an XGBoost model from elsewhere: what the model says of itself.
Json card_of_stranger(const Model& model, std::string_view bytes) {
  const trees::Ensemble& ensemble = *ensemble_of(model);
  std::vector<std::string> features = ensemble.feature_names;
  for (std::size_t j = features.size(); j < ensemble.features; ++j)
    features.push_back("f" + std::to_string(j));
  const std::string_view objective = ensemble.objective;
  Json card = {{"algorithm", "xgboost"},
               {"task", objective.starts_with("multi:")    ? "multiclass"
                        : objective.starts_with("binary:") ? "binary"
                                                           : "regression"},
               {"hyperparameters", {{"objective", objective}}},
               {"features", features},
               {"pipeline", false},
               {"model_sha256", digest_hex(Digest::Sha256, bytes)}};
  return card;
}

// A model and the card it goes by.
struct Bare {
  Json card;
  std::unique_ptr<const Model> model;
};

Result<Bare> load_stranger(const ModelSource& source) {
  constexpr std::string_view kNames[] = {"xgboost-model", "xgboost-model.json", "xgboost-model.ubj",
                                         "model.json", "model.ubj"};
  const auto* name = std::find_if(std::begin(kNames), std::end(kNames),
                                  [&](std::string_view each) { return source.has(each); });
  if (name == std::end(kNames)) {
    return fail(ErrorCode::NotFound, "Could not find model data at " + source.uri() +
                                         ": there is no model_card.json in it, and no model "
                                         "of XGBoost; it has " +
                                         source.names());
  }
  MR_TRY(bytes, source.read(*name));
  auto model = load_xgboost(bytes);
  if (!model) {
    return fail(
        ErrorCode::DataLoss, join_uri(source.uri(), *name) + ": " + model.error().message,
        "XGBoost's JSON and UBJSON forms are read: load the model in Python and save_model(\"model.json\")");
  }
  Json card = card_of_stranger(**model, bytes);
  return Bare{std::move(card), std::move(*model)};
}

Result<Bare> load_own(const ModelSource& source) {
  MR_TRY(json, json_file(source, "model_card.json"));
  const std::string card_uri = join_uri(source.uri(), "model_card.json");
  MR_TRY(card, read_card(json, card_uri));
  const EstimatorKind* kind = find_estimator(card.algorithm);
  if (kind == nullptr) {
    return fail(ErrorCode::DataLoss, card_uri + ": there is no built-in algorithm '" + card.algorithm + "'");
  }
  MR_TRY(bytes, source.read(kind->file));
  if (digest_hex(Digest::Sha256, bytes) != card.model_sha256) {
    return fail(ErrorCode::DataLoss,
                join_uri(source.uri(), kind->file) + " is not the file that its model_card.json describes");
  }
  MR_TRY(model, kind->load(bytes));
  return Bare{std::move(json), std::move(model)};
}

// Columns by name to a matrix, for a model without a pipeline.
Result<Matrix> features_of(const Table& rows, const std::vector<std::string>& names) {
  Matrix X(rows.rows, names.size());
  for (std::size_t j = 0; j < names.size(); ++j) {
    const Column* column = rows.find(names[j]);
    if (column == nullptr) return invalid("there is no column '" + names[j] + "', which the model needs");
    if (column->type == Column::Type::Text) {
      MR_TRY(numbers, as_numbers(*column));  // no cell, or the message names the first that is no number
      for (std::size_t i = 0; i < rows.rows; ++i) X.at(i, j) = static_cast<float>(numbers.numbers[i]);
      continue;
    }
    for (std::size_t i = 0; i < rows.rows; ++i) X.at(i, j) = static_cast<float>(column->numbers[i]);
  }
  return X;
}

}  // namespace

Result<std::shared_ptr<const LoadedModel>> LoadedModel::load(const ObjectStore& objects,
                                                             std::string_view model_uri) {
  MR_TRY(source, ModelSource::open(objects, model_uri));
  MR_TRY(loaded, source.has("model_card.json") ? load_own(source) : load_stranger(source));
  const std::string card_uri = join_uri(model_uri, "model_card.json");
  MR_TRY(card, read_card(loaded.card, card_uri));
  const std::shared_ptr<LoadedModel> result(new LoadedModel());
  result->model_ = std::move(loaded.model);
  result->input_columns_ = card.features;
  if (card.pipeline) {
    MR_TRY(text, source.read("pipeline.json"));
    MR_TRY(saved, json_file(source, "pipeline.json"));
    MR_TRY(pipeline, load_pipeline(saved));
    if (pipeline->feature_names() != card.features) {
      return fail(ErrorCode::DataLoss,
                  "the pipeline in " + std::string(model_uri) + " gives other features than the model takes");
    }
    result->input_columns_ = pipeline->input_columns();
    result->pipeline_ = std::move(pipeline);
    result->pipeline_text_ = std::move(text);
  }
  if (card.features.size() != result->model_->n_features()) {
    return fail(ErrorCode::DataLoss, card_uri + " names " + std::to_string(card.features.size()) +
                                         " features, but the model takes " +
                                         std::to_string(result->model_->n_features()));
  }
  result->card_ = std::make_shared<const Json>(std::move(loaded.card));
  return std::shared_ptr<const LoadedModel>(result);
}

Result<Matrix> LoadedModel::predict(const Table& raw_rows) const {
  if (pipeline_ != nullptr) {
    MR_TRY(X, pipeline_->apply(raw_rows));
    return model_->predict(X);
  }
  MR_TRY(X, features_of(raw_rows, input_columns_));
  return model_->predict(X);
}

}  // namespace millrace::tasks
