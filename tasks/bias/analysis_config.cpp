#include "tasks/bias/analysis_config.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

#include "tasks/arguments.h"
#include "tasks/deployment/models.h"

namespace millrace::tasks {
namespace {

constexpr double kContinuousShare = 0.05;  // distinct values by rows; smclarify's UNIQUENESS_THRESHOLD

std::string value_text(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  return value.is_number() ? format_number(value.get<double>()) : value.dump();
}

// The number a value is, or is written as.
bool value_number(const Json& value, double& out) {
  if (value.is_number()) {
    out = value.get<double>();
    return true;
  }
  if (value.is_boolean()) {
    out = value.get<bool>() ? 1 : 0;
    return true;
  }
  return value.is_string() && parse_number(value.get<std::string>(), out);
}

bool equals(const Column& column, std::size_t row, const Json& value) {
  if (is_missing(column, row)) return false;
  if (column.type == Column::Type::Text) return column.texts[row] == value_text(value);
  double number = 0;
  return value_number(value, number) && column.numbers[row] == number;
}

}  // namespace

bool is_continuous(const Column& column) {
  if (column.type != Column::Type::Number) return false;
  std::set<double> distinct;
  std::size_t count = 0;
  for (const double x : column.numbers) {
    if (std::isnan(x)) continue;
    if (x != std::trunc(x)) return true;
    ++count;
    distinct.insert(x);
  }
  return distinct.size() > 2 &&
         static_cast<double>(distinct.size()) >= kContinuousShare * static_cast<double>(count);
}

Result<ChosenRows> choose_rows(const Column& column, const std::vector<Json>& values,
                               std::string_view setting, bool continuous) {
  const std::string where = std::string(setting) + ": column \"" + column.name + "\"";
  const std::size_t rows = column.type == Column::Type::Text ? column.texts.size() : column.numbers.size();
  ChosenRows out{std::vector<std::uint8_t>(rows), {}};
  double threshold = 0;
  if (continuous && values.size() == 1 && value_number(values[0], threshold) &&
      column.type == Column::Type::Number) {
    double top = threshold;
    for (std::size_t i = 0; i < rows; ++i) {
      out.chosen[i] = column.numbers[i] > threshold;
      if (out.chosen[i] != 0) top = std::max(top, column.numbers[i]);
    }
    out.description = "(" + format_number(threshold) + ", " + format_number(top) + "]";
  } else {
    for (const Json& value : values) {
      for (std::size_t i = 0; i < rows; ++i) out.chosen[i] |= equals(column, i, value);
      out.description += (out.description.empty() ? "" : ", ") + value_text(value);
    }
  }
  if (std::find(out.chosen.begin(), out.chosen.end(), 1) == out.chosen.end()) {
    std::string some;
    if (auto there = values_of(column)) {
      for (std::size_t i = 0; i < std::min<std::size_t>(there->size(), 10); ++i)
        some += (some.empty() ? "" : ", ") + value_text((*there)[i]);
    }
    return invalid(where + " is never " + out.description, some.empty() ? "" : "values are: " + some);
  }
  return out;
}

Result<std::vector<Json>> values_of(const Column& column) {
  std::set<std::string> texts;
  std::set<double> numbers;
  const bool text = column.type == Column::Type::Text;
  for (std::size_t i = 0; i < (text ? column.texts.size() : column.numbers.size()); ++i) {
    if (is_missing(column, i)) continue;
    text ? void(texts.insert(column.texts[i])) : void(numbers.insert(column.numbers[i]));
    if (texts.size() + numbers.size() > kFacetValuesMax)
      return fail(
          ErrorCode::LimitExceeded,
          "column \"" + column.name + "\" has more than " + std::to_string(kFacetValuesMax) + " values",
          "say which ones matter in value_or_threshold");
  }
  std::vector<Json> out(texts.begin(), texts.end());
  out.insert(out.end(), numbers.begin(), numbers.end());
  return out;
}

bool names_model(const ProcessingInputs& inputs) {
  return inputs.input("model") != nullptr || !text_at(inputs.settings, {"predictor", "model_name"}).empty();
}

Result<std::string> analysed_model(const ProcessingInputs& inputs, TaskContext& context) {
  if (const NamedUri* input = inputs.input("model")) return input->uri;
  const std::string name = text_at(inputs.settings, {"predictor", "model_name"});
  if (name.empty()) return std::string();
  MR_TRY(uris, model_uris(context.jobs(), name));
  if (uris.size() != 1)
    return invalid("predictor.model_name: \"" + name + "\" has " + std::to_string(uris.size()) +
                   " containers; the input \"model\" names one");
  return std::move(uris.front());
}

std::vector<Json> list_of(const Json& settings, std::string_view key) {
  const auto at = settings.find(key);
  if (at == settings.end() || at->is_null()) return {};
  if (!at->is_array()) return {*at};
  return {at->begin(), at->end()};
}

}  // namespace millrace::tasks
