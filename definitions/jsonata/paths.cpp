// Paths: every step maps the sequence before it to the next one, flattened; predicates thin it out.
// A sequence of one travels without an array around it (Run), which is what most steps see.

#include <cmath>

#include "base/utf8.h"
#include "definitions/jsonata/evaluation.h"
#include "definitions/jsonata/sorting.h"

namespace millrace::definitions::jsonata {

// What one result of a step comes to: an array is the sequence itself, unless it was constructed there.
Run Evaluation::settle(Value only, bool last) {
  if (only.is_undefined()) return {};
  if (!only.is_array()) return {only, true};
  if (only.tag == Value::Tag::Array && only.array->constructed) return {only, !last || only.array->sequence};
  const std::size_t count = count_of(only);
  // The last step's only result stays an array unless a query made it.
  if (last && !(only.tag == Value::Tag::Array && only.array->sequence)) return {only, false};
  if (count == 0) return {};
  if (count == 1) return {item_of(only, 0), true};
  return {only, false};
}

Run Evaluation::Collector::run() {
  const std::size_t count = size();
  if (count == 0) return {};
  if (count == 1) return {(*this)[0], true};
  return {array(true), false};
}

void Evaluation::Collector::push_items(Value array) {
  Items items(evaluation_, array);
  for (Value item; items.next(item);) push(item);
}

// One item through one step. Predicates leave a sequence in `filtered`; otherwise the value is the result.
Value Evaluation::step_item(const Node& step, Value item, Frame* frame, Run& filtered) {
  Value result;
  if (step.kind == NodeKind::Name && !item.is_array() && step.predicates.empty() && !step.group) {
    result = member(item, step.text);
    if (!work(1)) return Value::failed();
  } else {
    result = evaluate(step, item, frame);
  }
  if (result.has_failed() || step.stages.empty()) return result;
  filtered = {result, !result.is_array()};
  for (const Stage& stage : step.stages) {
    filtered = filter(*stage.filter, filtered, frame);
    if (failed_) return Value::failed();
  }
  return result;
}

Run Evaluation::step(const Node& step, Run input, Frame* frame, bool last) {
  if (step.kind == NodeKind::Sort) {
    Value whole = input.value;
    if (input.one) whole = make_array({&input.value, 1}, true);
    if (whole.has_failed()) return {};
    Run result{sort_step(step, whole, frame), false};
    for (const Stage& stage : step.stages) {
      if (failed_) return {};
      result = filter(*stage.filter, result, frame);
    }
    return result;
  }
  const bool stages = !step.stages.empty();
  const auto settled = [&](Value result, const Run& filtered) -> Run {
    if (!stages) return settle(result, last);
    if (filtered.one) return filtered;  // nothing at all counts as an item when a predicate keeps it
    return settle(filtered.value, last);
  };
  if (input.one) {
    Run filtered;
    const Value result = step_item(step, input.value, frame, filtered);
    return failed_ ? Run{} : settled(result, filtered);
  }
  Collector found(*this);
  Items items(*this, input);
  // The first result waits: if it stays the only one, it is settled as such.
  Value first;
  Run first_filtered;
  bool waiting = false, flushed = false;
  const auto flush = [&](Value result, const Run& filtered) {
    const Value value = stages ? filtered.value : result;
    const bool whole = stages && filtered.one;
    if (!whole && value.is_array() && !(value.tag == Value::Tag::Array && value.array->constructed))
      found.push_items(value);
    else
      found.push(value);
  };
  for (Value item; items.next(item);) {
    Run filtered;
    const Value result = step_item(step, item, frame, filtered);
    if (failed_) return {};
    if (stages ? !filtered.one && !filtered.value.is_array() : result.is_undefined()) continue;
    if (!waiting && !flushed) {
      first = result;
      first_filtered = filtered;
      waiting = true;
      continue;
    }
    if (waiting) {
      flush(first, first_filtered);
      waiting = false;
      flushed = true;
    }
    flush(result, filtered);
    if (!work(1)) return {};
  }
  if (waiting) return settled(first, first_filtered);
  return found.run();
}

// What becomes of an array at the start of a path behind which a predicate leaves no array: a text goes on as
// its characters, anything else as nothing. The reference's, odd as it is.
Value Evaluation::characters_of(Value value) {
  if (!value.is_string()) return value.is_array() || value.has_failed() ? value : Value();
  Collector found(*this);
  for (std::string_view rest = value.characters(); !rest.empty();) {
    const std::string_view first = first_code_points(rest, 1);
    if (first.empty()) break;
    found.push(Value::string(first));
    rest.remove_prefix(first.size());
  }
  return found.array(true);
}

Value Evaluation::path(const Node& node, Value input, Frame* frame) {
  for (const Node* step : node.items)
    if (step->tuple) return tuple_path(node, input, frame);
  Run run{input, !input.is_array() || node.items[0]->kind == NodeKind::Variable};
  for (std::size_t i = 0; i < node.items.size(); ++i) {
    const Node& one_step = *node.items[i];
    if (i == 0 && one_step.constructed && one_step.kind == NodeKind::Array) {
      run = {characters_of(evaluate(one_step, input, frame)), false};
    } else {
      run = step(one_step, run, frame, i + 1 == node.items.size());
    }
    if (failed_) return Value::failed();
    if (!run.one && (run.value.is_undefined() || count_of(run.value) == 0)) break;
  }
  return finish_path(node, run, frame);
}

// [] somewhere in the path, and the group behind it.
Value Evaluation::finish_path(const Node& node, Run run, Frame* frame) {
  if (node.keep_singleton) {
    if (!run.one && run.value.tag == Value::Tag::Array && run.value.array->constructed &&
        !run.value.array->sequence)
      run.one = true;
    if (run.one && !run.value.is_undefined()) run = {make_array({&run.value, 1}, true), false};
    if (failed_) return Value::failed();
    if (run.value.tag == Value::Tag::Array) run.value.array->keep_singleton = true;
  }
  if (node.group) return group(*node.group, run, false, frame);
  if (run.one && (run.value.is_array() || node.keep_array)) {
    // A sequence of one array: one level around it goes, in evaluate().
    Value whole = make_array({&run.value, 1}, true);
    if (!whole.has_failed()) whole.array->keep_singleton = node.keep_array;
    return whole;
  }
  return run.value;
}

// ---- predicates -----------------------------------------------------------------------------------------

Run Evaluation::filter_by_index(double index, Run input) {
  if (!input.one && !input.value.is_array()) return {};
  const std::size_t count = input.one ? 1 : count_of(input.value);
  index = std::floor(index);
  if (index < 0) index += static_cast<double>(count);
  if (!(index >= 0) || index >= static_cast<double>(count)) return {};
  const Value item = input.one ? input.value : item_of(input.value, static_cast<std::size_t>(index));
  if (item.is_undefined()) return {};
  return {item, !item.is_array()};
}

// How often the item at `position` is kept: a number or numbers choose positions, anything else is true or
// not. -1: failed.
int Evaluation::keeps(const Node& predicate, Value item, Frame* frame, std::size_t position,
                      std::size_t count) {
  Scratch scratch(*this);
  const Value chosen = evaluate(predicate, item, frame);
  if (chosen.has_failed()) return -1;
  if (chosen.is_boolean()) {
    scratch.release_for(chosen);
    return chosen.truth ? 1 : 0;
  }
  const auto here = [&](double index) {
    index = std::floor(index);
    if (index < 0) index += static_cast<double>(count);
    return index == static_cast<double>(position);
  };
  if (chosen.is_number()) {
    if (!is_numeric(chosen)) return -1;
    scratch.release_for(chosen);
    return here(chosen.to_double()) ? 1 : 0;
  }
  if (!chosen.is_array()) return truth(chosen) ? 1 : 0;
  int kept = 0;
  Items items(*this, chosen);
  for (Value index; items.next(index);) {
    if (!work(1)) return -1;
    if (!index.is_number()) return truth(chosen) ? 1 : 0;
    if (!is_numeric(index)) return -1;
    kept += here(index.to_double()) ? 1 : 0;
  }
  return kept;
}

Run Evaluation::filter(const Node& predicate, Run input, Frame* frame) {
  if (predicate.kind == NodeKind::Number && predicate.plain) return filter_by_index(predicate.number, input);
  if (!input.one && !input.value.is_array()) return {};
  if (input.one) {
    const int kept = keeps(predicate, input.value, frame, 0, 1);
    if (kept == 1) return input;
    if (kept <= 0) return {};
  }
  Collector found(*this);
  const std::size_t count = input.one ? 1 : count_of(input.value);
  Items items(*this, input);
  std::size_t position = 0;
  for (Value item; items.next(item); ++position) {
    const int kept = keeps(predicate, item, frame, position, count);
    if (kept < 0) return {};
    for (int i = 0; i < kept; ++i) found.push(item);
  }
  return found.run();
}

// ---- order ----------------------------------------------------------------------------------------------

namespace {

// An item with the values of its terms, each computed when an order first needs it.
struct Ranked {
  Value item;
  Value* keys;
};

}  // namespace

Value Evaluation::sort_step(const Node& step, Value input, Frame* frame) {
  const std::size_t count = count_of(input), terms = step.terms.size();
  const bool tuples = input.tag == Value::Tag::Array && input.array->tuple_stream;
  if (count <= 1) return input;
  if (!arena_.has_room(count * (sizeof(Ranked) + terms * sizeof(Value)))) return over_memory();
  std::vector<Ranked> ranked(count);
  Value* keys = arena_.make_array<Value>(count * terms);
  Items items(*this, input);
  for (std::size_t i = 0; i < count; ++i) {
    items.next(ranked[i].item);
    ranked[i].keys = keys + i * terms;
    for (std::size_t t = 0; t < terms; ++t) ranked[i].keys[t] = Value::unbound();
  }
  const auto key = [&](const Ranked& one, std::size_t t) {
    Value& known = one.keys[t];
    if (known.tag == Value::Tag::Unbound) {
      const bool tuple = one.item.tag == Value::Tag::Tuple;
      known = evaluate(*step.terms[t].expression, tuple ? one.item.tuple->item : one.item,
                       tuple ? frame_of(frame, *one.item.tuple) : frame);
    }
    return known;
  };
  // Whether `a` belongs behind `b`.
  const auto behind = [&](const Ranked& a, const Ranked& b) {
    for (std::size_t t = 0; t < terms && !failed_; ++t) {
      const Value x = key(a, t), y = failed_ ? x : key(b, t);
      if (failed_) return false;
      if (x.is_undefined() && y.is_undefined()) continue;
      if (x.is_undefined() || y.is_undefined()) return x.is_undefined();  // nothing comes last, either way
      const bool fine_x = x.is_string() || x.is_number(), fine_y = y.is_string() || y.is_number();
      if (!fine_x || !fine_y) return fail_at(step, "T2008", fine_x ? y : x), false;
      if (x.is_string() != y.is_string()) return fail_at(step, "T2007", x, y), false;
      double order = 0;
      if (x.is_string()) {
        order = compare_text(x.characters(), y.characters());
      } else {
        const double p = x.to_double(), q = y.to_double();
        order = p == q ? 0 : p < q ? -1 : 1;
      }
      if (order == 0) continue;
      return (order > 0) != step.terms[t].descending;
    }
    return false;
  };
  merge_sort(ranked, behind);
  if (failed_) return Value::failed();
  Collector sorted(*this);
  for (const Ranked& one : ranked) sorted.push(one.item);
  const Value made = sorted.array(false);
  if (!made.has_failed()) made.array->tuple_stream = tuples;
  return made;
}

}  // namespace millrace::definitions::jsonata
