#include "tasks/processing/column_pipeline.h"

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>

#include "tasks/arguments.h"
#include "tasks/processing/channels.h"

namespace millrace::tasks {
namespace {

constexpr std::string_view kFormat = "millrace-pipeline";
constexpr int kVersion = 1;

std::string_view name_of(Column::Type type) {
  return type == Column::Type::Number ? "number" : "text";
}

// The column as training saw it. A number's spelling is forgotten: 1, 1.0 and 01 are one category there and
// here.
Result<Column> typed(const Column& column, Column::Type type) {
  if (type == Column::Type::Text) return as_texts(column);
  MR_TRY(numbers, as_numbers(column));
  numbers.texts.clear();
  numbers.missing.clear();
  return numbers;
}

Result<TargetInfo> learn_target(const Table& training, const std::string& name, const std::string& positive,
                                bool numbers_are_classes) {
  TargetInfo target{name, {}};
  if (name.empty()) return target;
  const Column* column = training.find(name);
  if (column == nullptr) return invalid("the training data has no column \"" + name + "\", the target");
  const bool numbers = column->type == Column::Type::Number;
  if (numbers && positive.empty() && !numbers_are_classes) return target;
  const Column texts = as_texts(*column);
  std::set<std::string> classes;
  for (std::size_t i = 0; i < training.rows; ++i) {
    if (!texts.missing[i]) classes.insert(texts.texts[i]);
    if (classes.size() > 10'000)
      return invalid("the target \"" + name + "\" has more than 10000 classes; is it the right column?");
  }
  target.classes.assign(classes.begin(), classes.end());
  if (numbers) {
    std::ranges::stable_sort(target.classes, {}, [](const std::string& text) {
      double number = 0;
      parse_number(text, number);
      return number;
    });
  }
  if (positive.empty()) return target;
  if (!classes.contains(positive))
    return invalid("positive: the target \"" + name + "\" is never \"" + positive + "\"");
  if (classes.size() != 2)
    return invalid("positive: the target \"" + name + "\" has " + std::to_string(classes.size()) +
                   " classes, not 2");
  if (target.classes[0] == positive) std::swap(target.classes[0], target.classes[1]);
  return target;
}

// Text becomes columns of 0 and 1; numbers stay as they are, missing cells and all.
Json default_steps() {
  return Json::array({{{"step", "one_hot"}, {"max_categories", 100}}});
}

// Raw columns that nothing needs: a drop step names them and no step before it does.
std::set<std::string> unneeded_columns(const std::vector<FittedStep>& steps) {
  std::set<std::string> used, unneeded;
  for (const FittedStep& step : steps) {
    for (const FittedColumn& column : step.columns) {
      const bool drop = step.kind->name == "drop";
      if (drop && !used.contains(column.column)) unneeded.insert(column.column);
      used.insert(column.column);
    }
  }
  return unneeded;
}

// "yes" or 1: a class as its cells are written.
Result<std::string> positive_class(const Arguments& arguments) {
  const Json value = arguments.json().value("positive", Json());
  if (value.is_number()) return format_number(value.get<double>());
  return arguments.text_or("positive", "");
}

constexpr std::size_t kTextColumnsNamed = 10;  // in a message

Status check_features(const Table& table) {
  std::string texts;
  std::size_t count = 0;
  for (const Column& column : table.columns) {
    if (column.type == Column::Type::Number) continue;
    if (count++ < kTextColumnsNamed)
      texts.append(texts.empty() ? "" : ", ").append("\"" + column.name + "\"");
  }
  if (count > kTextColumnsNamed) texts += ", …";
  if (count > 0)
    return invalid((count == 1 ? "column " : std::to_string(count) + " columns, ") + texts +
                       (count == 1 ? " is" : ", are") + " still text after the last step",
                   "add a step for each: one_hot, ordinal, target, hash, dates, tfidf or drop");
  return table.columns.empty() ? Status(invalid("no column is left after the last step")) : Status();
}

}  // namespace

Result<std::vector<double>> read_target(const TargetInfo& target, const Table& rows) {
  const Column* column = rows.find(target.name);
  if (column == nullptr) return invalid("the data has no column \"" + target.name + "\", the target");
  for (std::size_t i = 0; i < rows.rows; ++i) {
    if (is_missing(*column, i))
      return invalid("row " + std::to_string(i + 1) + " has no \"" + target.name + "\", the target");
  }
  if (target.classes.empty()) {
    MR_TRY(numbers, as_numbers(*column));
    return std::move(numbers.numbers);
  }
  const Column texts = as_texts(*column);
  std::vector<double> out(rows.rows);
  for (std::size_t i = 0; i < rows.rows; ++i) {
    const auto at = std::find(target.classes.begin(), target.classes.end(), texts.texts[i]);
    if (at == target.classes.end()) {
      return invalid("row " + std::to_string(i + 1) + ": the target \"" + target.name + "\" is \"" +
                     texts.texts[i] + "\", which the training data never had");
    }
    out[i] = static_cast<double>(at - target.classes.begin());
  }
  return out;
}

ColumnPipeline::ColumnPipeline(std::vector<Input> inputs, std::vector<FittedStep> steps, TargetInfo target,
                               std::vector<std::string> features)
    : inputs_(std::move(inputs)),
      steps_(std::move(steps)),
      target_(std::move(target)),
      features_(std::move(features)) {
  for (const Input& input : inputs_) input_names_.push_back(input.name);
}

Result<std::vector<double>> ColumnPipeline::read_target(const Table& rows) const {
  return tasks::read_target(target_, rows);
}

Result<Table> ColumnPipeline::apply_to_table(const Table& rows) const {
  Table table;
  table.rows = rows.rows;
  for (const Input& input : inputs_) {
    const Column* column = rows.find(input.name);
    if (column == nullptr)
      return invalid("the rows have no column \"" + input.name + "\", which the preparation needs");
    MR_TRY(read, typed(*column, input.type));
    table.columns.push_back(std::move(read));
  }
  for (const FittedStep& step : steps_) MR_DO(apply_step(step, table));
  MR_DO(check_features(table));
  if (table.names() != features_)
    return fail(ErrorCode::DataLoss, "the pipeline does not give the features it was saved with");
  return table;
}

Result<Matrix> ColumnPipeline::apply(const Table& rows) const {
  MR_TRY(table, apply_to_table(rows));
  Matrix out(table.rows, table.columns.size());
  for (std::size_t c = 0; c < table.columns.size(); ++c) {
    for (std::size_t i = 0; i < table.rows; ++i)
      out.at(i, c) = static_cast<float>(table.columns[c].numbers[i]);
  }
  return out;
}

Json ColumnPipeline::save() const {
  Json inputs = Json::array(), steps = Json::array();
  for (const Input& input : inputs_) inputs.push_back({{"name", input.name}, {"type", name_of(input.type)}});
  for (const FittedStep& step : steps_) steps.push_back(save_step(step));
  return Json{
      {"format", kFormat},           {"version", kVersion},
      {"inputs", std::move(inputs)}, {"target", {{"name", target_.name}, {"classes", target_.classes}}},
      {"steps", std::move(steps)},   {"features", features_}};
}

Result<std::unique_ptr<const ColumnPipeline>> ColumnPipeline::load(const Json& saved) {
  try {
    if (saved.at("format").get<std::string>() != kFormat || saved.at("version").get<int>() != kVersion) {
      return fail(ErrorCode::DataLoss, "this is not a pipeline that this version can read");
    }
    std::vector<Input> inputs;
    for (const Json& input : saved.at("inputs")) {
      const auto type =
          input.at("type").get<std::string>() == "number" ? Column::Type::Number : Column::Type::Text;
      inputs.push_back({input.at("name").get<std::string>(), type});
    }
    std::vector<FittedStep> steps;
    for (const Json& entry : saved.at("steps")) {
      MR_TRY(step, load_step(entry));
      steps.push_back(std::move(step));
    }
    TargetInfo target{saved.at("target").at("name").get<std::string>(),
                      saved.at("target").at("classes").get<std::vector<std::string>>()};
    return std::make_unique<const ColumnPipeline>(std::move(inputs), std::move(steps), std::move(target),
                                                  saved.at("features").get<std::vector<std::string>>());
  } catch (const Json::exception& error) {
    return fail(ErrorCode::DataLoss, std::string("the pipeline can't be read: ") + error.what());
  }
}

Result<std::unique_ptr<const FittedPipeline>> load_pipeline(const Json& saved) {
  MR_TRY(pipeline, ColumnPipeline::load(saved));
  return std::unique_ptr<const FittedPipeline>(std::move(pipeline));
}

Result<FittedTable> fit_pipeline(const Table& training, const Json& settings, std::uint64_t seed,
                                 const std::function<bool()>& cancelled) {
  const Arguments arguments(settings);
  MR_DO(check_setting_names(
      settings, {"target", "target_type", "positive", "steps", "seed", "filter", "balance"}, "prepare"));
  MR_TRY(target_name, arguments.text_or("target", ""));
  MR_TRY(positive, positive_class(arguments));
  const Json steps = arguments.has("steps") ? settings["steps"] : default_steps();
  if (!steps.is_array()) return arguments.wrong("steps", "expected a list of steps");
  if (training.rows == 0) return invalid("the training data has no rows");

  MR_TRY(target_type, arguments.text_or("target_type", "auto"));
  MR_DO(arguments.one_of("target_type", target_type, "auto|classes"));
  MR_TRY(target, learn_target(training, target_name, positive, target_type == "classes"));
  FitInput input{{}, target.classes.size() > 2, Random(seed).derive("prepare")};
  std::vector<double> target_values;
  if (!target.name.empty()) {
    MR_TRY(values, read_target(target, training));
    target_values = std::move(values);
    input.target = target_values;
  }
  Table table;
  table.rows = training.rows;
  std::vector<ColumnPipeline::Input> inputs;
  for (const Column& column : training.columns) {
    if (column.name == target.name) continue;
    inputs.push_back({column.name, column.type});
    MR_TRY(read, typed(column, column.type));
    table.columns.push_back(std::move(read));
  }
  std::vector<FittedStep> fitted;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    if (cancelled && cancelled()) return fail(ErrorCode::Cancelled, "prepare was cancelled");
    const auto in_step = [&](Error error) {
      error.message = "steps[" + std::to_string(i) + "]: " + error.message;
      return fail(std::move(error));
    };
    auto step = fit_step(steps[i], table, input);
    if (!step) return in_step(step.error());
    if (auto applied = apply_step(*step, table, &input); !applied) return in_step(applied.error());
    fitted.push_back(std::move(*step));
  }
  MR_DO(check_features(table));
  const std::set<std::string> unneeded = unneeded_columns(fitted);
  std::erase_if(inputs, [&](const ColumnPipeline::Input& entry) { return unneeded.contains(entry.name); });
  FittedTable out;
  out.pipeline =
      std::make_shared<const ColumnPipeline>(std::move(inputs), std::move(fitted), target, table.names());
  if (!target.name.empty()) {
    if (table.find(target.name) != nullptr)
      return invalid("a step makes a column named like the target, \"" + target.name + "\"");
    table.columns.insert(table.columns.begin(), number_column(target.name, std::move(target_values)));
  }
  out.training = std::move(table);
  return out;
}

}  // namespace millrace::tasks
