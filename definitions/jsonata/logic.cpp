#include "definitions/jsonata/evaluation.h"
#include "definitions/jsonata/natives.h"

namespace millrace::definitions::jsonata::natives {

Value boolean(Evaluation& evaluation, Arguments arguments) {
  return arguments[0].is_undefined() ? Value() : Value::boolean(evaluation.truth(arguments[0]));
}

Value negation(Evaluation& evaluation, Arguments arguments) {
  return arguments[0].is_undefined() ? Value() : Value::boolean(!evaluation.truth(arguments[0]));
}

Value exists(Evaluation&, Arguments arguments) {
  return Value::boolean(!arguments[0].is_undefined());
}

Value type(Evaluation&, Arguments arguments) {
  const Value value = arguments[0];
  if (value.is_undefined()) return {};
  if (value.is_null()) return Value::string("null");
  if (value.is_boolean()) return Value::string("boolean");
  if (value.is_number()) return Value::string("number");
  if (value.is_string()) return Value::string("string");
  if (value.is_array()) return Value::string("array");
  return Value::string(value.is_function() ? "function" : "object");
}

Value error(Evaluation& evaluation, Arguments arguments) {
  const bool told = arguments[0].is_string() && arguments[0].size > 0;
  return evaluation.fail_with_text("D3137", told ? arguments[0].characters() : "$error() function evaluated");
}

Value assertion(Evaluation& evaluation, Arguments arguments) {
  if (arguments[0].is_boolean() && arguments[0].truth) return {};
  const bool told = arguments[1].is_string() && arguments[1].size > 0;
  return evaluation.fail_with_text("D3141", told ? arguments[1].characters() : "$assert() statement failed");
}

}  // namespace millrace::definitions::jsonata::natives
