// Tuple streams: what a path carries from its first `@`, `#` or `%` on. Each item then comes with the
// variables bound on its way, which a step copies for every result.

#include <algorithm>

#include "definitions/jsonata/evaluation.h"

namespace millrace::definitions::jsonata {
namespace {

Binding* bind_before(Arena& arena, std::uint32_t name, Value value, Binding* rest) {
  auto* const made = arena.make<Binding>();
  *made = {name, value, rest};
  return made;
}

Value new_tuple(Arena& arena, Value item, Binding* first) {
  auto* const tuple = arena.make<Tuple>();
  *tuple = {item, first};
  return Value::of_tuple(tuple);
}

}  // namespace

Frame* Evaluation::frame_of(Frame* parent, const Tuple& tuple) {
  Frame* const frame = make_frame(parent);
  frame->first = tuple.first;
  return frame;
}

Value Evaluation::tuple_path(const Node& node, Value input, Frame* frame) {
  Run run{input, !input.is_array() || node.items[0]->kind == NodeKind::Variable};
  Value tuples;
  bool streaming = false;
  for (std::size_t i = 0; i < node.items.size(); ++i) {
    const Node& one_step = *node.items[i];
    streaming = streaming || one_step.tuple;
    if (i == 0 && one_step.constructed && one_step.kind == NodeKind::Array) {
      const Value made = characters_of(evaluate(one_step, input, frame));
      if (one_step.focus == 0) run = {made, false};
    } else if (streaming) {
      if (tuples.is_undefined() && one_step.kind != NodeKind::Sort) tuples = tuples_of(run);
      tuples = one_step.kind == NodeKind::Sort ? tuple_sort(one_step, tuples, run, frame)
                                               : tuple_step(one_step, tuples, frame);
    } else {
      run = step(one_step, run, frame, i + 1 == node.items.size());
    }
    if (failed_) return Value::failed();
    if (!streaming && !run.one && (run.value.is_undefined() || count_of(run.value) == 0)) break;
  }
  if (!streaming) return finish_path(node, run, frame);
  if (tuples.is_undefined()) tuples = tuples_of(run);
  if (failed_) return Value::failed();
  if (node.tuple) return node.group ? group(*node.group, {tuples, false}, true, frame) : tuples;
  if (node.group) return group(*node.group, {tuples, false}, true, frame);
  Collector items(*this);
  for (std::uint32_t i = 0; i < tuples.array->count; ++i) items.push(tuples.array->items[i].tuple->item);
  const Value made = items.array(true);
  if (!made.has_failed()) made.array->keep_singleton = node.keep_singleton || node.keep_array;
  return made;
}

Value Evaluation::tuples_of(Run run) {
  Collector tuples(*this);
  if (run.one || !run.value.is_undefined()) {
    Items items(*this, run);
    for (Value item; items.next(item);) tuples.push(new_tuple(arena_, item, nullptr));
  }
  return stream(tuples);
}

Value Evaluation::stream(Collector& tuples) {
  const Value made = tuples.array(true);
  if (!made.has_failed()) made.array->tuple_stream = true;
  return made;
}

Value Evaluation::tuple_sort(const Node& step, Value tuples, Run run, Frame* frame) {
  if (!tuples.is_undefined()) {
    tuples = sort_step(step, tuples, frame);
  } else {
    Value whole = run.value;
    if (run.one) whole = make_array({&run.value, 1}, true);
    if (whole.has_failed()) return whole;
    const Value sorted = sort_step(step, whole, frame);
    if (sorted.has_failed()) return sorted;
    Collector out(*this);
    Items items(*this, sorted);
    double position = 0;
    for (Value item; items.next(item);) {
      Binding* const first =
          step.index ? bind_before(arena_, step.index, Value::number(position++), nullptr) : nullptr;
      out.push(new_tuple(arena_, item, first));
    }
    tuples = stream(out);
  }
  return tuples.has_failed() ? tuples : tuple_stages(step, tuples, frame);
}

Value Evaluation::tuple_step(const Node& step, Value tuples, Frame* frame) {
  if (tuples.has_failed()) return tuples;
  Value made;
  {
    Collector out(*this);
    for (std::uint32_t i = 0; i < tuples.array->count; ++i) {
      const Value source = tuples.array->items[i];
      const Value result = evaluate(step, source.tuple->item, frame_of(frame, *source.tuple));
      if (result.has_failed()) return result;
      if (!result.is_undefined() && !tuple_results(step, source, result, out)) return Value::failed();
    }
    made = stream(out);
  }
  return made.has_failed() ? made : tuple_stages(step, made, frame);
}

// The tuples that one result of a step makes of the tuple it came from.
bool Evaluation::tuple_results(const Node& step, Value source, Value result, Collector& out) {
  const Tuple& from = *source.tuple;
  Items items(*this, result);
  double position = 0;
  for (Value item; items.next(item); ++position) {
    if (!work(1)) return false;
    Binding* first = from.first;
    if (item.tag == Value::Tag::Tuple) {
      Binding** end = &first;
      for (const Binding* b = item.tuple->first; b; b = b->next) {
        *end = bind_before(arena_, b->name, b->value, from.first);
        end = &(*end)->next;
      }
      item = item.tuple->item;
    } else {
      if (step.focus) first = bind_before(arena_, step.focus, item, first);
      if (step.focus) item = from.item;
      if (step.index) first = bind_before(arena_, step.index, Value::number(position), first);
      if (step.ancestor) first = bind_before(arena_, step.ancestor->label, from.item, first);
    }
    out.push(new_tuple(arena_, item, first));
    if (arena_.over()) return over_memory(), false;
  }
  return true;
}

Value Evaluation::tuple_stages(const Node& step, Value tuples, Frame* frame) {
  for (const Stage& stage : step.stages) {
    if (stage.filter) {
      tuples = tuple_filter(*stage.filter, tuples, frame);
      if (tuples.has_failed()) return tuples;
      continue;
    }
    for (std::uint32_t i = 0; i < tuples.array->count; ++i) {
      Tuple& tuple = *tuples.array->items[i].tuple;
      tuple.first = bind_before(arena_, stage.index, Value::number(i), tuple.first);
    }
  }
  return tuples;
}

Value Evaluation::tuple_filter(const Node& predicate, Value tuples, Frame* frame) {
  Collector kept(*this);
  const std::size_t count = tuples.array->count;
  if (predicate.kind == NodeKind::Number && predicate.plain) {
    const Run chosen = filter_by_index(predicate.number, {tuples, false});
    if (chosen.one) kept.push(chosen.value);
    return stream(kept);
  }
  for (std::size_t i = 0; i < count; ++i) {
    const Value tuple = tuples.array->items[i];
    const int times = keeps(predicate, tuple.tuple->item, frame_of(frame, *tuple.tuple), i, count);
    if (times < 0) return Value::failed();
    for (int n = 0; n < times; ++n) kept.push(tuple);
  }
  return stream(kept);
}

}  // namespace millrace::definitions::jsonata
