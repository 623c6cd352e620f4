#include <algorithm>
#include <unordered_set>

#include "base/random.h"
#include "definitions/jsonata/evaluation.h"
#include "definitions/jsonata/natives.h"
#include "definitions/jsonata/sorting.h"

namespace millrace::definitions::jsonata::natives {
namespace {

std::vector<Value> items_of(Evaluation& evaluation, Value array) {
  std::vector<Value> all;
  all.reserve(evaluation.count_of(array));
  Evaluation::Items items(evaluation, array);
  for (Value item; items.next(item);) all.push_back(item);
  evaluation.work(all.size());
  return all;
}

}  // namespace

Value count(Evaluation& evaluation, Arguments arguments) {
  const Value array = arguments[0];
  return Value::number(array.is_undefined() ? 0 : static_cast<double>(evaluation.count_of(array)));
}

Value append(Evaluation& evaluation, Arguments arguments) {
  const Value a = arguments[0], b = arguments[1];
  if (a.is_undefined()) return b;
  if (b.is_undefined()) return a;
  const std::size_t count = evaluation.count_of(a) + evaluation.count_of(b);
  if (!evaluation.work(count)) return Value::failed();
  if (!evaluation.arena().has_room(count * sizeof(Value))) return evaluation.over_memory();
  Evaluation::Collector all(evaluation);
  all.push_items(a);
  all.push_items(b);
  return all.array(false);
}

Value reverse(Evaluation& evaluation, Arguments arguments) {
  const Value array = arguments[0];
  if (array.is_undefined() || evaluation.count_of(array) <= 1) return array;
  std::vector<Value> all = items_of(evaluation, array);
  std::reverse(all.begin(), all.end());
  return evaluation.make_array(all, false);
}

Value shuffle(Evaluation& evaluation, Arguments arguments) {
  const Value array = arguments[0];
  if (array.is_undefined() || evaluation.count_of(array) <= 1) return array;
  std::vector<Value> all = items_of(evaluation, array);
  Random random(evaluation.draw());
  millrace::shuffle(all, random);
  return evaluation.make_array(all, false);
}

Value distinct(Evaluation& evaluation, Arguments arguments) {
  const Value array = arguments[0];
  if (!array.is_array() || evaluation.count_of(array) <= 1) return array;
  std::unordered_set<double> numbers;
  std::unordered_set<std::string_view> strings;
  std::vector<Value> others;  // compared one by one
  Evaluation::Collector kept(evaluation);
  Evaluation::Items items(evaluation, array);
  for (Value item; items.next(item);) {
    if (!evaluation.work(2)) return Value::failed();
    bool fresh = true;
    if (item.is_number()) {
      fresh = numbers.insert(item.to_double()).second;
    } else if (item.is_string()) {
      fresh = strings.insert(item.characters()).second;
    } else {
      fresh = std::none_of(others.begin(), others.end(),
                           [&](Value other) { return evaluation.equal(item, other); });
      if (evaluation.failed()) return Value::failed();
      if (fresh) others.push_back(item);
    }
    if (fresh) kept.push(item);
  }
  return kept.array(array.tag == Value::Tag::Array && array.array->sequence);
}

Value zip(Evaluation& evaluation, Arguments arguments) {
  std::size_t shortest = arguments.empty() ? 0 : SIZE_MAX;
  for (const Value& array : arguments)
    shortest = std::min(shortest, array.is_array() ? evaluation.count_of(array) : 0);
  std::vector<std::vector<Value>> columns;
  if (shortest > 0)
    for (const Value& array : arguments) columns.push_back(items_of(evaluation, array));
  Evaluation::Collector rows(evaluation);
  for (std::size_t i = 0; i < shortest && !evaluation.failed(); ++i) {
    Array* const row = evaluation.make_array(columns.size(), false);
    if (!row) return Value::failed();
    for (std::size_t c = 0; c < columns.size(); ++c) row->items[c] = columns[c][i];
    rows.push(Value::of_array(row));
  }
  return evaluation.failed() ? Value::failed() : rows.array(false);
}

Value sort(Evaluation& evaluation, Arguments arguments) {
  const Value array = arguments[0], function = arguments[1];
  if (array.is_undefined() || evaluation.count_of(array) <= 1) return array;
  std::vector<Value> all = items_of(evaluation, array);
  if (function.is_function()) {
    auto behind = [&](Value a, Value b) {
      if (evaluation.failed()) return false;
      const Value pair[] = {a, b};
      const Value answer = evaluation.apply(function, pair, Value::null());
      if (answer.is_array() || answer.is_object()) return true;  // true as JavaScript has it, even if empty
      return !answer.has_failed() && evaluation.truth(answer);
    };
    merge_sort(all, behind);
    return evaluation.failed() ? Value::failed() : evaluation.make_array(all, false);
  }
  const bool numbers = std::all_of(all.begin(), all.end(), [](Value v) { return v.is_number(); });
  const bool strings = std::all_of(all.begin(), all.end(), [](Value v) { return v.is_string(); });
  if (!numbers && !strings) return evaluation.fail("D3070", array);
  if (numbers)
    for (Value& item : all) item = Value::number(item.to_double());
  const auto before = [numbers](Value a, Value b) {
    return numbers ? a.real < b.real : Evaluation::compare_text(a.characters(), b.characters()) < 0;
  };
  if (!evaluation.work(all.size())) return Value::failed();
  std::stable_sort(all.begin(), all.end(), before);
  return evaluation.make_array(all, false);
}

}  // namespace millrace::definitions::jsonata::natives
