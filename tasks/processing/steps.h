#pragma once
// Steps of preparation: the kinds there are (one table), and a step fitted to training data.
//
// A kind is small: `fit` learns a few numbers and texts from one column, `apply` turns that column into the
// columns that take its place, and everything else (choosing columns, reading and saving settings and what
// was learned, names) is common. Kinds that look at several columns at once have `apply_table` instead. A new
// kind is a row and its functions.

#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/random.h"
#include "base/result.h"
#include "tasks/table/table.h"

namespace millrace::tasks {

struct SettingRule {
  enum class Type { Number, Text, Flag, Texts, Pairs };
  std::string_view name;
  Type type = Type::Text;
  std::string_view default_value = {};  // as text; of Texts separated by '|'
  std::string_view choices = {};        // "a|b|c", for Text and Texts
  double low = 0, high = 0;             // inclusive, where low < high
  std::string_view help = {};
};

// A step's settings after checking: every one of its kind's, defaults filled in.
struct StepSettings {
  std::map<std::string, std::string, std::less<>> texts;
  std::map<std::string, double, std::less<>> numbers;                  // flags are 0 and 1
  std::map<std::string, std::vector<std::string>, std::less<>> lists;  // pairs one behind the other

  const std::string& text(std::string_view name) const { return texts.find(name)->second; }
  double number(std::string_view name) const { return numbers.find(name)->second; }
  const std::vector<std::string>& list(std::string_view name) const { return lists.find(name)->second; }
};

// What a step learned of one column. What the numbers and texts mean is the kind's business.
struct FittedColumn {
  std::string column;
  std::vector<double> numbers;
  std::vector<std::string> texts;
};

// What fitting may look at besides the column.
struct FitInput {
  std::span<const double> target;  // empty when there is none; classes as 0, 1, …
  bool many_classes = false;       // the target is one of more than two classes
  Random random;
};

struct StepKind;
struct FittedStep {
  const StepKind* kind = nullptr;
  StepSettings settings;
  std::vector<FittedColumn> columns;  // in the order of the training table
};

struct StepKind {
  enum class Needs { Number, Text, Any };  // Text: numbers are taken as their text
  using Columns = std::vector<Column>;

  std::string_view name, summary;
  Needs needs = Needs::Any;
  std::span<const SettingRule> rules;
  // Learned of one column; null: nothing to learn.
  Result<FittedColumn> (*fit)(const Column& column, const StepSettings& settings, FitInput& input) = nullptr;
  // The columns that take the place of `column`. Errors name the row.
  Status (*apply)(const FittedColumn& fitted, const StepSettings& settings, Column column,
                  Columns& out) = nullptr;
  // The same for the rows that the step was fitted on, where that may not be `apply` (out-of-fold encoding).
  Status (*apply_training)(const FittedColumn& fitted, const StepSettings& settings, Column column,
                           FitInput& input, Columns& out) = nullptr;
  Status (*apply_table)(const FittedStep& step, Table& table) = nullptr;
  bool whole_table = false;                           // works on all columns where `columns` is not given
  std::size_t numbers_min = 0, numbers_per_text = 0;  // how many numbers a FittedColumn has at least
};

std::span<const StepKind> step_kinds();

// Fits the step that `spec` ({"step": "impute", "columns": …, settings}) describes to the table. `columns` is
// a name, a list of names, "numeric", "categorical" or "all"; without it, all columns of the type the kind
// needs. InvalidArgument names the setting or the column.
Result<FittedStep> fit_step(const Json& spec, const Table& table, FitInput& input);
// Changes the table; `training` is given when its rows are those the step was fitted on.
Status apply_step(const FittedStep& step, Table& table, FitInput* training = nullptr);

Json save_step(const FittedStep& step);
Result<FittedStep> load_step(const Json& saved);  // DataLoss

// The kinds' rows, by file.
std::span<const StepKind> number_step_kinds();  // steps_numbers.cpp
std::span<const StepKind> text_step_kinds();    // steps_texts.cpp
std::span<const StepKind> word_step_kinds();    // steps_words.cpp
std::span<const StepKind> table_step_kinds();   // steps_tables.cpp

}  // namespace millrace::tasks
