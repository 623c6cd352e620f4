// Pass, Succeed and Fail: the states that do nothing but shape data or end.

#include "definitions/parse.h"

namespace millrace::definitions {
namespace {

// The first key "x.$" in `value`: a Result that meant to be a template. False when there is none.
JsonView dollar_key(JsonView value) {
  // Nodes of a subtree are consecutive; keys are strings whose neighbour is their value, so every string is
  // looked at only where it is a key.
  if (value.is_object()) {
    for (const auto [key, inner] : value.members()) {
      if (key.string().ends_with(".$")) return key;
      if (const JsonView found = dollar_key(inner)) return found;
    }
  } else if (value.is_array()) {
    for (const JsonView element : value.elements()) {
      if (const JsonView found = dollar_key(element)) return found;
    }
  }
  return {};
}

TextField text_or_path(Parsing& p, std::string_view name) {
  TextField out;
  const std::string by_path = std::string(name) + "Path";
  if (!p.fields.at_most_one({name, by_path})) return out;
  if (std::optional<Query> query = p.fields.query(name)) {
    out.value = std::move(*query);
    return out;
  }
  if (p.fields.has(name)) {
    if (std::optional<std::string> text = p.fields.text(name)) out.value = std::move(*text);
    return out;
  }
  if (!p.json_path()) return out;
  const std::optional<std::string> source = p.fields.text(by_path);
  if (!source) return out;
  if (source->starts_with("States.")) {
    auto call = IntrinsicCall::parse(*source, p.source.limits());
    if (call)
      out.value = std::move(*call);
    else
      p.fields.error_at(by_path,
                        "The value for the field '" + by_path +
                            "' must be a valid JSONPath or a valid intrinsic function call",
                        call.error().message);
  } else if (std::optional<Path> path = p.fields.path(by_path)) {
    out.value = std::move(*path);
  }
  return out;
}

}  // namespace

void parse_pass(Parsing& p) {
  Pass pass;
  if (const JsonView result = p.fields.find("Result"); result && p.json_path()) {
    pass.result = Payload::of(result);
    if (const JsonView key = dollar_key(result)) {
      p.source.warning(
          key, place(p.fields.pointer(), "Result"), codes::kStaticResult,
          "The Result of a Pass state is static: " + std::string(key.text()) + " is not evaluated",
          "use Parameters to read paths");
    }
  }
  p.node.kind = std::move(pass);
  parse_transition(p);
}

void parse_succeed(Parsing& p) {
  p.node.kind = Succeed{};
}

void parse_fail(Parsing& p) {
  Fail fail;
  fail.error = text_or_path(p, "Error");
  fail.cause = text_or_path(p, "Cause");
  p.node.kind = std::move(fail);
}

}  // namespace millrace::definitions
