// The functions at the end of a path. Those that add up take the numbers of the array they are called on and
// of their arguments together; arrays among the arguments count element by element.

#include <algorithm>
#include <cmath>

#include "definitions/jsonpath/evaluation.h"

namespace millrace::definitions::jsonpath {
namespace {

using Answer = tl::expected<Node, std::string>;
using Arguments = std::vector<Node>;

Node number_node(double n) {
  JsonWriter out;
  out.number(n);
  return made_node(out.finish());
}

Node null_node() {
  return made_node(Payload());
}

template <class Use>
void each_value(JsonView on, const Arguments& arguments, Use use) {
  if (on.is_array()) {
    for (const JsonView v : on.elements()) use(v, false);
  }
  for (const Node& argument : arguments) {
    if (!argument.view.is_array()) {
      use(argument.view, true);
      continue;
    }
    for (const JsonView v : argument.view.elements()) use(v, true);
  }
}

Answer length(const std::string&, const Node& on, const Arguments& arguments) {
  const JsonView v = !arguments.empty() && arguments[0].view.is_array() ? arguments[0].view : on.view;
  if (!v.is_array() && !v.is_object()) return null_node();
  JsonWriter out;
  out.number(std::int64_t{v.size()});
  return made_node(out.finish());
}

Answer keys(const std::string&, const Node& on, const Arguments&) {
  if (!on.view.is_object()) return null_node();
  JsonWriter out;
  out.begin_array();
  for (const auto [key, v] : on.view.members()) out.value(key);
  out.end_array();
  return made_node(out.finish());
}

Answer element(const std::string& function, const Node& on, const Arguments& arguments) {
  std::optional<std::int64_t> position = function == "first" ? 0 : -1;
  if (function == "index") {
    position = arguments.empty() ? std::nullopt : arguments[0].view.integer();
    if (!position) return tl::unexpected(std::string("index() needs a whole number"));
  }
  if (!on.view.is_array()) return tl::unexpected(function + "() needs an array");
  const auto size = static_cast<std::int64_t>(on.view.size());
  const std::int64_t from_start = *position < 0 ? *position + size : *position;
  if (from_start < 0 || from_start >= size)
    return tl::unexpected(function + "() finds no element, the array has " + std::to_string(size));
  return Node{on.view.at(static_cast<std::uint32_t>(from_start)), on.owner};
}

Answer append(const std::string&, const Node& on, const Arguments& arguments) {
  if (!on.view.is_array()) return on;
  JsonWriter out;
  out.begin_array();
  for (const JsonView v : on.view.elements()) out.value(v);
  for (const Node& argument : arguments) out.value(argument.view);
  out.end_array();
  return made_node(out.finish());
}

Answer concat(const std::string&, const Node& on, const Arguments& arguments) {
  std::string text;
  each_value(on.view, arguments, [&](JsonView v, bool is_argument) {
    if (v.is_string())
      text += v.string();
    else if (is_argument)
      text += v.text();
  });
  return made_node(Payload::string(text));
}

Answer aggregate(const std::string& function, const Node& on, const Arguments& arguments) {
  std::vector<double> values;
  each_value(on.view, arguments, [&](JsonView v, bool) {
    if (v.is_number()) values.push_back(v.number());
  });
  if (values.empty())
    return tl::unexpected(std::string("Aggregation function attempted to calculate value using empty array"));
  double sum = 0, squares = 0;
  for (const double v : values) sum += v;
  const double mean = sum / static_cast<double>(values.size());
  for (const double v : values) squares += (v - mean) * (v - mean);
  if (function == "avg") return number_node(mean);
  if (function == "min") return number_node(*std::min_element(values.begin(), values.end()));
  if (function == "max") return number_node(*std::max_element(values.begin(), values.end()));
  if (function == "stddev") return number_node(std::sqrt(squares / static_cast<double>(values.size())));
  return number_node(sum);
}

struct Row {
  std::string_view name;
  Answer (*run)(const std::string&, const Node&, const Arguments&);
};
constexpr Row kFunctions[] = {
    {"append", append}, {"avg", aggregate},    {"concat", concat}, {"first", element}, {"index", element},
    {"keys", keys},     {"last", element},     {"length", length}, {"max", aggregate}, {"min", aggregate},
    {"size", length},   {"stddev", aggregate}, {"sum", aggregate},
};

const Row* find(std::string_view name) {
  const auto it = std::find_if(std::begin(kFunctions), std::end(kFunctions),
                               [&](const Row& row) { return row.name == name; });
  return it == std::end(kFunctions) ? nullptr : it;
}

}  // namespace

bool is_function(std::string_view name) {
  return find(name) != nullptr;
}

Answer call(const std::string& function, const Node& on, const Arguments& arguments, Budget& budget) {
  budget.spend(on.view.node().next - on.view.index());
  const Row* row = find(function);
  if (!row) return tl::unexpected("no function is called '" + function + "'");
  return row->run(function, on, arguments);
}

}  // namespace millrace::definitions::jsonpath
