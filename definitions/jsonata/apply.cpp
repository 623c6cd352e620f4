// Calls: of built-in functions, lambdas, partial applications, chains, transforms and regular expressions.

#include <algorithm>

#include "definitions/jsonata/evaluation.h"
#include "definitions/jsonata/matcher.h"
#include "definitions/jsonata/messages.h"

namespace millrace::definitions::jsonata {
namespace {

constexpr std::size_t kArgumentsInline = 4;

std::uint16_t type_of(Value value) {
  using enum Value::Tag;
  switch (value.tag) {
    case String:
      return types::kString;
    case Number:
    case InputNumber:
      return types::kNumber;
    case Boolean:
      return types::kBoolean;
    case Null:
      return types::kNull;
    case InputArray:
    case Array:
      return types::kArray;
    case InputObject:
    case Object:
      return types::kObject;
    case Function:
      return types::kFunction;
    default:
      return types::kMissing;
  }
}

std::string_view name_of_items(char letter) {
  switch (letter) {
    case 's':
      return "\"strings\"";
    case 'n':
      return "\"numbers\"";
    case 'b':
      return "\"booleans\"";
    case 'f':
      return "\"functions\"";
    case 'a':
      return "\"arrays\"";
    default:
      return "\"objects\"";
  }
}

std::string_view name_of_callee(const Node& callee) {
  return callee.kind == NodeKind::Path ? callee.items[0]->text : callee.text;
}

}  // namespace

// ---- arguments ------------------------------------------------------------------------------------------

bool Evaluation::accept_array(const Parameter& parameter, std::size_t index, Value& value) {
  const std::uint16_t type = type_of(value);
  if (type == types::kMissing) return true;
  if (parameter.item != 0) {
    const std::uint16_t wanted = type_of_letter(parameter.item);
    bool good = type == types::kArray || type == wanted;
    if (type == types::kArray && count_of(value) > 0) {
      Items items(*this, value);
      for (Value item; good && items.next(item);) good = type_of(item) == wanted;
      if (!work(count_of(value))) return false;
    }
    if (!good) return fail_argument("T0412", index + 1, value, name_of_items(parameter.item)), false;
  }
  if (type == types::kArray) return true;
  value = make_array({&value, 1}, false);
  return !value.has_failed();
}

// The usual case: one argument for each parameter, or the last ones left out.
bool Evaluation::arrange_simply(const Signature& signature, std::span<const Value> given, Value* out) {
  const auto& parameters = signature.parameters;
  if (given.size() > parameters.size()) return false;
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const Parameter& parameter = parameters[i];
    if (parameter.many) return false;
    if (i >= given.size()) {
      if (!parameter.optional || parameter.context) return false;
      out[i] = Value();
    } else if (type_of(given[i]) & parameter.accepted) {
      out[i] = given[i];
    } else {
      return false;
    }
  }
  return true;
}

bool Evaluation::arrange(const Signature& signature, std::span<const Value> given, Value context, Value* out,
                         std::size_t& count) {
  const auto& parameters = signature.parameters;
  count = parameters.size();
  if (arrange_simply(signature, given, out)) {
    for (std::size_t i = 0; i < given.size(); ++i)
      if (parameters[i].array && !accept_array(parameters[i], i, out[i])) return false;
    return true;
  }
  std::vector<std::uint16_t> kinds(given.size());
  std::transform(given.begin(), given.end(), kinds.begin(), type_of);
  std::uint32_t taken[kSignatureParametersMax];
  if (!signature.match(kinds.data(), kinds.size(), taken)) {
    const std::size_t good = signature.good(kinds.data(), kinds.size());
    return fail_argument("T0410", good + 1, good < given.size() ? given[good] : Value()), false;
  }
  std::size_t next = 0;
  count = 0;
  for (std::size_t p = 0; p < parameters.size(); ++p) {
    const Parameter& parameter = parameters[p];
    if (taken[p] == 0) {
      if (parameter.context) {
        if (!(type_of(context) & parameter.accepted)) return fail_argument("T0411", next + 1, context), false;
        out[count++] = context;
      } else {
        out[count++] = next < given.size() ? given[next] : Value();
        ++next;
      }
      continue;
    }
    for (std::uint32_t n = 0; n < taken[p]; ++n, ++next) {
      out[count] = given[next];
      if (parameter.array && !accept_array(parameter, next, out[count])) return false;
      ++count;
    }
  }
  return true;
}

// ---- calls as they are written --------------------------------------------------------------------------

