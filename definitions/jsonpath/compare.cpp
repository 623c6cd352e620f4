// The comparisons of filters. Values of different types compare as the library does: a number and a text that
// reads as it are equal, order comparisons never cross types.

#include "definitions/jsonpath/evaluation.h"

namespace millrace::definitions::jsonpath {
namespace {

// The number that a value is, or that a string reads as.
std::optional<double> as_number(JsonView v) {
  constexpr std::size_t kDigitsMax = 400;  // longer texts are no numbers anybody compares with
  if (v.is_number()) return v.number();
  if (!v.is_string() || v.text().size() > kDigitsMax) return std::nullopt;
  const auto parsed = Payload::parse(v.string());
  if (!parsed || !parsed->view().is_number()) return std::nullopt;
  return parsed->view().number();
}

// The text of a number as Java's BigDecimal shows it; nothing for one it would show with an exponent.
std::optional<std::string> decimal_text(std::string_view number) {
  const std::size_t e = number.find_first_of("eE");
  std::string digits(number.substr(0, e));
  if (e == std::string_view::npos) return digits == "-0" ? "0" : digits;
  std::int64_t scale = -std::atoll(std::string(number.substr(e + 1)).c_str());
  if (const std::size_t point = digits.find('.'); point != std::string::npos) {
    scale += static_cast<std::int64_t>(digits.size() - point - 1);
    digits.erase(point, 1);
  }
  const bool negative = digits[0] == '-';
  if (negative) digits.erase(0, 1);
  while (digits.size() > 1 && digits[0] == '0') digits.erase(0, 1);
  if (scale < 0 || scale > static_cast<std::int64_t>(digits.size()) + 5) return std::nullopt;
  const auto decimals = static_cast<std::size_t>(scale);
  if (digits.size() <= decimals) digits.insert(0, decimals + 1 - digits.size(), '0');
  if (decimals > 0) digits.insert(digits.size() - decimals, 1, '.');
  return negative && digits != "0" ? "-" + digits : digits;
}

// The library is not symmetric: a text on the left must be the number's very text, one on the right may read
// as it.
bool equal_values(JsonView a, JsonView b, Budget& budget) {
  if (a.is_string() && b.is_number()) return decimal_text(b.text()) == a.string();
  if (a.is_number() != b.is_number()) {
    const auto x = as_number(a), y = as_number(b);
    return x && y && *x == *y;
  }
  return budget.spend(a.node().next - a.index()) && equal(a, b);
}

bool contains(JsonView list, JsonView item, Budget& budget) {
  if (list.is_string() && item.is_string()) return list.string().find(item.string()) != std::string::npos;
  if (!list.is_array()) return false;
  for (const JsonView v : list.elements()) {
    if (equal_values(item, v, budget)) return true;
    if (budget.left == 0) break;
  }
  return false;
}

std::size_t shared(JsonView a, JsonView b, Budget& budget) {
  std::size_t n = 0;
  for (const JsonView v : a.elements()) n += contains(b, v, budget);
  return n;
}

bool compare_sets(const std::string& op, JsonView a, JsonView b, Budget& budget) {
  if (op == "all") return false;  // the library refuses every list it is given here, and so finds nothing
  if (!a.is_array() || !b.is_array()) return false;
  if (op == "subsetof") return shared(a, b, budget) == a.size();
  return (shared(a, b, budget) > 0) == (op == "anyof");
}

bool has_size(JsonView v, JsonView expected) {
  if (!expected.is_number() || !(v.is_array() || v.is_object() || v.is_string())) return false;
  const std::size_t size = v.is_string() ? v.string().size() : v.size();
  return expected.number() == static_cast<double>(size);
}

bool is_empty(JsonView v, JsonView expected) {
  if (!expected.is_boolean() || !(v.is_array() || v.is_object() || v.is_string())) return false;
  return expected.boolean() == (v.is_string() ? v.text().size() == 2 : v.size() == 0);
}

// All of the text must match; what has no text counts as an empty one.
bool matches(const Regex& regex, const std::optional<Node>& value, Budget& budget) {
  std::string text;
  if (value && value->view.is_string()) text = value->view.string();
  if (value && (value->view.is_number() || value->view.is_boolean())) text = std::string(value->view.text());
  // A match costs more than looking at a node; one that goes back and forth costs a lot, and few may.
  constexpr std::size_t kCheapMatch = 20, kBytesPerNode = 16, kDearMatch = 20'000;
  constexpr std::uint32_t kCheapSteps = 1'000, kDearSteps = 200'000;
  if (!budget.spend(kCheapMatch + text.size() / kBytesPerNode)) return false;
  std::optional<bool> matched = regex.matches(text, kCheapSteps);
  if (!matched && budget.spend(kDearMatch)) matched = regex.matches(text, kDearSteps);
  if (!matched) {
    budget.left = 0;
    budget.why = "a regular expression needs more steps than are allowed; write it without nested repetition";
  }
  return matched.value_or(false);
}

bool in_order(const std::string& op, JsonView a, JsonView b) {
  int order = 0;
  if (a.is_number() && b.is_number()) {
    order = a.number() < b.number() ? -1 : a.number() > b.number();
  } else if (a.is_string() && b.is_string()) {
    order = a.string().compare(b.string());
  } else {
    return false;
  }
  if (op == "<") return order < 0;
  if (op == "<=") return order <= 0;
  if (op == ">") return order > 0;
  return op == ">=" && order >= 0;
}

}  // namespace

bool compare(const std::string& op, const std::optional<Node>& left, const std::optional<Node>& right,
             const Regex* regex, Budget& budget) {
  if (op == "=~") return regex && matches(*regex, left, budget);
  if (op == "!=" || op == "!==") return !left || !right || !equal_values(left->view, right->view, budget);
  if (op == "nin" && !left) return right && right->view.is_array();
  if (!left || !right) return false;
  const JsonView a = left->view, b = right->view;
  if (op == "==") return equal_values(a, b, budget);
  if (op == "===") return budget.spend(a.node().next - a.index()) && equal(a, b);
  if (op == "in") return b.is_array() && contains(b, a, budget);
  if (op == "nin") return b.is_array() && !contains(b, a, budget);
  if (op == "contains") return contains(a, b, budget);
  if (op == "size") return has_size(a, b);
  if (op == "empty") return is_empty(a, b);
  if (op == "subsetof" || op == "anyof" || op == "noneof" || op == "all")
    return compare_sets(op, a, b, budget);
  return in_order(op, a, b);
}

}  // namespace millrace::definitions::jsonpath
