// Arithmetic, comparison, text, ranges, membership, and the operators that evaluate their right side only
// when they need it.

#include <cmath>

#include "definitions/jsonata/evaluation.h"

namespace millrace::definitions::jsonata {
namespace {

constexpr double kRangeItemsMax = 1e7;

bool is_integer(Value value) {
  if (!value.is_number()) return false;
  const double d = value.to_double();
  return std::isfinite(d) && std::floor(d) == d;
}

bool is_comparable(Value value) {
  return value.is_undefined() || value.is_string() || value.is_number();
}

// Equal scalars, or the very same array, object or function: what `in` looks for.
bool is_same(Value a, Value b) {
  if (a.is_number() && b.is_number()) return a.to_double() == b.to_double();
  if (a.tag != b.tag) return false;
  switch (a.tag) {
    case Value::Tag::Null:
      return true;
    case Value::Tag::Boolean:
      return a.truth == b.truth;
    case Value::Tag::String:
      return a.characters() == b.characters();
    default:
      return a.text == b.text && a.size == b.size;
  }
}

}  // namespace

Value Evaluation::binary(const Node& node, Value input, Frame* frame) {
  const Value left = evaluate(*node.a, input, frame);
  if (left.has_failed()) return left;
  switch (node.op) {
    case Operator::And:
      if (!truth(left)) return Value::boolean(false);
      break;
    case Operator::Or:
      if (truth(left)) return Value::boolean(true);
      break;
    case Operator::Coalesce:
      return left.is_undefined() ? evaluate(*node.b, input, frame) : left;
    case Operator::Default:
      return truth(left) ? left : evaluate(*node.b, input, frame);
    default:
      break;
  }
  const Value right = evaluate(*node.b, input, frame);
  if (right.has_failed()) return right;
  switch (node.op) {
    case Operator::And:
    case Operator::Or:
      return Value::boolean(truth(right));
    case Operator::Equal:
    case Operator::NotEqual:
      if (left.is_undefined() || right.is_undefined()) return Value::boolean(false);
      return Value::boolean(equal(left, right) == (node.op == Operator::Equal));
    case Operator::Less:
    case Operator::LessEqual:
    case Operator::Greater:
    case Operator::GreaterEqual:
      return compare(node, left, right);
    case Operator::Concat:
      return concat(left, right);
    case Operator::Range:
      return range(node, left, right);
    case Operator::In:
      return in(left, right);
    default:
      return arithmetic(node, left, right);
  }
}

Value Evaluation::negate(const Node& node, Value input, Frame* frame) {
  const Value value = evaluate(*node.a, input, frame);
  if (value.has_failed() || value.is_undefined()) return value;
  if (!is_numeric(value)) return fail_at(node, "D1002", value);
  return Value::number(-value.to_double());
}

Value Evaluation::arithmetic(const Node& node, Value left, Value right) {
  if (!left.is_undefined() && !is_numeric(left)) return fail_at(node, "T2001", left);
  if (!right.is_undefined() && !is_numeric(right)) return fail_at(node, "T2002", right);
  if (left.is_undefined() || right.is_undefined()) return {};
  const double a = left.to_double(), b = right.to_double();
  switch (node.op) {
    case Operator::Add:
      return Value::number(a + b);
    case Operator::Subtract:
      return Value::number(a - b);
    case Operator::Multiply:
      return Value::number(a * b);
    case Operator::Divide:
      return Value::number(a / b);
    default:
      return Value::number(std::fmod(a, b));
  }
}

Value Evaluation::compare(const Node& node, Value left, Value right) {
  if (!is_comparable(left) || !is_comparable(right))
    return fail_at(node, "T2010", is_comparable(left) ? right : left);
  if (left.is_undefined() || right.is_undefined()) return {};
  if (left.is_string() != right.is_string()) return fail_at(node, "T2009", left, right);
  double order = 0;
  if (left.is_string()) {
    order = compare_text(left.characters(), right.characters());
  } else {
    const double a = left.to_double(), b = right.to_double();
    order = a < b ? -1 : a > b ? 1 : a == b ? 0 : NAN;
  }
  switch (node.op) {
    case Operator::Less:
      return Value::boolean(order < 0);
    case Operator::LessEqual:
      return Value::boolean(order <= 0);
    case Operator::Greater:
      return Value::boolean(order > 0);
    default:
      return Value::boolean(order >= 0);
  }
}

Value Evaluation::concat(Value left, Value right) {
  if (left.is_undefined() && right.is_undefined()) return Value::string("");
  std::string a, b;
  std::string_view first, second;
  if (left.is_string()) {
    first = left.characters();
  } else if (!left.is_undefined()) {
    if (!append_string(a, left, false)) return Value::failed();
    first = a;
  }
  if (right.is_string()) {
    second = right.characters();
  } else if (!right.is_undefined()) {
    if (!append_string(b, right, false)) return Value::failed();
    second = b;
  }
  return concat(first, second);
}

Value Evaluation::range(const Node& node, Value left, Value right) {
  if (!left.is_undefined() && !is_integer(left)) return fail_at(node, "T2003", left);
  if (!right.is_undefined() && !is_integer(right)) return fail_at(node, "T2004", right);
  if (left.is_undefined() || right.is_undefined()) return {};
  const double first = left.to_double(), last = right.to_double();
  if (first > last) return {};
  const double size = last - first + 1;
  if (size > kRangeItemsMax) return fail_at(node, "D2014", Value::number(size));
  auto* const made = arena_.make<Array>();
  made->count = static_cast<std::uint32_t>(size);
  made->sequence = true;
  made->first = first;
  return Value::of_array(made);
}

Value Evaluation::in(Value left, Value right) {
  if (left.is_undefined() || right.is_undefined()) return Value::boolean(false);
  Items items(*this, right);
  for (Value item; items.next(item);) {
    if (!work(1)) return Value::failed();
    if (is_same(left, item)) return Value::boolean(true);
  }
  return Value::boolean(false);
}

}  // namespace millrace::definitions::jsonata