Value Evaluation::call(const Node& node, Value input, Frame* frame, const Value* applied) {
  const Value function = evaluate(*node.a, input, frame);
  if (function.has_failed()) return function;
  if (function.is_undefined() && node.a->kind == NodeKind::Path) {
    const Node& name = *node.a->items[0];
    if (name.kind == NodeKind::Name && !lookup_variable(name.name, frame).is_undefined())
      return fail_at(*node.a->items[0], "T1005");
  }
  const std::size_t extra = applied ? 1 : 0, count = node.items.size() + extra;
  Value inline_arguments[kArgumentsInline];
  Value* const arguments = count <= kArgumentsInline ? inline_arguments : arena_.make_array<Value>(count);
  if (applied) arguments[0] = *applied;
  for (std::size_t i = extra; i < count; ++i) {
    arguments[i] = evaluate(*node.items[i - extra], input, frame);
    if (arguments[i].has_failed()) return arguments[i];
  }
  return invoke(node, function, {arguments, count}, input);
}

Value Evaluation::invoke(const Node& node, Value function, std::span<const Value> arguments, Value input) {
  const Value result = apply(function, arguments, input);
  if (result.has_failed()) locate_error(node);
  return result;
}

// An error without a place happened in the function that is called here.
void Evaluation::locate_error(const Node& node) {
  if (error_.position >= 0) return;
  error_.position = compiled_.position_of(node.position);
  const std::string_view token = name_of_callee(*node.a);
  if (error_.token.empty()) error_.token = token;
  fill_token(error_.message, token);
}

Value Evaluation::partial(const Node& node, Value input, Frame* frame) {
  const std::size_t count = node.items.size();
  Value* const arguments = arena_.make_array<Value>(count);
  for (std::size_t i = 0; i < count; ++i) {
    const bool open = node.items[i]->kind == NodeKind::Placeholder;
    arguments[i] = open ? Value::unbound() : evaluate(*node.items[i], input, frame);
    if (arguments[i].has_failed()) return arguments[i];
  }
  const Value function = evaluate(*node.a, input, frame);
  if (function.has_failed()) return function;
  if (!function.is_function()) {
    const bool forgotten = function.is_undefined() && node.a->kind == NodeKind::Path &&
                           node.a->items[0]->kind == NodeKind::Name &&
                           !lookup_variable(node.a->items[0]->name, frame).is_undefined();
    return fail_at(forgotten ? *node.a->items[0] : node, forgotten ? "T1007" : "T1008");
  }
  auto* const made = arena_.make<Function>();
  made->kind = Function::Kind::Partial;
  made->first = function;
  made->arguments = arguments;
  made->argument_count = static_cast<std::uint32_t>(count);
  made->serial = arena_.serial();
  return Value::of_function(made);
}

Value Evaluation::apply_operator(const Node& node, Value input, Frame* frame) {
  const Value left = evaluate(*node.a, input, frame);
  if (left.has_failed()) return left;
  if (node.b->kind == NodeKind::Call) return call(*node.b, input, frame, &left);
  const Value function = evaluate(*node.b, input, frame);
  if (function.has_failed()) return function;
  if (!function.is_function()) return fail_at(node, "T2006", function);
  if (!left.is_function()) {
    const Value result = apply(function, {&left, 1}, Value::null());
    if (result.has_failed() && error_.position < 0) error_.position = compiled_.position_of(node.position);
    return result;
  }
  auto* const made = arena_.make<Function>();
  made->kind = Function::Kind::Chain;
  made->first = left;
  made->second = function;
  made->serial = arena_.serial();
  return Value::of_function(made);
}

// ---- calls of values ------------------------------------------------------------------------------------

Value Evaluation::apply(Value function, std::span<const Value> arguments, Value context) {
  if (is_too_deep()) return deep();
  ++depth_;
  const Value result = apply_all(function, arguments, context);
  --depth_;
  return result;
}

