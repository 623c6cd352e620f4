#include "tasks/processing/steps.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

#include "tasks/processing/channels.h"

namespace millrace::tasks {
namespace {

using Type = SettingRule::Type;
using Needs = StepKind::Needs;

std::vector<std::string> split_choices(std::string_view text) {
  std::vector<std::string> out;
  while (!text.empty()) {
    out.emplace_back(text.substr(0, text.find('|')));
    text.remove_prefix(std::min(text.size(), out.back().size() + 1));
  }
  return out;
}

const StepKind* find_kind(std::string_view name) {
  for (const StepKind& kind : step_kinds()) {
    if (kind.name == name) return &kind;
  }
  return nullptr;
}

std::string kind_names() {
  std::string out;
  for (const StepKind& kind : step_kinds()) out += (out.empty() ? "" : ", ") + std::string(kind.name);
  return out;
}

tl::unexpected<Error> wrong(const StepKind& kind, const SettingRule& rule, const std::string& what) {
  return invalid(
      "step \"" + std::string(kind.name) + "\", setting \"" + std::string(rule.name) + "\": " + what,
      std::string(rule.help));
}

Status check_choice(const StepKind& kind, const SettingRule& rule, const std::string& text) {
  if (rule.choices.empty()) return {};
  const std::vector<std::string> choices = split_choices(rule.choices);
  if (std::find(choices.begin(), choices.end(), text) != choices.end()) return {};
  return wrong(kind, rule, "\"" + text + "\" is not one of " + std::string(rule.choices));
}

std::string text_of(const Json& value) {
  return value.is_string() ? value.get<std::string>() : value.dump();
}

Status read_setting(const StepKind& kind, const SettingRule& rule, const Json* value, StepSettings& out) {
  const std::string name(rule.name);
  switch (rule.type) {
    case Type::Text: {
      out.texts[name] = value == nullptr ? std::string(rule.default_value) : text_of(*value);
      return check_choice(kind, rule, out.texts[name]);
    }
    case Type::Flag: {
      if (value != nullptr && !value->is_boolean())
        return wrong(kind, rule, "expected true or false, got " + value->dump());
      out.numbers[name] = value == nullptr ? rule.default_value == "true" : value->get<bool>();
      return {};
    }
    case Type::Number: {
      double number = 0;
      if (!parse_number(value == nullptr ? std::string(rule.default_value) : text_of(*value), number) ||
          !std::isfinite(number)) {
        return wrong(kind, rule, "expected a number, got " + value->dump());
      }
      if (rule.low < rule.high && (number < rule.low || number > rule.high)) {
        return wrong(kind, rule,
                     format_number(number) + " is not between " + format_number(rule.low) + " and " +
                         format_number(rule.high));
      }
      out.numbers[name] = number;
      return {};
    }
    case Type::Texts: {
      std::vector<std::string> list = split_choices(rule.default_value);
      if (value != nullptr) {
        if (!value->is_array()) return wrong(kind, rule, "expected a list, got " + value->dump());
        list.clear();
        for (const Json& item : *value) list.push_back(text_of(item));
      }
      for (const std::string& item : list) MR_DO(check_choice(kind, rule, item));
      out.lists[name] = std::move(list);
      return {};
    }
    case Type::Pairs: {
      if (value == nullptr || !value->is_object() || value->empty()) return wrong(kind, rule, "is required");
      for (const auto& [from, to] : value->items()) {
        if (!to.is_string())
          return wrong(kind, rule, "expected a text for \"" + from + "\", got " + to.dump());
        out.lists[name].push_back(from);
        out.lists[name].push_back(to.get<std::string>());
      }
      return {};
    }
  }
  return {};
}

Result<StepSettings> read_settings(const StepKind& kind, const Json& spec) {
  for (const auto& [key, value] : spec.items()) {
    const bool known = key == "step" || key == "columns" ||
                       std::any_of(kind.rules.begin(), kind.rules.end(),
                                   [&](const SettingRule& rule) { return rule.name == key; });
    if (known) continue;
    std::string all = "columns";
    for (const SettingRule& rule : kind.rules) all += ", " + std::string(rule.name);
    return invalid("step \"" + std::string(kind.name) + "\" has no setting \"" + key + "\"",
                   "settings: " + all);
  }
  StepSettings settings;
  for (const SettingRule& rule : kind.rules) {
    const auto at = spec.find(rule.name);
    MR_DO(read_setting(kind, rule, at == spec.end() || at->is_null() ? nullptr : &*at, settings));
  }
  return settings;
}

std::string difference_hint(const std::string& name, const Table& table) {
  std::string all;
  for (const Column& column : table.columns) {
    if (all.size() < 300) all += (all.empty() ? "columns at this step: " : ", ") + column.name;
  }
  return name.empty() ? "" : all;
}

// Names of the columns a step works on, in the order of the table.
Result<std::vector<std::string>> choose_columns(const StepKind& kind, const Json& spec,
                                                const StepSettings& settings, const Table& table) {
  std::set<std::string> wanted;
  std::string choice;
  const auto at = spec.find("columns");
  if (settings.lists.contains("names")) {
    const auto& pairs = settings.list("names");
    for (std::size_t i = 0; i < pairs.size(); i += 2) wanted.insert(pairs[i]);
  } else if (at == spec.end() || at->is_null()) {
    if (kind.apply_table != nullptr && !kind.whole_table)
      return invalid("step \"" + std::string(kind.name) + "\": columns is required");
    choice = kind.needs == Needs::Number ? "numeric" : kind.needs == Needs::Text ? "categorical" : "all";
  } else if (at->is_string()) {
    choice = at->get<std::string>();
  } else if (at->is_array()) {
    for (const Json& name : *at) {
      if (!name.is_string())
        return invalid("step \"" + std::string(kind.name) + "\", columns: expected names, got " +
                       name.dump());
      wanted.insert(name.get<std::string>());
    }
  } else {
    return invalid("step \"" + std::string(kind.name) +
                   "\", columns: expected a name or a list of names, got " + at->dump());
  }
  const bool by_type = choice == "numeric" || choice == "categorical" || choice == "all";
  if (!choice.empty() && !by_type) wanted.insert(choice);
  for (const std::string& name : wanted) {
    if (table.find(name) == nullptr) {
      return invalid("step \"" + std::string(kind.name) + "\": there is no column \"" + name + "\"",
                     difference_hint(name, table));
    }
  }
  std::vector<std::string> out;
  for (const Column& column : table.columns) {
    const bool number = column.type == Column::Type::Number;
    const bool chosen = wanted.contains(column.name) || choice == "all" || (choice == "numeric" && number) ||
                        (choice == "categorical" && !number);
    if (chosen) out.push_back(column.name);
  }
  return out;
}

// The column as the kind needs it.
Result<Column> adapted(const StepKind& kind, Column column) {
  if (kind.needs == Needs::Text) return as_texts(column);
  if (kind.needs == Needs::Number && column.type != Column::Type::Number) {
    return invalid("step \"" + std::string(kind.name) + "\": column \"" + column.name + "\" is text" +
                       (column.first_text.empty() ? "" : " (" + column.first_text + ")"),
                   "cast it to numbers, or encode it with one_hot, ordinal, target or hash");
  }
  return column;
}

Status check_names(const FittedStep& step, const Table& table) {
  std::set<std::string_view> seen;
  for (const Column& column : table.columns) {
    if (!seen.insert(column.name).second) {
      return invalid(
          "step \"" + std::string(step.kind->name) + "\" makes a second column \"" + column.name + "\"",
          "rename one first");
    }
  }
  return {};
}

}  // namespace

std::span<const StepKind> step_kinds() {
  static const std::vector<StepKind> kKinds = [] {
    std::vector<StepKind> all;
    for (const auto part : {number_step_kinds(), text_step_kinds(), word_step_kinds(), table_step_kinds()})
      all.insert(all.end(), part.begin(), part.end());
    return all;
  }();
  return kKinds;
}

Result<FittedStep> fit_step(const Json& spec, const Table& table, FitInput& input) {
  if (!spec.is_object() || !spec.contains("step") || !spec["step"].is_string()) {
    return invalid("a step is an object with a member \"step\": " + spec.dump().substr(0, 100),
                   "steps: " + kind_names());
  }
  const auto name = spec["step"].get<std::string>();
  const StepKind* kind = find_kind(name);
  if (kind == nullptr) return invalid("there is no step \"" + name + "\"", "steps: " + kind_names());
  FittedStep step{kind, {}, {}};
  MR_TRY(settings, read_settings(*kind, spec));
  step.settings = std::move(settings);
  MR_TRY(chosen, choose_columns(*kind, spec, step.settings, table));
  for (const std::string& column_name : chosen) {
    MR_TRY(column, adapted(*kind, *table.find(column_name)));
    if (kind->fit == nullptr) {
      step.columns.push_back({column_name, {}, {}});
      continue;
    }
    MR_TRY(fitted, kind->fit(column, step.settings, input));
    for (const double number : fitted.numbers) {
      if (!std::isfinite(number))
        return invalid("step \"" + name + "\": column \"" + column_name + "\" holds infinite values");
    }
    step.columns.push_back(std::move(fitted));
  }
  return step;
}

Status apply_step(const FittedStep& step, Table& table, FitInput* training) {
  const StepKind& kind = *step.kind;
  if (kind.apply_table != nullptr) {
    MR_DO(kind.apply_table(step, table));
    return training != nullptr ? check_names(step, table) : Status();
  }
  std::vector<Column> out;
  out.reserve(table.columns.size() + step.columns.size());
  auto next = step.columns.begin();  // both are in the order of the training table
  for (Column& column : table.columns) {
    if (next == step.columns.end() || next->column != column.name) {
      out.push_back(std::move(column));
      continue;
    }
    MR_TRY(input, adapted(kind, std::move(column)));
    if (training != nullptr && kind.apply_training != nullptr) {
      MR_DO(kind.apply_training(*next, step.settings, std::move(input), *training, out));
    } else {
      MR_DO(kind.apply(*next, step.settings, std::move(input), out));
    }
    ++next;
  }
  if (next != step.columns.end())
    return invalid("there is no column \"" + next->column + "\" at step \"" + std::string(kind.name) + "\"");
  table.columns = std::move(out);
  return training != nullptr ? check_names(step, table) : Status();
}

Json save_step(const FittedStep& step) {
  Json settings = Json::object(), columns = Json::array();
  for (const SettingRule& rule : step.kind->rules) {
    const std::string name(rule.name);
    if (rule.type == Type::Text)
      settings[name] = step.settings.text(name);
    else if (rule.type == Type::Flag)
      settings[name] = step.settings.number(name) != 0;
    else if (rule.type == Type::Number)
      settings[name] = step.settings.number(name);
    else if (rule.type == Type::Texts)
      settings[name] = step.settings.list(name);
    else {
      const auto& pairs = step.settings.list(name);
      for (std::size_t i = 0; i + 1 < pairs.size(); i += 2) settings[name][pairs[i]] = pairs[i + 1];
    }
  }
  for (const FittedColumn& column : step.columns) {
    Json saved = {{"column", column.column}};
    if (!column.numbers.empty()) saved["numbers"] = column.numbers;
    if (!column.texts.empty()) saved["texts"] = column.texts;
    columns.push_back(std::move(saved));
  }
  return Json{{"step", step.kind->name}, {"settings", std::move(settings)}, {"columns", std::move(columns)}};
}

Result<FittedStep> load_step(const Json& saved) {
  try {
    const auto name = saved.at("step").get<std::string>();
    FittedStep step{find_kind(name), {}, {}};
    if (step.kind == nullptr)
      return fail(ErrorCode::DataLoss,
                  "the pipeline has a step \"" + name + "\" that this version does not know");
    auto settings = read_settings(*step.kind, saved.at("settings"));
    if (!settings)
      return fail(ErrorCode::DataLoss, "the pipeline can't be read: " + settings.error().message);
    step.settings = std::move(*settings);
    for (const Json& entry : saved.at("columns")) {
      FittedColumn column;
      column.column = entry.at("column").get<std::string>();
      if (entry.contains("numbers")) column.numbers = entry["numbers"].get<std::vector<double>>();
      if (entry.contains("texts")) column.texts = entry["texts"].get<std::vector<std::string>>();
      if (column.numbers.size() <
          step.kind->numbers_min + step.kind->numbers_per_text * column.texts.size()) {
        return fail(ErrorCode::DataLoss,
                    "the pipeline's step \"" + name + "\" lacks numbers of column \"" + column.column + "\"");
      }
      step.columns.push_back(std::move(column));
    }
    return step;
  } catch (const Json::exception& error) {
    return fail(ErrorCode::DataLoss, std::string("the pipeline can't be read: ") + error.what());
  }
}

}  // namespace millrace::tasks
