// From values to text, as $string and messages show them, and to documents.

#include <algorithm>
#include <cmath>

#include "base/utf8.h"
#include "definitions/jsonata/evaluation.h"
#include "definitions/jsonata/messages.h"
#include "definitions/jsonata/number_text.h"

namespace millrace::definitions::jsonata {
namespace {

constexpr std::size_t kMessageBytesMax = 1'000;

void append_line(std::string& out, bool pretty, int depth) {
  if (!pretty) return;
  out += '\n';
  out.append(static_cast<std::size_t>(depth) * 2, ' ');
}

// Halves of surrogate pairs that stand alone cannot leave as UTF-8.
std::string without_lone_surrogates(std::string_view characters) {
  std::string out;
  char32_t point = 0;
  while (!characters.empty()) {
    const std::size_t length = decode_utf8(characters, point);
    append_utf8(out, length > 0 ? point : 0xFFFD);
    characters.remove_prefix(length > 0 ? length : std::min<std::size_t>(3, characters.size()));
  }
  return out;
}

}  // namespace

bool Evaluation::append_string(std::string& out, Value value, bool pretty) {
  if (value.is_string()) {
    out += value.characters();
    return true;
  }
  if (value.is_function()) return true;
  if (value.is_number()) {
    const double d = value.to_double();
    if (!std::isfinite(d)) return fail("D3001", value), false;
    out += number_text(shown_number(d));
    return true;
  }
  if (value.tag == Value::Tag::Array && value.array->outer_wrapper) value = value.array->items[0];
  return append_json(out, value, pretty);
}

bool Evaluation::append_json(std::string& out, Value value, bool pretty, int depth) {
  if (!work(1)) return false;
  if (depth > depth_max_ / 4) return deep(), false;
  if (out.size() > environment_.limits->jsonata_memory_max) return over_memory(), false;
  bool fine = true, first = true;
  switch (value.tag) {
    case Value::Tag::Boolean:
      out += value.truth ? "true" : "false";
      return true;
    case Value::Tag::Number:
    case Value::Tag::InputNumber: {
      const double d = value.to_double();
      if (std::isnan(d)) return out += "null", true;
      if (!is_numeric(value)) return false;
      out += number_text(shown_number(d));
      return true;
    }
    case Value::Tag::String:
      append_quoted(out, value.characters());
      return true;
    case Value::Tag::Function:
      out += "\"\"";
      return true;
    case Value::Tag::InputArray:
    case Value::Tag::Array: {
      out += '[';
      Items items(*this, value);
      for (Value item; fine && items.next(item); first = false) {
        if (!first) out += ',';
        append_line(out, pretty, depth + 1);
        fine = append_json(out, item, pretty, depth + 1);
      }
      if (!first) append_line(out, pretty, depth);
      out += ']';
      return fine;
    }
    case Value::Tag::InputObject:
    case Value::Tag::Object:
      out += '{';
      for_each_member(value, [&](std::string_view key, Value item) {
        if (item.is_undefined()) return true;
        if (!first) out += ',';
        first = false;
        append_line(out, pretty, depth + 1);
        append_quoted(out, key);
        out += pretty ? ": " : ":";
        fine = append_json(out, item, pretty, depth + 1);
        return fine;
      });
      if (!first) append_line(out, pretty, depth);
      out += '}';
      return fine;
    default:
      out += "null";
      return true;
  }
}

std::string Evaluation::json_for_message(Value value) {
  if (value.is_undefined()) return {};
  if (value.is_number()) return number_text(value.to_double());
  // What is asked for a message must not fail for itself.
  const std::int64_t steps = steps_left_;
  std::string out;
  steps_left_ = kMessageBytesMax * 4;
  append_json(out, value, false);
  steps_left_ = steps;
  failed_ = false;
  if (out.size() > kMessageBytesMax) out = std::string(first_code_points(out, kMessageBytesMax)) + "...";
  return out;
}

Value Evaluation::clone(Value value, int depth) {
  if (!work(1)) return Value::failed();
  if (depth > depth_max_ / 4) return deep();
  if (value.is_array()) {
    Collector copies(*this);
    Items items(*this, value);
    for (Value item; items.next(item);) {
      const Value copy = clone(item, depth + 1);
      if (copy.has_failed()) return copy;
      copies.push(copy);
    }
    return copies.array(false);
  }
  if (!value.is_object()) return value.is_function() ? Value::string("") : value;
  Object* const made = make_object(member_count(value));
  for_each_member(value, [&](std::string_view key, Value item) {
    const Value copy = clone(item, depth + 1);
    if (!copy.has_failed()) put(*made, Value::string(key), copy);
    return !copy.has_failed();
  });
  return failed_ ? Value::failed() : Value::of_object(made);
}

bool Evaluation::write(JsonWriter& out, Value value, int depth) {
  if (depth > environment_.limits->json_depth_max) return deep(), false;
  switch (value.tag) {
    case Value::Tag::Boolean:
      out.boolean(value.truth);
      return true;
    case Value::Tag::Number:
      if (!std::isfinite(value.real)) return fail("D1001", value), false;
      out.number_text(number_text(value.real));
      return true;
    case Value::Tag::InputNumber:
    case Value::Tag::InputArray:
    case Value::Tag::InputObject:
      out.value(value.view());
      return true;
    case Value::Tag::String:
      if (valid_utf8(value.characters()))
        out.string(value.characters());
      else
        out.string(without_lone_surrogates(value.characters()));
      return true;
    case Value::Tag::Array: {
      if (!work(value.array->count)) return false;
      out.begin_array();
      Items items(*this, value);
      for (Value item; items.next(item);)
        if (!write(out, item, depth + 1)) return false;
      out.end_array();
      return true;
    }
    case Value::Tag::Object:
      out.begin_object();
      for (std::uint32_t i = 0; i < value.object->count; ++i) {
        const Member& member = value.object->members[i];
        if (member.value.is_undefined()) continue;
        out.key(member.key.characters());
        if (!write(out, member.value, depth + 1)) return false;
      }
      out.end_object();
      return true;
    case Value::Tag::Function:
      unsupported_ = true;
      return false;
    default:
      out.null();
      return true;
  }
}

}  // namespace millrace::definitions::jsonata
