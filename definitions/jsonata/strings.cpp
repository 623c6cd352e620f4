#include <algorithm>
#include <cmath>

#include "base/utf8.h"
#include "definitions/jsonata/case_mapping.h"
#include "definitions/jsonata/evaluation.h"
#include "definitions/jsonata/natives.h"

namespace millrace::definitions::jsonata::natives {
namespace {

bool is_continuation(char c) {
  return (static_cast<unsigned char>(c) & 0xC0) == 0x80;
}

double points_of(std::string_view text) {
  return static_cast<double>(
      text.size() - static_cast<std::size_t>(std::count_if(text.begin(), text.end(), is_continuation)));
}

// The byte where the code point of this number begins.
std::size_t byte_of_point(std::string_view text, double point) {
  std::size_t i = 0;
  for (; point >= 1 && i < text.size(); --point) {
    ++i;
    while (i < text.size() && is_continuation(text[i])) ++i;
  }
  return i;
}

// JavaScript's slice over code points: negative positions count from the end, fractions are cut.
std::string_view slice(std::string_view text, double begin, double end, double size) {
  const auto position = [&](double p) {
    p = std::isnan(p) ? 0 : std::trunc(p);
    return p < 0 ? std::max(0.0, size + p) : std::min(p, size);
  };
  const double from = position(begin), to = position(end);
  if (from >= to) return {};
  const std::size_t first = byte_of_point(text, from);
  return text.substr(first, byte_of_point(text.substr(first), to - from));
}

}  // namespace

Value string(Evaluation& evaluation, Arguments arguments) {
  const Value value = arguments[0];
  if (value.is_undefined() || value.is_string()) return value;
  std::string out;
  const bool pretty = arguments.size() > 1 && arguments[1].is_boolean() && arguments[1].truth;
  return evaluation.append_string(out, value, pretty) ? evaluation.text(out) : Value::failed();
}

Value length(Evaluation&, Arguments arguments) {
  return arguments[0].is_string() ? Value::number(points_of(arguments[0].characters())) : Value();
}

Value substring(Evaluation&, Arguments arguments) {
  if (!arguments[0].is_string()) return {};
  const std::string_view text = arguments[0].characters();
  const double size = points_of(text);
  double start = arguments[1].is_number() ? arguments[1].to_double() : NAN;
  if (size + start < 0) start = 0;
  if (arguments.size() < 3 || arguments[2].is_undefined())
    return Value::string(slice(text, start, size, size));
  const double count = arguments[2].to_double();
  if (count <= 0) return Value::string("");
  return Value::string(slice(text, start, start >= 0 ? start + count : size + start + count, size));
}

Value substring_before(Evaluation&, Arguments arguments) {
  if (!arguments[0].is_string()) return {};
  const std::string_view text = arguments[0].characters();
  const std::size_t at =
      arguments[1].is_string() ? text.find(arguments[1].characters()) : std::string_view::npos;
  return Value::string(text.substr(0, at));
}

Value substring_after(Evaluation&, Arguments arguments) {
  if (!arguments[0].is_string()) return {};
  const std::string_view text = arguments[0].characters();
  const std::string_view mark =
      arguments[1].is_string() ? arguments[1].characters() : std::string_view("undefined");
  const std::size_t at = text.find(mark);
  return at == std::string_view::npos ? arguments[0] : Value::string(text.substr(at + mark.size()));
}

Value lowercase(Evaluation& evaluation, Arguments arguments) {
  return arguments[0].is_string() ? evaluation.text(to_lower(arguments[0].characters())) : Value();
}

Value uppercase(Evaluation& evaluation, Arguments arguments) {
  return arguments[0].is_string() ? evaluation.text(to_upper(arguments[0].characters())) : Value();
}

// Runs of blanks become one blank, at both ends none.
Value trim(Evaluation& evaluation, Arguments arguments) {
  if (!arguments[0].is_string()) return {};
  std::string out;
  bool blank = false;
  for (const char c : arguments[0].characters()) {
    if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
      blank = !out.empty();
      continue;
    }
    if (blank) out += ' ';
    blank = false;
    out += c;
  }
  return evaluation.text(out);
}

Value pad(Evaluation& evaluation, Arguments arguments) {
  if (!arguments[0].is_string()) return {};
  const std::string_view text = arguments[0].characters();
  const double width = arguments[1].is_number() ? arguments[1].to_double() : 0;
  std::string_view with = arguments.size() > 2 && arguments[2].is_string() ? arguments[2].characters() : " ";
  if (with.empty()) with = " ";
  const double missing = std::floor(std::fabs(width) - points_of(text));
  if (!(missing > 0)) return arguments[0];
  const double turns = std::ceil(missing / points_of(with));
  if (!(turns * static_cast<double>(with.size()) < 1e9) ||
      !evaluation.arena().has_room(static_cast<std::size_t>(turns) * with.size()))
    return evaluation.over_memory();
  std::string padding;
  for (double i = 0; i < turns; ++i) padding += with;
  padding.resize(byte_of_point(padding, missing));
  return width > 0 ? evaluation.concat(text, padding) : evaluation.concat(padding, text);
}

Value join(Evaluation& evaluation, Arguments arguments) {
  if (arguments[0].is_undefined()) return {};
  const std::string_view between = arguments[1].is_string() ? arguments[1].characters() : "";
  std::string out;
  bool first = true;
  Evaluation::Items items(evaluation, arguments[0]);
  for (Value item; items.next(item); first = false) {
    if (!evaluation.work(1)) return Value::failed();
    if (!first) out += between;
    if (item.is_string()) out += item.characters();
    if (!evaluation.arena().has_room(out.size())) return evaluation.over_memory();
  }
  return evaluation.text(out);
}

}  // namespace millrace::definitions::jsonata::natives