Value Evaluation::apply_all(Value function, std::span<const Value> arguments, Value context) {
  Scratch scratch(*this);
  Value result = apply_once(function, arguments, context);
  // A call in tail position takes the place of its caller, however long the chain.
  while (result.tag == Value::Tag::TailCall) {
    const TailCall later = *result.tail_call;
    const Node& node = *later.node;
    const Value next = evaluate(*node.a, later.input, later.frame);
    if (next.has_failed()) return next;
    const std::size_t count = node.items.size();
    Value inline_arguments[kArgumentsInline];
    Value* given = count <= kArgumentsInline ? inline_arguments : arena_.make_array<Value>(count);
    bool detached = count <= kArgumentsInline && later.input.is_detached();
    for (std::size_t i = 0; i < count; ++i) {
      given[i] = evaluate(*node.items[i], later.input, later.frame);
      if (given[i].has_failed()) return given[i];
      detached = detached && given[i].is_detached();
    }
    // The frames of the calls before are not needed any more when nothing of them is passed on.
    if (detached && next.is_function() && next.function->serial <= scratch.serial())
      scratch.release_for(Value());
    result = apply_once(next, {given, count}, context);
    if (result.has_failed()) locate_error(node);
  }
  return result;
}

Value Evaluation::apply_once(Value function, std::span<const Value> arguments, Value context) {
  if (!function.is_function()) return fail("T1006", function);
  const Function& called = *function.function;
  switch (called.kind) {
    case Function::Kind::Builtin:
      return apply_builtin(*called.builtin, arguments, context);
    case Function::Kind::Lambda:
      return apply_lambda(called, arguments);
    case Function::Kind::Partial:
      return apply_partial(called, arguments, context);
    case Function::Kind::Chain: {
      const Value between =
          apply(called.first, arguments.first(std::min<std::size_t>(arguments.size(), 1)), {});
      return between.has_failed() ? between : apply(called.second, {&between, 1}, {});
    }
    case Function::Kind::Transform: {
      static const Signature kSignature = *parse_signature("<(oa):o>");
      Value object;
      std::size_t count = 0;
      return arrange(kSignature, arguments, context, &object, count) ? transform(called, object)
                                                                     : Value::failed();
    }
    case Function::Kind::Regex:
    case Function::Kind::NextMatch:
      return call_regex(*this, called, arguments);
  }
  return {};
}

Value Evaluation::apply_builtin(const Builtin& builtin, std::span<const Value> arguments, Value context) {
  Value inline_out[kArgumentsInline];
  const std::size_t most = builtin.parsed.parameters.size() + arguments.size();
  Value* const out = most <= kArgumentsInline ? inline_out : arena_.make_array<Value>(most);
  std::size_t count = 0;
  if (!arrange(builtin.parsed, arguments, context, out, count)) return Value::failed();
  return builtin.run(*this, {out, count});
}

Value Evaluation::apply_lambda(const Function& function, std::span<const Value> arguments) {
  const Node& node = *function.node;
  Value* arranged = nullptr;
  if (node.signature) {
    const std::size_t most = node.signature->parameters.size() + arguments.size();
    arranged = arena_.make_array<Value>(most);
    std::size_t count = 0;
    if (!arrange(*node.signature, arguments, function.input, arranged, count)) return Value::failed();
    arguments = {arranged, count};
  }
  Frame* const frame = make_frame(function.frame);
  const std::size_t count = node.items.size();
  if (count > 0) {
    auto* const bindings = arena_.make_array<Binding>(count);
    // The last one first: of two parameters with one name it counts.
    for (std::size_t i = 0; i < count; ++i)
      bindings[i] = {node.items[i]->name, i < arguments.size() ? arguments[i] : Value(),
                     i == 0 ? nullptr : bindings + i - 1};
    frame->first = bindings + count - 1;
  }
  return evaluate(*node.b, function.input, frame);
}

Value Evaluation::apply_partial(const Function& function, std::span<const Value> arguments, Value context) {
  Value* const all = arena_.make_array<Value>(function.argument_count);
  std::size_t next = 0;
  for (std::uint32_t i = 0; i < function.argument_count; ++i) {
    const Value known = function.arguments[i];
    all[i] = known.tag != Value::Tag::Unbound ? known : next < arguments.size() ? arguments[next++] : Value();
  }
  return apply(function.first, {all, function.argument_count}, context);
}

std::size_t arity_of(Value function) {
  const Function& called = *function.function;
  switch (called.kind) {
    case Function::Kind::Builtin:
      return called.builtin->name == "string" ? 1 : called.builtin->parsed.parameters.size();
    case Function::Kind::Lambda:
      return called.node->items.size();
    case Function::Kind::Partial:
      return static_cast<std::size_t>(std::count_if(called.arguments,
                                                    called.arguments + called.argument_count,
                                                    [](Value v) { return v.tag == Value::Tag::Unbound; }));
    case Function::Kind::Regex:
      return 2;
    case Function::Kind::NextMatch:
      return 0;
    default:
      return 1;
  }
}

}  // namespace millrace::definitions::jsonata
