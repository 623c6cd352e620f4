#include "tasks/labelling/class_scores.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "tasks/evaluation/row_scorer.h"
#include "tasks/processing/channels.h"

namespace millrace::tasks {
namespace {

std::string spelled(JsonView value) {
  return value.is_string() ? value.string() : std::string(value.text());
}

// One line of an output manifest: what row, and the name of its class; nothing: it has no label.
Result<std::optional<std::pair<std::string, std::string>>> label_in_line(JsonView line,
                                                                         const std::string& attribute,
                                                                         const std::string& key) {
  using Labelled = std::optional<std::pair<std::string, std::string>>;
  const JsonView label = line.is_object() ? line.find(attribute) : JsonView();
  if (!label || label.is_null()) return Labelled();
  const JsonView metadata = line.find(attribute + "-metadata");
  const JsonView name = metadata && metadata.is_object() ? metadata.find("class-name") : JsonView();
  const JsonView row = line.find(key);
  if (!row) return invalid("has no \"" + key + "\", which says what row it is about");
  return Labelled(std::pair(spelled(row), name && name.is_string() ? name.string() : spelled(label)));
}

}  // namespace

std::size_t ClassScores::best(std::size_t row) const {
  std::size_t best = 0;
  for (std::size_t c = 1; c < probabilities.cols; ++c)
    if (probabilities.at(row, c) > probabilities.at(row, best)) best = c;
  return best;
}

Result<ClassScores> class_scores(const NamedUri& model, const NamedUri& rows_input, const Table& rows,
                                 TaskContext& context) {
  MR_TRY(scorer,
         RowScorer::load(context.objects(), model.uri, holds_features(context.objects(), rows_input)));
  if (scorer.task() != "binary" && scorer.task() != "multiclass")
    return invalid("input \"" + model.name + "\": a model of classes is needed, this one is for " +
                   scorer.task());
  MR_TRY(scores, scorer.predict(rows, context));
  ClassScores out;
  out.classes = scorer.target().classes;
  if (scorer.task() == "multiclass") {
    out.probabilities = std::move(scores);
  } else {
    out.probabilities = Matrix(scores.rows, 2);
    for (std::size_t i = 0; i < scores.rows; ++i) {
      out.probabilities.at(i, 1) = scores.at(i, 0);
      out.probabilities.at(i, 0) = 1 - scores.at(i, 0);
    }
  }
  for (std::size_t c = out.classes.size(); c < out.probabilities.cols; ++c)
    out.classes.push_back(std::to_string(c));
  return out;
}

Result<std::string> row_key(const Table& pool, std::size_t row, const std::string& id_column) {
  if (id_column.empty()) return std::to_string(row);
  const Column* column = pool.find(id_column);
  if (!column) return invalid("the pool has no column \"" + id_column + "\", the id_column");
  if (is_missing(*column, row))
    return invalid("row " + std::to_string(row + 1) + " of the pool has no \"" + id_column + "\"");
  return column->texts[row];
}

Result<RowLabels> read_row_labels(const ObjectStore& objects, const std::string& uri,
                                  const std::string& attribute, const std::string& id_column) {
  const std::string key = id_column.empty() ? "row" : id_column;
  MR_TRY(place, parse_s3_uri(uri));
  MR_TRY(files, objects.list(uri));
  RowLabels labels;
  for (const ObjectInfo& file : files) {
    if (!file.key.ends_with(".manifest")) continue;
    const std::string name = "s3://" + place.bucket + "/" + file.key;
    MR_TRY(text, objects.read(name));
    std::size_t number = 0;
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t end = std::min(text.find('\n', at), text.size());
      const std::string_view line = std::string_view(text).substr(at, end - at);
      at = end + 1;
      ++number;
      if (line.empty()) continue;
      const auto document = Payload::parse(line);
      auto labelled = document ? label_in_line(document->view(), attribute, key)
                               : label_in_line(Payload().view(), attribute, key);
      if (!document || !labelled)
        return invalid(name + ":" + std::to_string(number) + ": " +
                       (document ? labelled.error().message : document.error().message));
      if (*labelled) labels[(*labelled)->first] = (*labelled)->second;
    }
  }
  return labels;
}

}  // namespace millrace::tasks
