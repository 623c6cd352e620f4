#include "definitions/jsonpath/reference_path.h"

#include "definitions/jsonpath/compiled.h"

namespace millrace::definitions {
namespace {

using Steps = std::vector<ReferencePath::Step>;

// Writes `value` at the steps from `at` on, inside `into` (which may be nothing). False when it can't apply.
bool write(JsonWriter& out, JsonView into, const Steps& steps, std::size_t at, const Payload& value) {
  if (at == steps.size()) {
    out.value(value);
    return true;
  }
  if (const auto* position = std::get_if<std::size_t>(&steps[at])) {
    if (!into || !into.is_array() || *position >= into.size()) return false;
    out.begin_array();
    std::size_t i = 0;
    for (const JsonView element : into.elements()) {
      if (i++ != *position)
        out.value(element);
      else if (!write(out, element, steps, at + 1, value))
        return false;
    }
    out.end_array();
    return true;
  }
  const std::string& name = std::get<std::string>(steps[at]);
  if (into && !into.is_object()) return false;
  out.begin_object();
  bool replaced = false;
  if (into) {
    for (const auto [key, member] : into.members()) {
      out.key(key);
      if (replaced || !key.equals(name)) {
        out.value(member);
        continue;
      }
      replaced = true;
      if (!write(out, member, steps, at + 1, value)) return false;
    }
  }
  if (!replaced) {
    out.key(name);
    if (!write(out, {}, steps, at + 1, value)) return false;
  }
  out.end_object();
  return true;
}

}  // namespace

Result<ReferencePath> ReferencePath::parse(std::string_view source) {
  MR_TRY(path, Path::parse(source));
  const auto wrong = [&](std::string_view why) {
    return invalid("'" + std::string(source) + "' is not a Reference Path: " + std::string(why),
                   "a Reference Path names one node by members and indices, like $.a.b[0]");
  };
  if (path.root() != Path::Root::Input) return wrong("it must begin with '$.'");
  ReferencePath made;
  made.source_ = std::string(source);
  for (const jsonpath::Step& s : path.compiled().steps) {
    if (const auto* member = std::get_if<jsonpath::step::Member>(&s)) {
      made.steps_.emplace_back(member->name);
    } else if (const auto* index = std::get_if<jsonpath::step::Index>(&s); index && index->position >= 0) {
      made.steps_.emplace_back(static_cast<std::size_t>(index->position));
    } else {
      return wrong("it can name several nodes");
    }
  }
  return made;
}

Outcome ReferencePath::put(const Payload& into, const Payload& value) const {
  if (whole()) return value;
  JsonWriter out;
  if (!write(out, into.view(), steps_, 0, value)) {
    return failed(error_names::kResultPathMatchFailure,
                  "Unable to apply ReferencePath " + source_ + " to input " + std::string(into.text()));
  }
  return out.finish();
}

}  // namespace millrace::definitions
