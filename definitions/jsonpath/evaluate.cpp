// What the rest of the program asks of a path. A definite path without functions only moves a view.

#include "definitions/jsonpath/evaluation.h"

namespace millrace::definitions {

JsonView Path::find(const Payload& document) const {
  JsonView view = document.view();
  for (const jsonpath::Step& s : compiled_->steps) {
    if (const auto* member = std::get_if<jsonpath::step::Member>(&s)) {
      view = view.find(member->name);
    } else if (const auto* index = std::get_if<jsonpath::step::Index>(&s)) {
      if (!view.is_array()) return {};
      const std::int64_t p =
          index->position < 0 ? index->position + static_cast<std::int64_t>(view.size()) : index->position;
      view = p < 0 || p >= static_cast<std::int64_t>(view.size()) ? JsonView()
                                                                  : view.at(static_cast<std::uint32_t>(p));
    } else {
      return {};
    }
    if (!view) return {};
  }
  return view;
}

Outcome Path::root_document(const Scope& scope) const {
  switch (root_) {
    case Root::Input:
      return scope.input;
    case Root::Context:
      return scope.context.object();
    case Root::Variable:
      break;
  }
  const Payload* value = scope.variables.find(variable_);
  if (!value) return failed(error_names::kRuntime, "The variable '$" + variable_ + "' is not assigned.");
  return *value;
}

Outcome Path::evaluate(const Scope& scope) const {
  Outcome document = root_document(scope);
  if (!document || whole()) return document;
  return evaluate_on(*document, scope.environment);
}

Outcome Path::evaluate_on(const Payload& document, const Environment&) const {
  Answer answer = query(document);
  // The library fails here too, but the service was recorded answering no matches.
  static const Payload kNoMatches = Payload::literal("[]");
  return answer.missing && !definite() ? kNoMatches : std::move(answer.outcome);
}

Path::Answer Path::query(const Payload& document) const {
  if (whole()) return {document};
  if (definite()) {
    if (const JsonView found = find(document)) return {Payload::of(found)};
  }
  jsonpath::Budget budget;
  jsonpath::Evaluation evaluation(document.view(), budget);
  if (const auto value = evaluation.value({document.view(), {}}, compiled_->steps))
    return {Payload::of(value->view)};
  return {failed(error_names::kRuntime, "Invalid path '" + source_ + "' : " + evaluation.why()),
          evaluation.end() == jsonpath::Evaluation::End::NotFound};
}

}  // namespace millrace::definitions
