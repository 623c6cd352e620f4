#include "tasks/training/model_artifact.h"

#include <nlohmann/json.hpp>

#include "base/encoding.h"

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

Result<Json> read_json(const ObjectStore& objects, const std::string& uri) {
  MR_TRY(bytes, objects.read(uri));
  Json json = Json::parse(bytes, nullptr, false);
  if (json.is_discarded()) return fail(ErrorCode::DataLoss, uri + " is not JSON");
  return json;
}

// Columns by name to a matrix, for a model without a pipeline.
Result<Matrix> features_of(const Table& rows, const std::vector<std::string>& names) {
  Matrix X(rows.rows, names.size());
  for (std::size_t j = 0; j < names.size(); ++j) {
    const Column* column = rows.find(names[j]);
    if (column == nullptr) return invalid("there is no column '" + names[j] + "', which the model needs");
    if (column->type == Column::Type::Text) {
      for (std::size_t i = 0; i < rows.rows; ++i) {
        if (!column->missing[i]) {
          return invalid("row " + std::to_string(i) + ", column '" + names[j] + "': '" +
                         column->texts[i].substr(0, 60) + "' is not a number");
        }
        X.at(i, j) = std::numeric_limits<float>::quiet_NaN();
      }
      continue;
    }
    for (std::size_t i = 0; i < rows.rows; ++i) X.at(i, j) = static_cast<float>(column->numbers[i]);
  }
  return X;
}

}  // namespace

Result<std::shared_ptr<const LoadedModel>> LoadedModel::load(const ObjectStore& objects,
                                                             std::string_view model_uri) {
  const std::string card_uri = join_uri(model_uri, "model_card.json"),
                    bin_uri = join_uri(model_uri, "model.bin");
  MR_TRY(json, read_json(objects, card_uri));
  MR_TRY(card, read_card(json, card_uri));
  MR_TRY(bytes, objects.read(bin_uri));
  if (digest_hex(Digest::Sha256, bytes) != card.model_sha256) {
    return fail(ErrorCode::DataLoss, bin_uri + " is not the file that its model_card.json describes");
  }
  const EstimatorKind* kind = find_estimator(card.algorithm);
  if (kind == nullptr) {
    return fail(ErrorCode::DataLoss, card_uri + ": there is no built-in algorithm '" + card.algorithm + "'");
  }
  const std::shared_ptr<LoadedModel> result(new LoadedModel());
  MR_TRY(model, kind->load(bytes));
  result->model_ = std::move(model);
  result->input_columns_ = card.features;
  if (card.pipeline) {
    MR_TRY(saved, read_json(objects, join_uri(model_uri, "pipeline.json")));
    MR_TRY(pipeline, load_pipeline(saved));
    if (pipeline->feature_names() != card.features) {
      return fail(ErrorCode::DataLoss,
                  "the pipeline in " + std::string(model_uri) + " gives other features than the model takes");
    }
    result->input_columns_ = pipeline->input_columns();
    result->pipeline_ = std::move(pipeline);
  }
  if (card.features.size() != result->model_->n_features()) {
    return fail(ErrorCode::DataLoss, card_uri + " names " + std::to_string(card.features.size()) +
                                         " features, but the model takes " +
                                         std::to_string(result->model_->n_features()));
  }
  result->card_ = std::make_shared<const Json>(std::move(json));
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
