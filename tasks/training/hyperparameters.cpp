#include "tasks/training/hyperparameters.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>
#include <optional>

#include "base/check.h"

namespace millrace::tasks {

namespace {

using Type = HyperParameterRule::Type;

bool is_choice(std::string_view choices, std::string_view text) {
  while (!choices.empty()) {
    const std::size_t bar = choices.find('|');
    if (choices.substr(0, bar) == text) return true;
    choices = bar == std::string_view::npos ? std::string_view() : choices.substr(bar + 1);
  }
  return false;
}

const HyperParameterRule* find_rule(std::span<const HyperParameterRule> rules, std::string_view name) {
  const auto found = std::ranges::find(rules, name, &HyperParameterRule::name);
  return found == rules.end() ? nullptr : &*found;
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t substituted = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, substituted});
    }
  }
  return row.back();
}

// 1e6 as "1000000", 0.5 as "0.5"
std::string limit_text(double value) {
  char buffer[32];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value).ptr;
  std::string text(buffer, end);
  return text.find('e') == std::string::npos || std::abs(value) > 1e15 || std::abs(value) < 1
             ? text
             : std::to_string(static_cast<long long>(value));
}

constexpr double kUnlimited = 1e15;  // a rule's `high` from here on means: no upper end

std::string expectation(const HyperParameterRule& rule) {
  std::string text;
  switch (rule.type) {
    case Type::Integer:
      text = "an integer";
      break;
    case Type::Real:
      text = "a number";
      break;
    case Type::Boolean:
      return "true or false";
    case Type::Choice:
      return "one of " + std::string(rule.choices);
    case Type::Text:
      return "a text";
  }
  if (rule.low < rule.high && rule.high >= kUnlimited && rule.low > -kUnlimited) {
    text += " of at least " + limit_text(rule.low);
  } else if (rule.low < rule.high && rule.low > -kUnlimited) {
    text += " from " + limit_text(rule.low) + " to " + limit_text(rule.high);
  }
  if (!rule.choices.empty()) text += " or " + std::string(rule.choices);
  return text;
}

bool fits(const HyperParameterRule& rule, std::string_view text) {
  switch (rule.type) {
    case Type::Text:
      return !text.empty();
    case Type::Choice:
      return is_choice(rule.choices, text);
    case Type::Boolean:
      return is_choice("true|false|True|False|1|0", text);
    case Type::Integer:
    case Type::Real:
      break;
  }
  if (is_choice(rule.choices, text)) return true;
  const auto value = parse_real(text);
  if (!value || (rule.type == Type::Integer && (*value != std::floor(*value) || std::abs(*value) > 1e15)))
    return false;
  return rule.low >= rule.high || (*value >= rule.low && *value <= rule.high);
}

}  // namespace

std::optional<double> parse_real(std::string_view text) {
  if (text.starts_with('+')) text.remove_prefix(1);
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) return std::nullopt;
  return value;
}

std::string_view nearest_name(std::string_view name, std::span<const std::string_view> names) {
  std::string_view best;
  std::size_t best_distance = std::max<std::size_t>(2, name.size() / 3) + 1;
  for (const std::string_view candidate : names) {
    const std::size_t distance = edit_distance(name, candidate);
    if (distance < best_distance) best = candidate, best_distance = distance;
  }
  return best;
}

Status check_against_rules(std::string_view algorithm, std::span<const HyperParameterRule> rules,
                           const HyperParameters& parameters) {
  std::vector<std::string_view> names;
  for (const auto& rule : rules) names.push_back(rule.name);
  for (const auto& [name, value] : parameters) {
    const HyperParameterRule* rule = find_rule(rules, name);
    if (rule == nullptr) {
      const std::string_view near = nearest_name(name, names);
      std::string known;
      for (const std::string_view other : names) known += (known.empty() ? "" : ", ") + std::string(other);
      return invalid("hyperparameter '" + name + "' is not one of " + std::string(algorithm) + "'s" +
                         (near.empty() ? "" : ": did you mean '" + std::string(near) + "'?"),
                     std::string(algorithm) + " has " + known);
    }
    if (!fits(*rule, value)) {
      return invalid("hyperparameter '" + name + "' is '" + value + "': expected " + expectation(*rule));
    }
  }
  for (const auto& rule : rules) {
    if (rule.required && !parameters.contains(std::string(rule.name))) {
      return invalid("hyperparameter '" + std::string(rule.name) + "' is required by " +
                     std::string(algorithm) + ": expected " + expectation(rule));
    }
  }
  return {};
}

Result<std::vector<std::string>> parse_names(std::string_view name, std::string_view text,
                                             std::string_view choices) {
  const auto wrong = [&] {
    return invalid("hyperparameter '" + std::string(name) + "' is '" + std::string(text) +
                   "': expected a list like [\"" + std::string(choices.substr(0, choices.find('|'))) +
                   "\"] of " + std::string(choices));
  };
  const Json json = Json::parse(text, nullptr, false);
  if (!json.is_array() || json.empty()) return wrong();
  std::vector<std::string> names;
  for (const Json& item : json) {
    if (!item.is_string() || !is_choice(choices, item.get<std::string>())) return wrong();
    names.push_back(item.get<std::string>());
    if (std::ranges::count(names, names.back()) > 1) return wrong();
  }
  return names;
}

std::string_view ParameterReader::text(std::string_view name) const {
  const auto found = parameters_->find(std::string(name));
  if (found != parameters_->end()) return found->second;
  const HyperParameterRule* rule = find_rule(rules_, name);
  MR_CHECK(rule != nullptr, "a hyperparameter without a rule is read");
  return rule->default_value;
}

double ParameterReader::real(std::string_view name) const {
  const auto value = parse_real(text(name));
  MR_CHECK(value.has_value(), "hyperparameters are checked before they are read");
  return *value;
}

std::int64_t ParameterReader::integer(std::string_view name) const {
  return static_cast<std::int64_t>(real(name));
}

bool ParameterReader::boolean(std::string_view name) const {
  return is_choice("true|True|1|auto", text(name));
}

double ParameterReader::real_or(std::string_view name, double otherwise) const {
  return parse_real(text(name)).value_or(otherwise);
}

std::int64_t ParameterReader::integer_or(std::string_view name, std::int64_t otherwise) const {
  return static_cast<std::int64_t>(real_or(name, static_cast<double>(otherwise)));
}

}  // namespace millrace::tasks
