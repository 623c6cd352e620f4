#include <algorithm>
#include <set>

#include "definitions/parse.h"

namespace millrace::definitions {
namespace {

struct Sign {
  std::string_view ending, sign;
};
// "NumericGreaterThanEquals" reads as ≥; the longer endings come first.
constexpr Sign kSigns[] = {
    {"GreaterThanEquals", "≥"}, {"LessThanEquals", "≤"}, {"GreaterThan", ">"},
    {"LessThan", "<"},          {"Equals", "="},         {"Matches", "like"},
};

// A rule in few words, for pictures: "$.auc ≥ 0.8", "… and …", cut at 40 characters by whoever draws it.
std::string words(JsonView rule, int depth) {
  if (!rule.is_object() || depth > 3) return "…";
  if (const JsonView inner = rule.find("Not")) return "not (" + words(inner, depth + 1) + ")";
  for (const std::string_view joint : {"And", "Or"}) {
    const JsonView parts = rule.find(joint);
    if (!parts || !parts.is_array()) continue;
    std::string out;
    for (const JsonView part : parts.elements()) {
      if (out.size() > 80) break;
      if (!out.empty()) out += joint == "And" ? " and " : " or ";
      out += words(part, depth + 1);
    }
    return out;
  }
  const JsonView variable = rule.find("Variable");
  std::string out = variable && variable.is_string() ? variable.string() : "…";
  for (const auto [key, value] : rule.members()) {
    std::string name = key.string();
    if (std::find(choice_operators().begin(), choice_operators().end(), name) == choice_operators().end())
      continue;
    if (name.starts_with("Is")) return out + (value.boolean() ? " " : " not ") + name;
    if (name.ends_with("Path")) name.resize(name.size() - 4);
    for (const Sign& sign : kSigns) {
      if (!name.ends_with(sign.ending)) continue;
      return out + " " + std::string(sign.sign) + " " +
             (value.is_string() ? value.string() : std::string(value.text()));
    }
  }
  return out;
}

// The expression without its marks.
std::string words_of(std::string text) {
  if (text.starts_with("{%")) text.erase(0, 2);
  if (text.ends_with("%}")) text.resize(text.size() - 2);
  const std::size_t first = text.find_first_not_of(' ');
  if (first == std::string::npos) return {};
  return text.substr(first, text.find_last_not_of(' ') - first + 1);
}

// A rule of a JSONata state: Condition, Next, Assign and Output.
void parse_condition(Parsing& p, Fields& fields, JsonView rule, ChoiceBranch& branch) {
  static constexpr FieldRule kRule[] = {
      {"Condition", ~0u, Use::Both, "true, false or an expression, e.g. \"{% $states.input.auc > 0.8 %}\""},
      {"Next", ~0u, Use::Both, "the name of a state in the same States"},
      {"Assign", ~0u, Use::Both, "an object of variables by name"},
      {"Output", ~0u, Use::Both, "any JSON with {% %} expressions"},
      {"Comment", ~0u, Use::Both, "a text"}};
  Fields own(p.source, rule, fields.pointer(), rule, kRule);
  own.refuse_unknown(~0u, p.node.language);
  branch.output = own.payload_template("Output");
  if (!own.require({"Condition"})) return;
  const JsonView condition = own.find("Condition");
  std::vector<Problem> problems;
  branch.rule = ChoiceRule::compile_condition(condition, own.site("Condition"), problems);
  branch.label = condition.is_string() ? words_of(condition.string()) : std::string(condition.text());
  p.source.add(condition, place(own.pointer(), "Condition"), problems);
}

ChoiceBranch parse_rule(Parsing& p, JsonView rule, std::size_t index) {
  ChoiceBranch branch;
  const std::string pointer = place(p.fields.pointer(), "Choices", index);
  if (!rule.is_object()) {
    p.source.error(rule, pointer, codes::kSchema, "Expected value of type Object", p.fields.takes("Choices"));
    p.names.incomplete = true;
    return branch;
  }
  static constexpr FieldRule kRule[] = {{"Next", ~0u, Use::Both, "the name of a state in the same States"}};
  Fields fields(p.source, rule, pointer, rule, kRule);
  if (!fields.has("Next")) {
    fields.error(codes::kSchema, "These fields are required: [Next]", fields.takes("Next"));
    p.names.incomplete = true;
  } else {
    branch.next = parse_target(p, fields, "Next");
  }
  branch.assign = fields.assign();
  if (!p.json_path()) {
    parse_condition(p, fields, rule, branch);
    return branch;
  }
  std::vector<Problem> problems;
  branch.rule = ChoiceRule::compile(rule, problems);
  branch.label = words(rule, 0);
  p.source.add(rule, pointer, problems);
  return branch;
}

// What a rule says, without what follows from it; tests of the kind Is… with the other boolean if `flip`.
std::string essence(JsonView rule, bool flip = false) {
  std::string out;
  for (const auto [key, value] : rule.members()) {
    const std::string name = key.string();
    if (name == "Next" || name == "Assign" || name == "Output" || name == "Comment") continue;
    const bool other = flip && name.starts_with("Is") && value.is_boolean();
    out += name + ":" + (other ? (value.boolean() ? "false" : "true") : std::string(value.text())) + ",";
  }
  return out;
}

// Whether one of the rules holds for certain: a constant true, or a rule and its opposite. Told by the words
// of the rules alone: Not, or Is… with the other boolean. A comparison is false for a value of another type,
// so that only Not is its opposite.
bool covers_everything(const Choice& choice, JsonView rules) {
  std::set<std::string> said;
  for (const JsonView rule : rules.elements()) {
    if (rule.is_object()) said.insert(essence(rule));
  }
  for (const JsonView rule : rules.elements()) {
    if (!rule.is_object()) continue;
    const JsonView inner = rule.find("Not");
    if (inner && inner.is_object() && said.contains(essence(inner))) return true;
    const std::string flipped = essence(rule, true);
    if (flipped != essence(rule) && said.contains(flipped)) return true;
  }
  return std::any_of(choice.branches.begin(), choice.branches.end(),
                     [](const ChoiceBranch& branch) { return branch.rule.always(); });
}

}  // namespace

void parse_choice(Parsing& p) {
  Choice choice;
  if (!p.fields.require({"Choices"})) p.names.incomplete = true;
  if (const JsonView rules = p.fields.array("Choices")) {
    std::size_t index = 0;
    for (const JsonView rule : rules.elements()) choice.branches.push_back(parse_rule(p, rule, index++));
  } else {
    p.names.incomplete = true;
  }
  if (p.fields.has("Default")) {
    choice.default_next = parse_target(p, p.fields, "Default");
  } else if (!p.names.incomplete && !covers_everything(choice, p.fields.find("Choices"))) {
    p.source.warning(p.fields.anchor(), p.fields.pointer(), codes::kNoDefault,
                     "A Choice without Default fails with States.NoChoiceMatched when no rule holds",
                     "add \"Default\": … unless the rules cover everything");
  }
  p.node.kind = std::move(choice);
}

}  // namespace millrace::definitions
