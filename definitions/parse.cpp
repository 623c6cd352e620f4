#include "definitions/parse.h"

#include <utility>

#include "base/utf8.h"
#include "definitions/check.h"

namespace millrace::definitions {
namespace {

struct StateParser {
  std::string_view name;
  StateType type;
  void (*parse)(Parsing&);
};
// In the order in which AWS lists the types.
constexpr StateParser kStateParsers[] = {
    {"Task", StateType::Task, parse_task},
    {"Wait", StateType::Wait, parse_wait},
    {"Pass", StateType::Pass, parse_pass},
    {"Succeed", StateType::Succeed, parse_succeed},
    {"Fail", StateType::Fail, parse_fail},
    {"Choice", StateType::Choice, parse_choice},
    {"Parallel", StateType::Parallel, parse_parallel},
    {"Map", StateType::Map, parse_map},
};

std::span<const FieldRule> fields_of(ScopeKind kind) {
  switch (kind) {
    case ScopeKind::Machine:
      return machine_fields();
    case ScopeKind::Branch:
      return branch_fields();
    case ScopeKind::Processor:
      return processor_fields();
  }
  return machine_fields();
}

const StateParser* parser_of(Fields& fields) {
  if (!fields.require({"Type"})) return nullptr;
  const std::optional<std::string> type = fields.text("Type");
  if (!type) return nullptr;
  std::vector<std::string_view> all;
  for (const StateParser& parser : kStateParsers) {
    if (parser.name == *type) return &parser;
    all.push_back(parser.name);
  }
  const std::string near = fields.source().nearest_name(*type, all);
  fields.error_at("Type", "The field 'Type' should have one of these values: " + list_of(all),
                  near.empty() ? "it is '" + *type + "'" : "did you mean '" + near + "'?");
  return nullptr;
}

// The state's own QueryLanguage, or the machine's.
QueryLanguage language_of(Parsing& p) {
  const std::optional<std::string> own = p.fields.one_of("QueryLanguage", {"JSONPath", "JSONata"});
  if (!own) return p.machine_language;
  if (*own == "JSONata") return QueryLanguage::JsonAta;
  if (p.machine_language == QueryLanguage::JsonAta) {
    p.fields.error(codes::kSchema,
                   "'QueryLanguage' can not be 'JSONPath' if set to 'JSONata' for whole state machine",
                   "remove it here or at the top");
  }
  return QueryLanguage::JsonPath;
}

void parse_data_flow(Parsing& p) {
  DataFlow& flow = p.node.flow;
  const StateType type = p.node.type();
  if (type == StateType::Fail) return;
  const bool works = type == StateType::Task || type == StateType::Parallel || type == StateType::Map;
  if (type != StateType::Succeed) flow.assign = p.fields.assign(works);
  if (!p.json_path()) {
    if (type == StateType::Task || type == StateType::Parallel)
      flow.arguments = p.fields.payload_template("Arguments");
    flow.output = p.fields.payload_template("Output", works);
    return;
  }
  flow.input_path = p.fields.path_field("InputPath");
  flow.output_path = p.fields.path_field("OutputPath");
  if (type == StateType::Choice || type == StateType::Wait || type == StateType::Succeed) return;
  if (type != StateType::Map)
    flow.parameters = p.fields.payload_template("Parameters");  // a Map's is its ItemSelector
  if (type != StateType::Pass) flow.result_selector = p.fields.payload_template("ResultSelector");
  flow.result_path = p.fields.result_path("ResultPath");
}

bool parse_state(Source& source, ScopeNames& names, NodeIndex index, JsonView value, Node& node,
                 QueryLanguage machine_language, int depth) {
  const JsonView key = names.keys[index];
  const std::string pointer = place(place(names.pointer, "States"), node.name);
  if (!value.is_object()) {
    source.error(value, pointer, codes::kSchema, "Expected value of type Object",
                 "a state is an object with a Type, e.g. {\"Type\": \"Pass\", \"End\": true}");
    return false;
  }
  Fields fields(source, value, pointer, key, state_fields());
  const StateParser* parser = parser_of(fields);
  if (!parser) return false;
  Parsing p{source, fields, names, node, machine_language, depth};
  node.language = language_of(p);
  const Source::State outer = std::exchange(source.state, {node.language, pointer});
  fields.refuse_unknown(bit(parser->type), node.language);
  node.comment = fields.text("Comment").value_or("");
  parser->parse(p);
  parse_data_flow(p);
  source.state = outer;
  return true;
}

void check_name(Source& source, const ScopeNames& names, JsonView key, const std::string& name) {
  const std::string pointer = place(place(names.pointer, "States"), name);
  const std::size_t length = count_code_points(name), most = source.limits().name_characters_max;
  if (length == 0 || length > most) {
    source.error(key, pointer, codes::kStateName,
                 length == 0 ? "State name cannot be empty"
                             : "State name is " + std::to_string(length) + " characters long; the limit is " +
                                   std::to_string(most));
  }
  const auto [first, fresh] = source.state_places.emplace(name, pointer);
  if (!fresh) {
    source.error(key, pointer, codes::kDuplicateState, "Duplicate State name: " + name,
                 "the first one is at " + first->second + "; names are unique in the whole definition");
  }
}

void parse_states(Source& source, JsonView states, ScopeNames& names, Program& program,
                  QueryLanguage language, int depth) {
  program.nodes.resize(states.size());
  NodeIndex index = 0;
  for (const auto [key, value] : states.members()) {
    Node& node = program.nodes[index];
    node.name = key.string();
    node.position = source.position(key);
    check_name(source, names, key, node.name);
    names.keys.push_back(key);
    names.all.push_back(node.name);
    names.index.emplace(node.name, index++);
  }
  index = 0;
  for (const auto [key, value] : states.members()) {
    if (!parse_state(source, names, index, value, program.nodes[index], language, depth))
      names.incomplete = true;
    ++index;
  }
}

// The items of a distributed Map run in executions of their own: nothing outside is seen.
bool isolated(JsonView scope) {
  const JsonView config = scope.find("ProcessorConfig");
  const JsonView mode = config && config.is_object() ? config.find("Mode") : JsonView();
  return mode && mode.is_string() && mode.equals("DISTRIBUTED");
}

QueryLanguage parse_machine(Fields& fields, Program& program) {
  fields.one_of("Version", {"1.0"});
  program.timeout_seconds = fields.whole("TimeoutSeconds", 1, kSecondsMax);
  const std::optional<std::string> language = fields.one_of("QueryLanguage", {"JSONPath", "JSONata"});
  return language == "JSONata" ? QueryLanguage::JsonAta : QueryLanguage::JsonPath;
}

}  // namespace

NodeIndex parse_target(Parsing& p, Fields& fields, std::string_view name) {
  const std::optional<std::string> target = fields.text(name);
  if (!target) {
    p.names.incomplete = true;
    return kEnd;
  }
  if (const auto it = p.names.index.find(*target); it != p.names.index.end()) return it->second;
  const std::string near = p.source.nearest_name(*target, p.names.all);
  std::string hint;
  if (const auto other = p.source.state_places.find(*target); other != p.source.state_places.end()) {
    hint = "'" + *target + "' is at " + other->second + "; a transition stays inside its own States";
  } else if (!near.empty()) {
    hint = "did you mean '" + near + "'?";
  } else if (p.names.all.size() <= 12) {
    hint = "the states here are " + list_of(p.names.all);
  }
  p.source.error(fields.find(name), place(fields.pointer(), name), codes::kTarget,
                 "Missing 'Next' target: " + *target, std::move(hint));
  // The graph is checked as if the nearest name had been meant, so that one slip is one message.
  const auto meant = p.names.index.find(near);
  if (meant != p.names.index.end()) return meant->second;
  p.names.incomplete = true;
  return kEnd;
}

void parse_transition(Parsing& p) {
  int given = 0;
  const bool one = p.fields.at_most_one({"Next", "End"}, &given);
  const std::optional<bool> end = p.fields.flag("End");
  if (p.fields.has("Next")) {
    p.node.next = parse_target(p, p.fields, "Next");
  } else if (given == 0) {
    p.names.incomplete = true;
    p.fields.error(codes::kSchema, "One of the following fields is required: [Next, End]",
                   "name the state that follows (\"Next\": …) or end here (\"End\": true)");
  } else if (end == false) {
    p.names.incomplete = true;
    p.fields.error_at("End", "The field 'End' should be true", "or name the state that follows with Next");
  }
  if (!one) p.names.incomplete = true;
}

NumberOrPath parse_number_or_path(Parsing& p, std::string_view name, std::int64_t min, std::int64_t max) {
  NumberOrPath out;
  const std::string by_path = std::string(name) + "Path";
  if (!p.json_path()) {
    if (Query::claimed(p.fields.find(name)))
      out.query = p.fields.query(name);
    else
      out.value = p.fields.whole(name, min, max);
    return out;
  }
  if (!p.fields.at_most_one({name, by_path})) return out;
  out.value = p.fields.whole(name, min, max);
  out.path = p.fields.reference(by_path);
  return out;
}

std::shared_ptr<Program> parse_scope(Source& source, JsonView object, JsonView anchor,
                                     const std::string& pointer, ScopeKind kind, QueryLanguage language,
                                     int depth) {
  if (depth > source.limits().definition_nesting_max) {
    source.error(
        anchor, pointer, codes::kNested,
        "States are nested deeper than " + std::to_string(source.limits().definition_nesting_max) + " levels",
        "move inner parts to state machines of their own and start them with states:startExecution");
    return nullptr;
  }
  auto program = std::make_shared<Program>();
  Fields fields(source, object, pointer, anchor, fields_of(kind));
  fields.refuse_unknown(~0u, language);
  const bool whole = fields.require({"States", "StartAt"});
  program->comment = fields.text("Comment").value_or("");
  if (kind == ScopeKind::Machine) language = parse_machine(fields, *program);
  program->language = language;
  const JsonView states = fields.object("States");
  if (!states) return nullptr;
  if (states.size() == 0) {
    fields.error_at("States", "Value cannot be empty", fields.takes("States"));
    return nullptr;
  }
  ScopeNames names;
  names.pointer = pointer;
  const std::size_t outer = std::exchange(source.scope, source.assigned.size());
  source.assigned.push_back({outer, isolated(object), {}});
  parse_states(source, states, names, *program, language, depth);
  source.scope = outer;
  if (whole) {
    Parsing p{source, fields, names, program->nodes.front(), language, depth};
    const NodeIndex start = parse_target(p, fields, "StartAt");
    if (start != kEnd) program->start = start;
  }
  if (whole && !names.incomplete) check_scope(source, names, *program, anchor);
  return program;
}

}  // namespace millrace::definitions
