// Fail: ends its branch or the execution with an error of its own; no exit event.

#include "states/behaviour.h"
#include "states/data_flow.h"

namespace millrace::states {
namespace {

template <class... Cases>
struct Overloaded : Cases... {
  using Cases::operator()...;
};
template <class... Cases>
Overloaded(Cases...) -> Overloaded<Cases...>;

Outcome at_path(const definitions::Path& path, std::string_view name, const definitions::Scope& scope) {
  Outcome value = path.evaluate(scope);
  if (value) return value;
  const Outcome document = path.root_document(scope);
  return failed(error_names::kRuntime, "The JSONPath '" + path.source() + "' specified for the field '" +
                                           std::string(name) + "' could not be found in the input '" +
                                           std::string(document ? document->text() : "") + "'");
}

Outcome of_query(const definitions::Query& query, const definitions::Scope& scope) {
  Outcome value = query.evaluate(scope);
  if (value && !value->view().is_string()) return tl::unexpected<Failure>(query.unexpected("string", *value));
  return value;
}

// The text of Error or Cause; what a path or function gives must be a string.
Outcome evaluate(const definitions::TextField& field, std::string_view name,
                 const definitions::Scope& scope) {
  Outcome value =
      std::visit(Overloaded{[](std::monostate) -> Outcome { return Payload::string(""); },
                            [](const std::string& text) -> Outcome { return Payload::string(text); },
                            [&](const definitions::Path& path) { return at_path(path, name, scope); },
                            [&](const definitions::IntrinsicCall& call) { return call.evaluate(scope); },
                            [&](const definitions::Query& query) { return of_query(query, scope); }},
                 field.value);
  if (value && !value->view().is_string()) {
    return failed(error_names::kRuntime, "The " + std::string(name) + " field must be a string but was: " +
                                             std::string(value->text()));
  }
  return value;
}

}  // namespace

Step enter_fail(Turn& turn, FrameId id, const definitions::Fail& fail) {
  const FrameScope at(turn.execution(), turn.frame(id), turn.frame(id).data, turn.environment());
  Failure failure;
  failure.has_error = fail.error.given();
  failure.has_cause = fail.cause.given();
  for (const auto& [field, name, text] :
       {std::tuple{&fail.error, "ErrorPath", &failure.error}, {&fail.cause, "CausePath", &failure.cause}}) {
    Outcome value = evaluate(*field, name, at.scope);
    if (!value) return fail_state(turn, id, in_state(turn, id, value.error()), false);
    *text = value->view().string();
  }
  return step::Failed{std::move(failure), false};
}

}  // namespace millrace::states
