// The walk over the tree: one function for each kind of node. Paths are in paths.cpp, operators in
// operators.cpp, calls in apply.cpp.

#include "definitions/jsonata/evaluation.h"

#include <algorithm>
#include <cmath>

#include "definitions/jsonata/messages.h"

namespace millrace::definitions::jsonata {
namespace {

// The depth limit keeps the stack well below this in release builds; a build with sanitizers has larger
// frames.
constexpr std::ptrdiff_t kStackBytesMax = 6 << 20;

}  // namespace

Evaluation::Evaluation(const Jsonata::Compiled& compiled, JsonView input, const Bindings& bindings,
                       const Environment& environment)
    : compiled_(compiled),
      input_(input),
      bindings_(bindings),
      environment_(environment),
      arena_(environment.limits->jsonata_memory_max),
      steps_left_(environment.limits->jsonata_steps_max),
      depth_max_(environment.limits->jsonata_depth_max),
      globals_(compiled.names.size(), Value::unbound()),
      // It grows by doubling: half of the limit may be free space.
      stack_max_(environment.limits->jsonata_memory_max / sizeof(Value) / 2) {
  stack_.reserve(64);
}

JsonataResult Evaluation::run() {
  char here = 0;
  stack_top_ = &here;
  Value input = root_ = value_of(input_);
  if (input.is_array()) {  // a document that is an array is one item all the same
    input = make_array({&root_, 1}, true);
    input.array->outer_wrapper = true;
  }
  const Value value = evaluate(*compiled_.root, input, make_frame(nullptr));
  JsonataResult result;
  if (!failed_ && value.is_undefined()) return result;
  if (!failed_) {
    JsonWriter out;
    if (value.is_function()) unsupported_ = true;
    if (!unsupported_ && write(out, value, 0) && !unsupported_) {
      result.kind = JsonataResult::Kind::Value;
      result.value = out.finish();
      return result;
    }
  }
  result.kind = failed_ ? JsonataResult::Kind::Error : JsonataResult::Kind::Unsupported;
  fill_token(error_.message, error_.token);
  result.error = error_;
  return result;
}

// ---- failing --------------------------------------------------------------------------------------------

Value Evaluation::fail_with_text(std::string_view code, std::string_view value) {
  if (!failed_)
    error_ = {std::string(code),
              message_of(code, {.raw = value, .token_known = false}),
              -1,
              {},
              std::string(value)};
  failed_ = true;
  return Value::failed();
}

// The message is filled in where the token is known, in fail_at and invoke().
Value Evaluation::fail(std::string_view code, Value value, Value value2) {
  if (failed_) return Value::failed();
  const std::string shown = json_for_message(value), shown2 = json_for_message(value2);
  error_ = {std::string(code),
            message_of(code, {.value = shown, .value2 = shown2, .token_known = false}),
            -1,
            {},
            shown};
  failed_ = true;
  return Value::failed();
}

Value Evaluation::fail_at(const Node& node, std::string_view code, Value value, Value value2) {
  if (failed_) return Value::failed();
  const std::string shown = json_for_message(value), shown2 = json_for_message(value2);
  const std::string_view token =
      node.kind == NodeKind::Binary || node.kind == NodeKind::Negate ? text_of(node.op) : node.text;
  error_ = {std::string(code), message_of(code, {.token = token, .value = shown, .value2 = shown2}),
            compiled_.position_of(node.position), std::string(token), shown};
  failed_ = true;
  return Value::failed();
}

Value Evaluation::fail_argument(std::string_view code, std::size_t index, Value value,
                                std::string_view type) {
  if (failed_) return Value::failed();
  const std::string shown = json_for_message(value), number = std::to_string(index);
  error_ = {std::string(code),
            message_of(code, {.value = shown, .value2 = type, .index = number, .token_known = false}),
            -1,
            {},
            shown};
  failed_ = true;
  return Value::failed();
}

Value Evaluation::limit(std::string_view message) {
  steps_left_ = -1;  // whatever still runs sees it at its next step
  return fail_with_text("U1001", message);
}

// The rare end of evaluate() and work(): which limit was reached. Answers false for `return exhausted()`.
bool Evaluation::exhausted() {
  limit("Expression evaluation timeout");
  return false;
}

bool Evaluation::is_too_deep() const {
  const char here = 0;
  return depth_ >= depth_max_ || stack_top_ - &here > kStackBytesMax;
}

// ---- the walk -------------------------------------------------------------------------------------------

Value Evaluation::evaluate(const Node& node, Value input, Frame* frame) {
  if (--steps_left_ < 0) {
    exhausted();
    return Value::failed();
  }
  if (arena_.over()) return over_memory();
  if (is_too_deep()) return deep();
  ++depth_;
  Value result = dispatch(node, input, frame);
  --depth_;
  if (result.has_failed()) return result;
  if (!node.plain) result = behind(node, result, frame);
  if (result.tag != Value::Tag::Array) return result;
  // A sequence of none is nothing, of one is the item.
  const Array& array = *result.array;
  if (!array.sequence || array.tuple_stream || array.count > 1) return result;
  if (array.count == 0) return {};
  return array.keep_singleton ? result : item_of(result, 0);
}

// Predicates, a group and [] that follow an expression.
Value Evaluation::behind(const Node& node, Value result, Frame* frame) {
  if (result.tag == Value::Tag::Array && result.array->tuple_stream) {
    for (const Stage& stage : node.predicates)
      if (!result.has_failed()) result = tuple_filter(*stage.filter, result, frame);
    const bool grouped = node.group && node.kind != NodeKind::Path && !result.has_failed();
    return grouped ? group(*node.group, {result, false}, true, frame) : result;
  }
  Run run{result, !result.is_array()};
  for (const Stage& stage : node.predicates) {
    run = filter(*stage.filter, run, frame);
    if (failed_) return Value::failed();
  }
  if (node.group && node.kind != NodeKind::Path) return group(*node.group, run, false, frame);
  if (node.predicates.empty()) {
    if (node.keep_array && result.tag == Value::Tag::Array && result.array->sequence)
      result.array->keep_singleton = true;
    return result;
  }
  if (run.one && (node.keep_array || run.value.is_array())) {
    if (run.value.is_undefined()) return {};
    Value kept = make_array({&run.value, 1}, true);
    if (!kept.has_failed()) kept.array->keep_singleton = node.keep_array;
    return kept;
  }
  if (!run.one && node.keep_array && run.value.tag == Value::Tag::Array && run.value.array->sequence)
    run.value.array->keep_singleton = true;
  return run.value;
}

Value Evaluation::dispatch(const Node& node, Value input, Frame* frame) {
  switch (node.kind) {
    case NodeKind::Path:
      return path(node, input, frame);
    case NodeKind::Name:
      return lookup(input, node.text);
    case NodeKind::Variable:
      return variable(node, input, frame);
    case NodeKind::String:
      return Value::string(node.text);
    case NodeKind::Number:
      return Value::number(node.number);
    case NodeKind::Literal:
      return node.null ? Value::null() : Value::boolean(node.truth);
    case NodeKind::Binary:
      return binary(node, input, frame);
    case NodeKind::Negate:
      return negate(node, input, frame);
    case NodeKind::Call:
      if (!node.tail) return call(node, input, frame, nullptr);
      {
        Value later = Value::of(Value::Tag::TailCall);
        later.tail_call = arena_.make<TailCall>();
        *later.tail_call = {&node, input, frame};
        return later;
      }
    case NodeKind::Partial:
      return partial(node, input, frame);
    case NodeKind::Apply:
      return apply_operator(node, input, frame);
    case NodeKind::Lambda:
    case NodeKind::Transform:
    case NodeKind::Regex:
      return lambda(node, input, frame);
    case NodeKind::Condition:
      return condition(node, input, frame);
    case NodeKind::Block:
      return block(node, input, frame);
    case NodeKind::Bind: {
      const Value value = evaluate(*node.b, input, frame);
      if (!value.has_failed()) bind(*frame, node.name, value);
      return value;
    }
    case NodeKind::Array:
      return array(node, input, frame);
    case NodeKind::Object:
      if (node.literal_keys && !input.is_array()) return plain_object(node, input, frame);
      return group(node, {input, !input.is_array()}, false, frame);
    case NodeKind::Wildcard:
      return wildcard(input);
    case NodeKind::Descendant:
      return descendants(input);
    case NodeKind::Parent:
      return lookup_variable(node.slot->label, frame);
    case NodeKind::Sort:
    case NodeKind::End:
    case NodeKind::Word:
    case NodeKind::Placeholder:
      break;
  }
  return {};
}

// ---- variables ------------------------------------------------------------------------------------------

Value Evaluation::variable(const Node& node, Value input, Frame* frame) {
  if (node.text.empty())
    return input.tag == Value::Tag::Array && input.array->outer_wrapper ? input.array->items[0] : input;
  if (!compiled_.names[node.name].bound) return global(node.name);
  return lookup_variable(node.name, frame);
}

Value Evaluation::lookup_variable(std::uint32_t name, Frame* frame) {
  for (; frame; frame = frame->parent)
    for (const Binding* binding = frame->first; binding; binding = binding->next)
      if (binding->name == name) return binding->value;
  return global(name);
}

// What the caller bound, the input as $$, or a built-in function. Looked up once.
Value Evaluation::global(std::uint32_t name) {
  Value& known = globals_[name];
  if (known.tag != Value::Tag::Unbound) return known;
  ++escapes_;
  const std::string_view text = compiled_.names[name].text;
  known = Value();
  if (text == "$") {
    known = root_;
    return known;
  }
  const auto bound =
      std::find_if(bindings_.begin(), bindings_.end(), [&](const auto& b) { return b.first == text; });
  if (bound != bindings_.end()) {
    known = value_of(bound->second);
  } else if (const Builtin* builtin = find_function(text, compiled_.dialect)) {
    known = Value::of_function(&builtin->function);
  }
  return known;
}

void Evaluation::bind(Frame& frame, std::uint32_t name, Value value) {
  auto* const binding = arena_.make<Binding>();
  *binding = {name, value, frame.first};
  frame.first = binding;
  ++escapes_;
}

Frame* Evaluation::make_frame(Frame* parent) {
  auto* const frame = arena_.make<Frame>();
  frame->parent = parent;
  return frame;
}

// ---- simple kinds ---------------------------------------------------------------------------------------

Value Evaluation::block(const Node& node, Value input, Frame* frame) {
  if (node.has_frame) frame = make_frame(frame);
  Value result;
  for (const Node* part : node.items) {
    result = evaluate(*part, input, frame);
    if (result.has_failed()) return result;
  }
  return result;
}

Value Evaluation::condition(const Node& node, Value input, Frame* frame) {
  const Value decided = evaluate(*node.a, input, frame);
  if (decided.has_failed()) return decided;
  if (truth(decided)) return evaluate(*node.b, input, frame);
  return node.c ? evaluate(*node.c, input, frame) : Value();
}

Value Evaluation::array(const Node& node, Value input, Frame* frame) {
  Collector items(*this);
  for (const Node* part : node.items) {
    const Value value = evaluate(*part, input, frame);
    if (value.has_failed()) return value;
    if (value.is_undefined()) continue;
    if (value.is_array() && part->kind != NodeKind::Array) {
      if (node.items.size() == 1 && value.tag == Value::Tag::Array && !value.array->items &&
          value.array->count) {
        // [1..10000000]: numbers that count up are not written out.
        auto* const counted = arena_.make<Array>();
        *counted = *value.array;
        counted->sequence = counted->keep_singleton = false;
        counted->constructed = node.constructed;
        return Value::of_array(counted);
      }
      if (!work(count_of(value))) return Value::failed();
      items.push_items(value);
    } else {
      items.push(value);
    }
    if (!arena_.has_room(items.size() * sizeof(Value))) return over_memory();
  }
  const Value made = items.array(false);
  if (!made.has_failed()) made.array->constructed = node.constructed;
  return made;
}

Value Evaluation::lambda(const Node& node, Value input, Frame* frame) {
  auto* const made = arena_.make<Function>();
  made->kind = node.kind == NodeKind::Lambda      ? Function::Kind::Lambda
               : node.kind == NodeKind::Transform ? Function::Kind::Transform
                                                  : Function::Kind::Regex;
  made->node = &node;
  made->frame = frame;
  made->input = input;
  made->serial = arena_.serial();
  return Value::of_function(made);
}

Value Evaluation::wildcard(Value input) {
  if (input.tag == Value::Tag::Array && input.array->outer_wrapper && input.array->count > 0)
    input = input.array->items[0];
  Collector found(*this);
  bool plain = false;  // arrays among the values make the result an array of its own right
  const auto take = [&](Value value) {
    plain = plain || value.is_array();
    return value.is_array() ? flatten(value, found, 0) : (found.push(value), true);
  };
  if (input.tag == Value::Tag::Object) {
    for (std::uint32_t i = 0; i < input.object->count; ++i)
      if (!take(input.object->members[i].value)) return Value::failed();
  } else if (input.tag == Value::Tag::InputObject) {
    for (const auto [key, value] : input.view().members())
      if (!take(value_of(value))) return Value::failed();
  } else if (input.is_array()) {
    Items items(*this, input);
    for (Value item; items.next(item);)
      if (!take(item)) return Value::failed();
  }
  if (!work(found.size())) return Value::failed();
  return found.array(!plain);
}

bool Evaluation::flatten(Value value, Collector& found, int depth) {
  if (!value.is_array()) return found.push(value), true;
  if (depth > depth_max_ / 4) return deep(), false;
  Items items(*this, value);
  for (Value item; items.next(item);)
    if (!flatten(item, found, depth + 1)) return false;
  return true;
}

Value Evaluation::descendants(Value input) {
  if (input.is_undefined()) return {};
  Collector found(*this);
  if (!descend(input, found, 0)) return Value::failed();
  return found.size() == 1 ? found[0] : found.array(true);
}

bool Evaluation::descend(Value value, Collector& found, int depth) {
  if (!work(1)) return false;
  if (depth > depth_max_ / 4) return deep(), false;
  if (!value.is_array()) found.push(value);
  if (value.is_array()) {
    Items items(*this, value);
    for (Value item; items.next(item);)
      if (!descend(item, found, depth + 1)) return false;
  } else if (value.tag == Value::Tag::Object) {
    for (std::uint32_t i = 0; i < value.object->count; ++i)
      if (!descend(value.object->members[i].value, found, depth + 1)) return false;
  } else if (value.tag == Value::Tag::InputObject) {
    for (const auto [key, member] : value.view().members())
      if (!descend(value_of(member), found, depth + 1)) return false;
  }
  return true;
}

}  // namespace millrace::definitions::jsonata
