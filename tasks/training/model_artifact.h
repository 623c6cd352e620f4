#pragma once
// A trained model on disk: `<S3OutputPath>/<job>/output/model.tar.gz`, as SageMaker leaves it, immutable once
// written. In it:
//   model_card.json   algorithm, hyperparameters, feature schema, target, task, metrics, training data
//   hashes,
//                     seed, version
//   model.bin         the estimator's own bytes; xgboost-model for XGBoost's JSON (of a script: its files)
//   pipeline.json     the preparation pipeline, when the training data had one
// ModelArtifacts.S3ModelArtifacts is its URI. The same files in a folder of the object store are a model,
// too, and so is an archive without a card that holds an XGBoost model (JSON or Universal Binary JSON), as
// SageMaker's own algorithm writes it.

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "tasks/artifacts/object_store.h"
#include "tasks/processing/pipeline.h"
#include "tasks/table/table.h"
#include "tasks/training/estimator.h"

namespace millrace::tasks {

// A model with its pipeline, ready to score raw rows. Immutable; any thread.
class LoadedModel {
 public:
  // NotFound, or DataLoss when the files are not a model that can be used here.
  static Result<std::shared_ptr<const LoadedModel>> load(const ObjectStore& objects,
                                                         std::string_view model_uri);

  // Column names a request row must have, in order: the pipeline's raw columns, or the model's features.
  const std::vector<std::string>& input_columns() const { return input_columns_; }
  Result<Matrix> predict(const Table& raw_rows) const;
  const Json& card() const { return *card_; }
  const Model& model() const { return *model_; }
  const std::string& pipeline_text() const { return pipeline_text_; }  // pipeline.json; empty without one
  bool has_pipeline() const { return pipeline_ != nullptr; }           // else rows are the model's features

 private:
  LoadedModel() = default;
  std::unique_ptr<const Model> model_;
  std::unique_ptr<const FittedPipeline> pipeline_;  // null: rows are features already
  std::vector<std::string> input_columns_;
  std::shared_ptr<const Json> card_;
  std::string pipeline_text_;
};

struct ModelFiles {
  std::string model_bytes;
  Json card;
  Json pipeline;  // null when there is none
};
// Writes the archive: whole or not at all.
Status pack_model(const std::filesystem::path& path, const ModelFiles& files);
Status save_model(const ObjectStore& objects, std::string_view model_uri, const ModelFiles& files);

}  // namespace millrace::tasks
