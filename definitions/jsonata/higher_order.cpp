#include <algorithm>
#include <array>

#include "definitions/jsonata/evaluation.h"
#include "definitions/jsonata/natives.h"

namespace millrace::definitions::jsonata::natives {
namespace {

// Calls `function` with a value, its position or key, and the whole: as many of them as it takes.
class Caller {
 public:
  Caller(Evaluation& evaluation, Value function)
      : evaluation_(evaluation),
        function_(function),
        count_(std::clamp<std::size_t>(arity_of(function), 1, 3)) {}
  Value operator()(Value value, Value place, Value whole) {
    const Value arguments[] = {value, place, whole};
    return evaluation_.apply(function_, {arguments, count_}, Value::null());
  }
  // As a condition: 1, 0, or -1 when it failed. What the call allocated is given back.
  int decide(Value value, Value place, Value whole) {
    Evaluation::Scratch scratch(evaluation_);
    const Value answer = (*this)(value, place, whole);
    if (answer.has_failed()) return -1;
    const bool yes = evaluation_.truth(answer);
    scratch.release_for(Value());
    return evaluation_.failed() ? -1 : yes ? 1 : 0;
  }

 private:
  Evaluation& evaluation_;
  Value function_;
  std::size_t count_;
};

}  // namespace

Value map(Evaluation& evaluation, Arguments arguments) {
  const Value array = arguments[0];
  if (array.is_undefined()) return {};
  Caller call(evaluation, arguments[1]);
  Evaluation::Collector results(evaluation);
  Evaluation::Items items(evaluation, array);
  double position = 0;
  for (Value item; items.next(item); ++position) {
    Evaluation::Scratch scratch(evaluation);
    const Value result = call(item, Value::number(position), array);
    if (result.has_failed()) return result;
    scratch.release_for(result);
    if (!result.is_undefined()) results.push(result);
  }
  return results.array(true);
}

Value filter(Evaluation& evaluation, Arguments arguments) {
  const Value array = arguments[0];
  if (array.is_undefined()) return {};
  Caller call(evaluation, arguments[1]);
  Evaluation::Collector kept(evaluation);
  Evaluation::Items items(evaluation, array);
  double position = 0;
  for (Value item; items.next(item); ++position) {
    const int decided = call.decide(item, Value::number(position), array);
    if (decided < 0) return Value::failed();
    if (decided > 0) kept.push(item);
  }
  return kept.array(true);
}

Value single(Evaluation& evaluation, Arguments arguments) {
  const Value array = arguments[0], function = arguments[1];
  if (array.is_undefined()) return {};
  Value found;
  bool any = false;
  Evaluation::Items items(evaluation, array);
  double position = 0;
  for (Value item; items.next(item); ++position) {
    if (function.is_function()) {
      const int decided = Caller(evaluation, function).decide(item, Value::number(position), array);
      if (decided < 0) return Value::failed();
      if (decided == 0) continue;
    }
    if (any) return evaluation.fail("D3138");
    found = item;
    any = true;
  }
  return any ? found : evaluation.fail("D3139");
}

Value reduce(Evaluation& evaluation, Arguments arguments) {
  const Value array = arguments[0], function = arguments[1];
  if (array.is_undefined()) return {};
  const std::size_t arity = arity_of(function);
  if (arity < 2) return evaluation.fail("D3050");
  Evaluation::Items items(evaluation, array);
  Value result = arguments[2], item;
  double position = 0;
  if (result.is_undefined() && items.next(item)) {
    result = item;
    position = 1;
  }
  for (; items.next(item); ++position) {
    Evaluation::Scratch scratch(evaluation);
    const Value given[] = {result, item, Value::number(position), array};
    const Value next = evaluation.apply(function, {given, std::min<std::size_t>(arity, 4)}, Value::null());
    if (next.has_failed()) return next;
    scratch.release_for(next);
    result = next;
  }
  return result;
}

Value sift(Evaluation& evaluation, Arguments arguments) {
  const Value object = arguments[0], function = arguments[1];
  if (!object.is_object() || !function.is_function()) return {};
  Caller call(evaluation, function);
  Object* const kept = evaluation.make_object(4);
  evaluation.for_each_member(object, [&](std::string_view key, Value value) {
    const int decided = call.decide(value, Value::string(key), object);
    if (decided > 0) evaluation.put(*kept, Value::string(key), value);
    return decided >= 0;
  });
  if (evaluation.failed()) return Value::failed();
  return kept->count > 0 ? Value::of_object(kept) : Value();
}

Value each(Evaluation& evaluation, Arguments arguments) {
  const Value object = arguments[0];
  if (!object.is_object()) return {};
  Caller call(evaluation, arguments[1]);
  Evaluation::Collector results(evaluation);
  evaluation.for_each_member(object, [&](std::string_view key, Value value) {
    const Value result = call(value, Value::string(key), object);
    if (!result.has_failed() && !result.is_undefined()) results.push(result);
    return !result.has_failed();
  });
  return evaluation.failed() ? Value::failed() : results.array(true);
}

}  // namespace millrace::definitions::jsonata::natives
