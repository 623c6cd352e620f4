#include <algorithm>

#include "definitions/jsonata/evaluation.h"
#include "definitions/jsonata/natives.h"

namespace millrace::definitions::jsonata::natives {
namespace {

bool add_keys(Evaluation& evaluation, Value value, Object& keys, int depth) {
  if (!evaluation.work(1)) return false;
  if (value.is_array()) {
    if (depth > 1000) return evaluation.overflow(), false;
    Evaluation::Items items(evaluation, value);
    for (Value item; items.next(item);)
      if (!add_keys(evaluation, item, keys, depth + 1)) return false;
  } else if (value.is_object()) {
    evaluation.for_each_member(value, [&](std::string_view key, Value) {
      evaluation.put(keys, Value::string(key), Value::null());
      return true;
    });
  }
  return true;
}

bool add_spread(Evaluation& evaluation, Value value, Evaluation::Collector& out, int depth) {
  if (!evaluation.work(1)) return false;
  if (value.is_array()) {
    if (depth > 1000) return evaluation.overflow(), false;
    Evaluation::Items items(evaluation, value);
    for (Value item; items.next(item);)
      if (!add_spread(evaluation, item, out, depth + 1)) return false;
    return true;
  }
  if (!value.is_object()) {
    if (!value.is_undefined()) out.push(value);
    return true;
  }
  evaluation.for_each_member(value, [&](std::string_view key, Value member) {
    Object* const single = evaluation.make_object(1);
    evaluation.put(*single, Value::string(key), member);
    out.push(Value::of_object(single));
    return true;
  });
  return true;
}

}  // namespace

Value keys(Evaluation& evaluation, Arguments arguments) {
  Object* const found = evaluation.make_object(8);
  if (!add_keys(evaluation, arguments[0], *found, 0)) return Value::failed();
  Evaluation::Collector names(evaluation);
  for (std::uint32_t i = 0; i < found->count; ++i) names.push(found->members[i].key);
  return names.array(true);
}

Value lookup(Evaluation& evaluation, Arguments arguments) {
  return arguments[1].is_string() ? evaluation.lookup(arguments[0], arguments[1].characters()) : Value();
}

Value spread(Evaluation& evaluation, Arguments arguments) {
  const Value value = arguments[0];
  if (!value.is_array() && !value.is_object()) return value;
  Evaluation::Collector out(evaluation);
  if (!add_spread(evaluation, value, out, 0)) return Value::failed();
  return out.array(value.is_object() || evaluation.count_of(value) == 0);
}

Value merge(Evaluation& evaluation, Arguments arguments) {
  if (arguments[0].is_undefined()) return {};
  Object* const made = evaluation.make_object(8);
  Evaluation::Items items(evaluation, arguments[0]);
  for (Value item; items.next(item);) {
    if (!item.is_object()) continue;
    evaluation.for_each_member(item, [&](std::string_view key, Value value) {
      evaluation.put(*made, Value::string(key), value);
      return evaluation.work(1);
    });
    if (evaluation.failed()) return Value::failed();
  }
  return Value::of_object(made);
}

Value clone(Evaluation& evaluation, Arguments arguments) {
  Value value = arguments[0];
  if (value.tag == Value::Tag::Array && value.array->outer_wrapper) value = value.array->items[0];
  return value.is_undefined() ? Value() : evaluation.clone(value);
}

}  // namespace millrace::definitions::jsonata::natives
