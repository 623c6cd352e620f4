#pragma once
// Runs one case of JSONata: {expr, data | dataset, bindings, expect, dialect}, in the form of the shared
// suite. An expectation is exactly one of result, undefined, error (a code, "*" for any), unsupported.

#include <cmath>
#include <map>
#include <string>

#include "base/json.h"
#include "definitions/jsonata/jsonata.h"
#include "tests/support/cases.h"

namespace millrace::tests {

// Equal as JSON; numbers to within `tolerance`, relative; `unordered`: the items of the outermost array.
inline bool same_json(const Json& a, const Json& b, double tolerance, bool unordered = false) {
  if (a.is_number() && b.is_number()) {
    const double x = a.get<double>(), y = b.get<double>();
    return x == y || std::fabs(x - y) <= tolerance * std::fabs(y);
  }
  if (a.type() != b.type()) return false;
  if (a.is_array()) {
    if (a.size() != b.size()) return false;
    std::vector<bool> used(b.size());
    for (std::size_t i = 0; i < a.size(); ++i) {
      bool found = false;
      for (std::size_t k = unordered ? 0 : i; k < (unordered ? b.size() : i + 1) && !found; ++k) {
        found = !used[k] && same_json(a[i], b[k], tolerance);
        if (found) used[k] = true;
      }
      if (!found) return false;
    }
    return true;
  }
  if (a.is_object()) {
    if (a.size() != b.size()) return false;
    for (const auto& [key, value] : a.items())
      if (!b.contains(key) || !same_json(value, b[key], tolerance)) return false;
    return true;
  }
  return a == b;
}

struct JsonataAnswer {
  std::string kind;  // result, undefined, unsupported, error
  Json value;
  definitions::JsonataError error;
  std::string shown() const {
    return kind + " " + (kind == "error" ? error.code + " " + error.message : value.dump());
  }
};

inline JsonataAnswer run_jsonata(const std::string& expression, const Payload* input, const Json& bindings,
                                 definitions::JsonataDialect dialect, const Limits& limits = {}) {
  using definitions::JsonataResult;
  const auto compiled = definitions::Jsonata::compile(expression, dialect);
  if (!compiled) return {"error", {}, compiled.error()};
  std::vector<std::pair<std::string, Payload>> owned;
  for (const auto& [name, value] : bindings.items()) owned.emplace_back(name, to_payload(value));
  std::vector<definitions::Jsonata::Binding> given;
  for (const auto& [name, value] : owned) given.emplace_back(name, value.view());
  const Environment environment{from_millis(1'700'000'000'000), 42, &limits};
  const auto result = compiled->evaluate(input ? input->view() : JsonView(), given, environment);
  switch (result.kind) {
    case JsonataResult::Kind::Value:
      return {"result", to_json(result.value.view()), {}};
    case JsonataResult::Kind::Undefined:
      return {"undefined", {}, {}};
    case JsonataResult::Kind::Unsupported:
      return {"unsupported", {}, {}};
    default:
      return {"error", {}, result.error};
  }
}

// "" when the answer is what `expect` says, else what is different.
inline std::string jsonata_difference(const Json& expect, const JsonataAnswer& answer, double tolerance,
                                      bool unordered) {
  if (expect.contains("error")) {
    const auto code = expect["error"].get<std::string>();
    const bool same = answer.kind == "error" && (code == "*" || code == answer.error.code);
    return same ? "" : "answers " + answer.shown();
  }
  if (expect.contains("undefined")) return answer.kind == "undefined" ? "" : "answers " + answer.shown();
  if (expect.contains("unsupported")) return answer.kind == "unsupported" ? "" : "answers " + answer.shown();
  if (answer.kind != "result") return "answers " + answer.shown();
  return same_json(answer.value, expect["result"], tolerance, unordered) ? "" : "answers " + answer.shown();
}

}  // namespace millrace::tests
