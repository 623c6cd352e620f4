#include "definitions/jsonpath/reference_path.h"

#include "definitions/jsonpath/compiled.h"

namespace millrace::definitions {
namespace {

using Steps = std::vector<ReferencePath::Step>;

bool write(JsonWriter& out, JsonView into, const Steps& steps, std::size_t at, const Payload& value);

bool write_element(JsonWriter& out, JsonView into, const Steps& steps, std::size_t at, const Payload& value) {
  const std::size_t position = std::get<std::size_t>(steps[at]);
  if (!into || !into.is_array() || position >= into.size()) return false;
  const auto before = static_cast<std::uint32_t>(position);
  const JsonView element = into.at(before);
  out.begin_array();
  out.run(into, into.index() + 1, element.index(), before);
  if (!write(out, element, steps, at + 1, value)) return false;
  out.run(into, element.node().next, into.node().next, into.size() - before - 1);
  out.end_array();
  return true;
}

bool write_member(JsonWriter& out, JsonView into, const Steps& steps, std::size_t at, const Payload& value) {
  const std::string& name = std::get<std::string>(steps[at]);
  if (into && !into.is_object()) return false;
  const JsonView key = into ? into.find_key(name) : JsonView();
  out.begin_object();
  if (!key) {
    if (into) out.run(into, into.index() + 1, into.node().next, into.size());
    out.key(name);
    if (!write(out, {}, steps, at + 1, value)) return false;
  } else {
    const JsonView member(key.document(), key.index() + 1);
    std::uint32_t before = 0;
    const JsonNode* const nodes = into.document()->nodes.data();
    for (std::uint32_t k = into.index() + 1; k < key.index(); k = nodes[k + 1].next) ++before;
    out.run(into, into.index() + 1, key.index(), before);
    out.key(key);
    if (!write(out, member, steps, at + 1, value)) return false;
    out.run(into, member.node().next, into.node().next, into.size() - before - 1);
  }
  out.end_object();
  return true;
}

// Writes `into` (which may be nothing) with `value` at the steps from `at` on; what stands around the place
// is copied in runs. False when the steps can't apply.
bool write(JsonWriter& out, JsonView into, const Steps& steps, std::size_t at, const Payload& value) {
  if (at == steps.size()) {
    out.value(value);
    return true;
  }
  return std::holds_alternative<std::string>(steps[at]) ? write_member(out, into, steps, at, value)
                                                        : write_element(out, into, steps, at, value);
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
  constexpr std::size_t kRoom = 64;  // a new member's name and punctuation
  JsonWriter out;
  out.reserve(into.size() + value.size() + kRoom,
              into.document()->nodes.size() + value.document()->nodes.size() + 2 * steps_.size());
  if (!write(out, into.view(), steps_, 0, value)) {
    return failed(error_names::kResultPathMatchFailure,
                  "Unable to apply ReferencePath " + source_ + " to input " + std::string(into.text()));
  }
  return out.finish();
}

}  // namespace millrace::definitions
