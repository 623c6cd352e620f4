#include "tasks/evaluation/row_scorer.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "tasks/processing/channels.h"

namespace millrace::tasks {
namespace {

constexpr std::size_t kScoredRowsPerStep = 65'536;

Result<std::shared_ptr<const ColumnPipeline>> pipeline_of(const LoadedModel& model) {
  MR_TRY(parsed, Payload::parse(model.pipeline_text()));
  MR_TRY(pipeline, ColumnPipeline::load(to_json(parsed.view())));
  return std::shared_ptr<const ColumnPipeline>(std::move(pipeline));
}

}  // namespace

Result<RowScorer> RowScorer::load(const ObjectStore& objects, const std::string& uri, bool prepared) {
  RowScorer out;
  MR_TRY(loaded, LoadedModel::load(objects, uri));
  out.loaded_ = std::move(loaded);
  try {
    const Json& card = out.loaded_->card();
    out.task_ = card.value("task", std::string("regression"));
    out.target_ = {card.value("target", std::string()), card.value("classes", std::vector<std::string>())};
    out.features_ = card.value("features", std::vector<std::string>());
    out.columns_ = out.features_;
    if (card.value("pipeline", false)) {
      MR_TRY(pipeline, pipeline_of(*out.loaded_));
      out.target_ = pipeline->target();
      out.class_numbers_ = prepared;
      if (!prepared) {
        out.columns_ = pipeline->input_columns();
        out.pipeline_ = std::move(pipeline);
      }
    }
  } catch (const Json::exception& error) {
    return fail(ErrorCode::DataLoss, uri + "/model_card.json can't be read: " + error.what());
  }
  return out;
}

Status RowScorer::check_columns(const Table& rows) const {
  for (const std::string& name : columns_) {
    if (rows.find(name) == nullptr)
      return invalid("the data has no column \"" + name + "\", which the model needs");
  }
  return {};
}

Result<std::vector<double>> RowScorer::labels(const Table& rows) const {
  return read_target(class_numbers_ ? TargetInfo{target_.name, {}} : target_, rows);
}

Result<Matrix> RowScorer::matrix(const Table& rows) const {
  MR_DO(check_columns(rows));
  if (pipeline_ != nullptr) return pipeline_->apply(rows);
  Matrix out(rows.rows, features_.size());
  for (std::size_t c = 0; c < features_.size(); ++c) {
    MR_TRY(column, as_numbers(*rows.find(features_[c])));
    for (std::size_t i = 0; i < rows.rows; ++i) out.at(i, c) = static_cast<float>(column.numbers[i]);
  }
  return out;
}

Result<Matrix> RowScorer::predict(const Table& rows) const {
  MR_TRY(X, matrix(rows));
  return model().predict(X);
}

Result<Matrix> RowScorer::predict(const Table& rows, TaskContext& context) const {
  MR_TRY(X, matrix(rows));
  Matrix out;
  for (std::size_t first = 0; first < X.rows; first += kScoredRowsPerStep) {
    if (context.cancelled()) return fail(ErrorCode::Cancelled, "the job was cancelled");
    MR_TRY(part, model().predict(MatrixView(X).slice(first, std::min(kScoredRowsPerStep, X.rows - first))));
    out.cols = part.cols;
    out.values.insert(out.values.end(), part.values.begin(), part.values.end());
    report(context, "Predicting", -1, static_cast<std::int64_t>(first));
  }
  out.rows = X.rows;
  return out;
}

Result<CsvOptions> scored_rows_options(const RowScorer& scorer, const NamedUri& input,
                                       const ObjectStore& objects) {
  CsvOptions options;
  const ChannelSource source = source_of(input);
  if (source.format != ChannelSource::Format::Csv || source.named()) return options;
  const auto uris = channel_objects(objects, source);
  if (!uris) return options;  // whoever reads the rows says what is wrong with them
  const std::string& first = uris->front();
  const auto line = channel_first_line(objects, source, first);
  if (!line || line->empty()) return options;
  const auto looks = look_at_line(*line, first);
  if (!looks) return options;
  const std::vector<std::string>& columns = scorer.columns();
  CsvOptions spelled;
  spelled.header = false, spelled.keep_spelling = true;
  MR_TRY(cells, parse_csv(*line, first, spelled));
  const bool named = std::ranges::all_of(columns, [&](const std::string& name) {
    return std::ranges::any_of(
        cells.columns, [&](const Column& cell) { return !cell.texts.empty() && cell.texts[0] == name; });
  });
  if (looks->header || named) return options;
  options.header = false;
  if (looks->cells == columns.size() + 1) options.column_names = {scorer.target().name};
  options.column_names.insert(options.column_names.end(), columns.begin(), columns.end());
  if (looks->cells == options.column_names.size()) return options;
  return invalid(
      "input \"" + input.name + "\": " + first + " has no header and " + std::to_string(looks->cells) +
          (looks->cells == 1 ? " cell" : " cells") + " a row, but the model takes " +
          std::to_string(columns.size()),
      "without a header the target stands first and the model's columns behind it, in their order");
}

bool holds_features(const ObjectStore& objects, const NamedUri& input) {
  return objects.read(join_uri(input.uri, kPipelineObject)).has_value();
}

}  // namespace millrace::tasks
