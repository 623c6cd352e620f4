#pragma once
// The compiled form of a path: a list of steps. For jsonpath/ only.

#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "definitions/jsonpath/path.h"
#include "definitions/jsonpath/regex.h"

namespace millrace::definitions::jsonpath {

struct Filter;

namespace step {
struct Member {
  std::string name;
};
struct Members {
  std::vector<std::string> names;
};  // ['a','b']: one object with those members
struct Index {
  std::int64_t position;
};  // negative counts from the end
struct Indices {
  std::vector<std::int64_t> positions;
};
struct Slice {
  std::optional<std::int64_t> first, last;
};
struct Wildcard {};
struct Descend {};  // `..`: the node and everything below it
struct Select {
  std::shared_ptr<const Filter> filter;
};
struct Call;
}  // namespace step
using Step = std::variant<step::Member, step::Members, step::Index, step::Indices, step::Slice,
                          step::Wildcard, step::Descend, step::Select, std::shared_ptr<const step::Call>>;

// .length(), .sum($.a, 1), …: arguments are values or paths from the root.
struct step::Call {
  std::string function;
  std::vector<std::variant<Payload, std::vector<Step>>> arguments;
};
using CallStep = std::shared_ptr<const step::Call>;

// Operand of a filter: a literal document, a regular expression, or a path on
// the current node (@) or the root ($).
struct Operand {
  std::optional<Payload> literal;
  std::optional<Regex> regex;  // /…/flags
  bool on_current = false;
  std::vector<Step> path;
};
struct Filter {
  enum class Kind { And, Or, Not, Exists, Compare } kind = Kind::Exists;
  std::vector<Filter> parts;  // And, Or: two or more; Not: one
  Operand left, right;        // Exists uses left
  std::string op;             // "==", "=~", "in", …
};

bool is_function(std::string_view name);
// Whether a step names one node at most; `last`: it stands at the end of its path.
bool definite(const Step& step, bool last);
bool definite(const std::vector<Step>& steps);
// "$['a'][0]": how messages name a path.
std::string normalised(const std::vector<Step>& steps, std::size_t count);

}  // namespace millrace::definitions::jsonpath

namespace millrace::definitions {
struct Path::Compiled {
  std::vector<jsonpath::Step> steps;
  bool definite = true;
  std::string unknown_function;
};
}  // namespace millrace::definitions
