#include "states/test_state_request.h"

#include <algorithm>
#include <array>
#include <set>
#include <span>

namespace millrace::states {
namespace {

using definitions::StateType;
template <class T>
using Read = tl::expected<T, TestStateError>;

tl::unexpected<TestStateError> refuse(std::string_view code, std::string message) {
  return tl::unexpected<TestStateError>(TestStateError{std::string(code), std::move(message)});
}
tl::unexpected<TestStateError> wrong_request(std::string message) {
  return refuse("ValidationException", std::move(message));
}

// A member that is there and not null.
JsonView member(JsonView object, std::string_view name) {
  const JsonView found = object.find(name);
  return found && !found.is_null() ? found : JsonView();
}
std::string text_of(JsonView object, std::string_view name) {
  const JsonView found = member(object, name);
  return found && found.is_string() ? found.string() : "";
}

Read<std::shared_ptr<const definitions::Program>> compiled(std::string_view text, const Limits& limits) {
  definitions::Compiled made = definitions::compile(text, limits);
  if (made.program) return std::move(made.program);
  return refuse("InvalidDefinition",
                "Invalid State Machine Definition: '" + list_errors(made.diagnostics) + "'");
}

// The state of that name in a machine, a branch or an item processor, at any depth.
JsonView find_state(JsonView scope, std::string_view name) {
  const JsonView states = scope.is_object() ? scope.find("States") : JsonView();
  if (!states || !states.is_object()) return {};
  if (const JsonView found = states.find(name)) return found;
  for (const auto [key, state] : states.members()) {
    if (!state.is_object()) continue;
    for (const char* inner : {"ItemProcessor", "Iterator"}) {
      const JsonView below = state.find(inner);
      if (!below) continue;
      if (const JsonView found = find_state(below, name)) return found;
    }
    const JsonView branches = state.find("Branches");
    if (!branches || !branches.is_array()) continue;
    for (const JsonView branch : branches.elements()) {
      if (const JsonView found = find_state(branch, name)) return found;
    }
  }
  return {};
}

// The states that a state leads to.
void add_targets(JsonView state, std::set<std::string>& targets) {
  const auto take = [&](JsonView object, std::string_view name) {
    const JsonView to = object.is_object() ? object.find(name) : JsonView();
    if (to && to.is_string()) targets.insert(to.string());
  };
  take(state, "Next");
  take(state, "Default");
  for (const char* list : {"Choices", "Catch"}) {
    const JsonView rules = state.find(list);
    if (!rules || !rules.is_array()) continue;
    for (const JsonView rule : rules.elements()) take(rule, "Next");
  }
}

// A machine of the state alone; what it leads to is an end.
Payload alone(JsonView state, JsonView language) {
  std::set<std::string> targets;
  if (state.is_object()) add_targets(state, targets);
  targets.erase(std::string(kTestedState));
  JsonWriter out;
  out.begin_object();
  if (language) out.key("QueryLanguage").value(language);
  out.key("StartAt").string(kTestedState).key("States").begin_object();
  out.key(kTestedState).value(state);
  for (const std::string& target : targets)
    out.key(target).begin_object().key("Type").string("Succeed").end_object();
  out.end_object().end_object();
  return out.finish();
}

Read<std::shared_ptr<const definitions::Program>> read_definition(JsonView request, const Limits& limits) {
  const JsonView given = member(request, "definition");
  if (!given || !given.is_string())
    return wrong_request(
        "1 validation error detected: Value null at 'definition' failed to satisfy constraint: Member must "
        "not be null");
  const std::string text = given.string();
  const auto parsed = Payload::parse(text);
  const JsonView name = member(request, "stateName");
  if (!parsed || name) {
    auto whole = compiled(text, limits);
    if (!whole || !parsed) return whole;
  }
  if (!name) return compiled(alone(parsed->view(), {}).text(), limits);
  const JsonView state = name.is_string() ? find_state(parsed->view(), name.string()) : JsonView();
  if (!state) return wrong_request("State not found in definition");
  return compiled(alone(state, parsed->view().find("QueryLanguage")).text(), limits);
}

// What may stand in a context object: its parts, and the type of each member.
struct ContextField {
  std::string_view part, name;
  enum class Type { Text, Number, Any } type;
};
constexpr std::array kContextFields = {
    ContextField{"Execution", "Id", ContextField::Type::Text},
    ContextField{"Execution", "Input", ContextField::Type::Any},
    ContextField{"Execution", "Name", ContextField::Type::Text},
    ContextField{"Execution", "RoleArn", ContextField::Type::Text},
    ContextField{"Execution", "StartTime", ContextField::Type::Text},
    ContextField{"Execution", "RedriveCount", ContextField::Type::Number},
    ContextField{"Execution", "RedriveTime", ContextField::Type::Text},
    ContextField{"State", "EnteredTime", ContextField::Type::Text},
    ContextField{"State", "Name", ContextField::Type::Text},
    ContextField{"State", "RetryCount", ContextField::Type::Number},
    ContextField{"StateMachine", "Id", ContextField::Type::Text},
    ContextField{"StateMachine", "Name", ContextField::Type::Text},
    ContextField{"Task", "Token", ContextField::Type::Text},
};

std::string check_context_member(const std::string& part, const std::string& name, JsonView value) {
  bool known_part = false;
  for (const ContextField& field : kContextFields) {
    if (field.part != part) continue;
    known_part = true;
    if (field.name != name) continue;
    if (field.type == ContextField::Type::Text && !value.is_string())
      return part + "." + name + " must be a string";
    if (field.type == ContextField::Type::Number && !value.is_number())
      return part + "." + name + " must be a number";
    return {};
  }
  return known_part ? "Field '" + name + "' is not allowed" : "Field '" + part + "' is not allowed";
}

std::string check_context(JsonView context) {
  for (const auto [key, value] : context.members()) {
    const std::string part = key.string();
    if (part == "Map") return "'Map' field is not supported when mocking a Context object";
    bool known = false;
    for (const ContextField& field : kContextFields) known = known || field.part == part;
    if (!known) return "Field '" + part + "' is not allowed";
    if (!value.is_object()) return part + " must be an object";
    for (const auto [name, inner] : value.members()) {
      std::string problem = check_context_member(part, name.string(), inner);
      if (!problem.empty()) return problem;
    }
  }
  return {};
}

Read<std::optional<Payload>> read_context(JsonView request) {
  const JsonView given = member(request, "context");
  if (!given) return std::optional<Payload>();
  const auto parsed = Payload::parse(given.is_string() ? given.string() : std::string(given.text()));
  if (!parsed || !parsed->view().is_object())
    return wrong_request("Invalid Context object provided: Context must be a valid JSON object");
  const std::string problem = check_context(parsed->view());
  if (!problem.empty()) return wrong_request("Invalid Context object provided: " + problem);
  return std::optional<Payload>(*parsed);
}

std::optional<TestStateError> check_mock_result(const definitions::Node& node, JsonView mock,
                                                const Payload& result) {
  const auto no = [](std::string message) {
    return std::optional(TestStateError{"ValidationException", std::move(message)});
  };
  if (const auto* parallel = std::get_if<definitions::Parallel>(&node.kind)) {
    if (!result.view().is_array()) return no("Mocked result must be an array.");
    if (result.view().size() != parallel->branches.size())
      return no("Mocked result must contain the same number of items as number of Parallel branches.");
  }
  if (std::holds_alternative<definitions::Map>(node.kind) && !result.view().is_array() &&
      !result.view().is_object())
    return no("Mocked result must be an array.");
  if (const auto* task = std::get_if<definitions::Task>(&node.kind)) {
    const std::string mode = text_of(mock, "fieldValidationMode");
    if (!mode.empty() && mode != "STRICT" && mode != "PRESENT" && mode != "NONE")
      return no(
          "1 validation error detected: Value '" + mode +
          "' at 'mock.fieldValidationMode' failed to satisfy constraint: Member must satisfy enum value "
          "set: [PRESENT, STRICT, NONE]");
    if (mode != "NONE") {
      std::string problem = check_mock_shape(task->resource, result.view(), mode != "PRESENT");
      if (!problem.empty()) return no(std::move(problem));
    }
  }
  return std::nullopt;
}

Read<std::optional<Outcome>> read_mock(JsonView request, const definitions::Node& node) {
  const JsonView mock = member(request, "mock");
  const StateType type = node.type();
  const bool mockable = type == StateType::Task || type == StateType::Map || type == StateType::Parallel;
  if (!mockable && (mock || member(request, "context")))
    return wrong_request("State type '" + std::string(name_of(type)) +
                         "' is not supported when a mock is specified");
  if (!mock) return std::optional<Outcome>();
  if (const JsonView reveal = member(request, "revealSecrets"); reveal && reveal.boolean())
    return wrong_request("TestState does not support RevealSecrets when a mock is specified.");
  const JsonView result = member(mock, "result"), error = member(mock, "errorOutput");
  if (static_cast<bool>(result) == static_cast<bool>(error))
    return wrong_request("A test mock should have only one of the following fields: [result, errorOutput].");
  if (error) {
    Failure failure{text_of(error, "error"), text_of(error, "cause"),
                    static_cast<bool>(member(error, "error")), static_cast<bool>(member(error, "cause"))};
    return std::optional(Outcome(tl::unexpected<Failure>(std::move(failure))));
  }
  const auto parsed = Payload::parse(result.is_string() ? result.string() : std::string(result.text()));
  if (!parsed) return wrong_request("Mocked result must be valid JSON");
  if (auto problem = check_mock_result(node, mock, *parsed))
    return tl::unexpected<TestStateError>(std::move(*problem));
  return std::optional(Outcome(*parsed));
}

// What can be tested only with a mock, and what needs a role.
std::optional<TestStateError> check_unmocked(JsonView request, const definitions::Node& node) {
  const auto refused = [](std::string message) {
    return std::optional(TestStateError{"InvalidDefinition", std::move(message)});
  };
  if (node.type() == StateType::Map || node.type() == StateType::Parallel)
    return refused(
        "TestState API does not support Map or Parallel states. Supported state types include: [Task, Wait, "
        "Pass, Succeed, Fail, Choice]");
  const auto* task = std::get_if<definitions::Task>(&node.kind);
  if (!task) return std::nullopt;
  if (task->resource.family == definitions::TaskFamily::Activity)
    return refused("TestState API does not support Activity tasks.");
  if (task->resource.pattern != definitions::TaskPattern::RequestResponse)
    return refused("TestState API does not support '.sync' or '.waitForTaskToken' integration patterns.");
  if (text_of(request, "roleArn").empty())
    return TestStateError{"ValidationException", "RoleArn must be specified when testing a Task state"};
  if (member(request, "context"))
    return TestStateError{"ValidationException",
                          "A Context object can only be specified when a mock is specified."};
  return std::nullopt;
}

Read<Payload> read_document(JsonView request, std::string_view name, std::string_view code,
                            const std::string& what) {
  const JsonView given = member(request, name);
  if (!given) return Payload::empty_object();
  const auto parsed = Payload::parse(given.is_string() ? given.string() : std::string(given.text()));
  if (!parsed) return refuse(code, what + ": '" + parsed.error().message + "'");
  return *parsed;
}

std::uint32_t count_of(JsonView configuration, std::string_view name) {
  const JsonView given = configuration ? member(configuration, name) : JsonView();
  const auto number = given && given.is_number() ? given.integer() : std::nullopt;
  return number && *number > 0 ? static_cast<std::uint32_t>(std::min<std::int64_t>(*number, 1'000'000)) : 0;
}

}  // namespace

Read<TestStateRequest> read_test_state_request(const Payload& request, const Limits& limits) {
  const JsonView view = request.view();
  if (!view.is_object()) return wrong_request("The request must be a JSON object");
  TestStateRequest read;
  MR_TRY(program, read_definition(view, limits));
  read.program = std::move(program);
  MR_TRY(context, read_context(view));
  read.context = std::move(context);
  MR_TRY(mock, read_mock(view, read.node()));
  read.mock = std::move(mock);
  if (!read.mock) {
    if (auto problem = check_unmocked(view, read.node()))
      return tl::unexpected<TestStateError>(std::move(*problem));
  }
  MR_TRY(input,
         read_document(view, "input", "InvalidExecutionInput", "Invalid State Machine Execution Input"));
  read.input = std::move(input);
  MR_TRY(variables, read_document(view, "variables", "ValidationException", "Invalid variables provided"));
  if (!variables.view().is_object())
    return wrong_request("Invalid variables provided: 'must be a JSON object'");
  read.variables = std::move(variables);
  const std::string level = text_of(view, "inspectionLevel");
  if (!level.empty() && level != "INFO" && level != "DEBUG" && level != "TRACE")
    return wrong_request(
        "1 validation error detected: Value '" + level +
        "' at 'inspectionLevel' failed to satisfy constraint: Member must satisfy enum value set: "
        "[TRACE, INFO, DEBUG]");
  using Level = TestStateRequest::Level;
  read.level = level == "TRACE" ? Level::Trace : level == "DEBUG" ? Level::Debug : Level::Info;
  if (const JsonView reveal = member(view, "revealSecrets")) read.reveal_secrets = reveal.boolean();
  read.role_arn = text_of(view, "roleArn");
  const JsonView configuration = member(view, "stateConfiguration");
  read.retrier_retry_count = count_of(configuration, "retrierRetryCount");
  read.map_iteration_failure_count = count_of(configuration, "mapIterationFailureCount");
  return read;
}

}  // namespace millrace::states
