#include "service/cli/eval_request.h"

#include "definitions/intrinsics/intrinsic.h"
#include "definitions/jsonpath/path.h"

namespace millrace::cli {
namespace {

using definitions::Jsonata;
using definitions::JsonataError;
using definitions::JsonataResult;

struct GivenContext final : definitions::Context {
  explicit GivenContext(const Payload& given) : document(given) {}
  const Payload& object() const override { return document; }
  const Payload& document;
};

EvalAnswer answered(Payload result) {
  EvalAnswer answer;
  answer.kind = EvalAnswer::Kind::Result;
  answer.result = std::move(result);
  return answer;
}

EvalAnswer refused(std::string code, std::string message) {
  EvalAnswer answer;
  answer.kind = EvalAnswer::Kind::Error;
  answer.code = std::move(code);
  answer.message = std::move(message);
  answer.refused = true;
  return answer;
}

EvalAnswer answered(const Outcome& outcome) {
  if (outcome) return answered(*outcome);
  EvalAnswer answer = refused(outcome.error().error, outcome.error().cause);
  answer.refused = false;
  return answer;
}

EvalAnswer failed_as(const JsonataError& error, bool is_refused) {
  EvalAnswer answer = refused(error.code, error.message);
  answer.token = error.token;
  answer.position = error.position;
  answer.refused = is_refused;
  return answer;
}

EvalAnswer evaluate_jsonata(const EvalRequest& request, definitions::JsonataDialect dialect,
                            const Environment& environment) {
  const auto compiled = Jsonata::compile(request.expression, dialect);
  if (!compiled) return failed_as(compiled.error(), true);
  std::vector<std::string> names;
  for (const auto [key, value] : request.bindings.view().members()) names.push_back(key.string());
  std::vector<Jsonata::Binding> bindings;
  for (const auto [key, value] : request.bindings.view().members())
    bindings.emplace_back(names[bindings.size()], value);
  JsonataResult result =
      compiled->evaluate(request.data ? request.data->view() : JsonView(), bindings, environment);
  switch (result.kind) {
    case JsonataResult::Kind::Value:
      return answered(std::move(result.value));
    case JsonataResult::Kind::Undefined:
      return {};
    case JsonataResult::Kind::Unsupported:
      return answered(
          failed("NotJson", "the result is a function or a regular expression, which JSON does not have"));
    case JsonataResult::Kind::Error:
      break;
  }
  return failed_as(result.error, false);
}

definitions::VariableTable variables_of(const Payload& bindings) {
  definitions::VariableTable out;
  for (const auto [key, value] : bindings.view().members()) out.map[key.string()] = Payload::of(value);
  return out;
}

EvalAnswer evaluate_path(const EvalRequest& request, definitions::JsonataDialect dialect,
                         const definitions::Scope& scope) {
  // Jayway's library puts '$.' before a path that lacks it; the States Language refuses such a path.
  const bool whole = request.expression.empty() || request.expression.find_first_of("$@ \t") == 0 ||
                     dialect == definitions::JsonataDialect::StatesLanguage;
  const auto path = definitions::Path::parse(whole ? request.expression : "$." + request.expression);
  if (!path) return refused("InvalidPath", path.error().message);
  const Outcome document = path->root_document(scope);
  if (!document) return answered(document);
  const auto found = path->query(*document);
  if (!found.missing) return answered(found.outcome);
  EvalAnswer answer;
  answer.kind = EvalAnswer::Kind::NoMatch;
  answer.message = found.outcome.error().cause;
  return answer;
}

EvalAnswer evaluate_intrinsic(const EvalRequest& request, const definitions::Scope& scope) {
  const auto call = definitions::IntrinsicCall::parse(request.expression, *scope.environment.limits);
  if (!call) return refused("InvalidIntrinsic", call.error().message);
  return answered(call->evaluate(scope));
}

}  // namespace

Result<EvalRequest> parse_eval_request(std::string_view line) {
  MR_TRY(document, Payload::parse(line));
  const JsonView view = document.view();
  if (!view.is_object())
    return invalid("a request is a JSON object", "{\"expr\":\"$sum(a)\",\"data\":{\"a\":[1,2]}}");
  const JsonView expression = view.find("expr");
  if (!expression || !expression.is_string())
    return invalid("\"expr\" is missing or no string", "\"expr\":\"$sum(a)\"");
  EvalRequest request;
  request.expression = expression.string();
  for (const std::string_view name : {"data", "input"}) {
    if (const JsonView data = view.find(name)) request.data = Payload::of(data);
  }
  const std::pair<std::string_view, Payload*> objects[] = {{"bindings", &request.bindings},
                                                           {"context", &request.context}};
  for (const auto& [name, field] : objects) {
    const JsonView given = view.find(name);
    if (!given) continue;
    if (!given.is_object()) return invalid("\"" + std::string(name) + "\" is no JSON object");
    *field = Payload::of(given);
  }
  return request;
}

EvalAnswer evaluate(const EvalRequest& request, Language language, definitions::JsonataDialect dialect,
                    const Environment& environment) {
  if (language == Language::Jsonata) return evaluate_jsonata(request, dialect, environment);
  const Payload input = request.data.value_or(Payload());
  const GivenContext context(request.context);
  const definitions::VariableTable variables = variables_of(request.bindings);
  const definitions::Scope scope{input, context, variables, environment};
  return language == Language::JsonPath ? evaluate_path(request, dialect, scope)
                                        : evaluate_intrinsic(request, scope);
}

Payload answer_json(const EvalAnswer& answer) {
  JsonWriter json;
  json.begin_object();
  switch (answer.kind) {
    case EvalAnswer::Kind::Result:
      json.key("result").value(answer.result);
      break;
    case EvalAnswer::Kind::Undefined:
      json.key("undefined").boolean(true);
      break;
    case EvalAnswer::Kind::NoMatch:
      json.key("noMatch").boolean(true);
      break;
    case EvalAnswer::Kind::Error:
      json.key("error").begin_object();
      json.key("code").string(answer.code);
      json.key("message").string(answer.message);
      if (answer.position >= 0) json.key("position").number(std::int64_t{answer.position});
      if (!answer.token.empty()) json.key("token").string(answer.token);
      json.end_object();
      break;
  }
  json.end_object();
  return json.finish();
}

}  // namespace millrace::cli
