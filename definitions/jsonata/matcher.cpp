#include "definitions/jsonata/matcher.h"

#include <algorithm>
#include <cmath>

#include "definitions/jsonata/regex.h"
#include "definitions/jsonata/utf16.h"

namespace millrace::definitions::jsonata {
namespace {

bool is_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

std::size_t unit_position(double position, std::size_t size) {
  if (!(position > 0)) return 0;
  return position >= static_cast<double>(size) ? size : static_cast<std::size_t>(position);
}

}  // namespace

Matcher::Matcher(Evaluation& evaluation, Value pattern, std::string_view text)
    : evaluation_(evaluation), pattern_(pattern), text_(text), ascii_(is_ascii(text)) {
  const bool regex = pattern.is_function() && pattern.function->kind == Function::Kind::Regex;
  if (ascii_ && regex) {
    units_.assign(text.begin(), text.end());
  } else if (!ascii_) {
    units_ = utf16_of(text);
  }
}

double Matcher::size() {
  return static_cast<double>(ascii_ ? text_.size() : units_.size());
}

// Matches come in order, so the way from one known position to the next is short.
std::size_t Matcher::byte_of(std::size_t unit) {
  if (ascii_) return std::min(unit, text_.size());
  if (unit < known_unit_) known_unit_ = known_byte_ = 0;
  while (known_unit_ < unit && known_byte_ < text_.size()) {
    const auto lead = static_cast<unsigned char>(text_[known_byte_]);
    const std::size_t length = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    if (length == 4 && unit == known_unit_ + 1) break;  // between the halves of a pair: before it
    known_unit_ += length == 4 ? 2 : 1;
    known_byte_ = std::min(known_byte_ + length, text_.size());
  }
  return known_byte_;
}

std::string_view Matcher::part(double begin, double end) {
  const std::size_t size = ascii_ ? text_.size() : units_.size();
  std::size_t from = unit_position(begin, size), to = unit_position(end, size);
  if (from > to) std::swap(from, to);
  const std::size_t first = byte_of(from);
  return text_.substr(first, byte_of(to) - first);
}

std::optional<Found> Matcher::next() {
  if (evaluation_.failed()) return std::nullopt;
  if (!pattern_.is_function()) {
    evaluation_.fail("T1010", pattern_);
    return std::nullopt;
  }
  const bool regex = pattern_.function->kind == Function::Kind::Regex;
  auto found = regex ? next_of_regex() : next_of_function();
  first_ = false;
  return found;
}

std::optional<Found> Matcher::next_of_regex() {
  if (!first_ && from_ >= units_.size()) return std::nullopt;
  // A search may read all that is left; most find something at once.
  if (!evaluation_.work(1 + (units_.size() - std::min(from_, units_.size())) / 256)) return std::nullopt;
  const auto match = pattern_.function->node->regex->find(units_, from_);
  if (!match) {
    evaluation_.fail_with_text(match.error().code, "Expression evaluation timeout");
    return std::nullopt;
  }
  if (!*match) return std::nullopt;
  const UnitRange all = (*match)->all;
  if (!first_ && all.begin == all.end) {
    evaluation_.fail("D1004");  // it would never get further
    return std::nullopt;
  }
  from_ = all.end;
  Found found;
  const auto part_of = [&](UnitRange range) {
    return part(static_cast<double>(range.begin), static_cast<double>(range.end));
  };
  found.match = part_of(all);
  found.start = static_cast<double>(all.begin);
  found.end = static_cast<double>(all.end);
  Evaluation::Collector groups(evaluation_);
  for (const auto& group : (*match)->groups) groups.push(group ? Value::string(part_of(*group)) : Value());
  found.groups = groups.array(false);
  if (evaluation_.failed()) return std::nullopt;
  return found;
}

std::optional<Found> Matcher::next_of_function() {
  const Value text = Value::string(text_);
  const Value answer = first_                     ? evaluation_.apply(pattern_, {&text, 1}, Value::null())
                       : following_.is_function() ? evaluation_.apply(following_, {}, Value::null())
                                                  : Value();
  if (evaluation_.failed() || answer.is_undefined()) return std::nullopt;
  Found found;
  const Value start = evaluation_.member(answer, "start"), end = evaluation_.member(answer, "end");
  found.groups = evaluation_.member(answer, "groups");
  following_ = evaluation_.member(answer, "next");
  const Value match = evaluation_.member(answer, "match");
  if (!start.is_number() && !end.is_number() && !found.groups.is_array() && !following_.is_function()) {
    evaluation_.fail("T1010", answer);
    return std::nullopt;
  }
  if (match.is_string()) found.match = match.characters();
  if (start.is_number()) found.start = start.to_double();
  found.end = end.is_number() ? end.to_double() : found.start;

  return found;
}

Value call_regex(Evaluation& evaluation, const Function& function, std::span<const Value> arguments) {
  const bool next = function.kind == Function::Kind::NextMatch;
  const Value text = next ? function.input : arguments.empty() ? Value() : arguments[0];
  if (!text.is_string()) return {};
  const std::u16string units = utf16_of(text.characters());
  std::size_t from = function.offset;
  if (!next && arguments.size() > 1 && arguments[1].is_number())
    from = unit_position(arguments[1].to_double(), units.size() + 1);
  if (from > units.size() || (next && from >= units.size())) return {};
  if (!evaluation.work(1 + units.size() / 64)) return Value::failed();
  const auto match = function.node->regex->find(units, from);
  if (!match) return evaluation.fail_with_text(match.error().code, "Expression evaluation timeout");
  if (!*match) return {};
  const UnitRange all = (*match)->all;
  if (next && all.begin == all.end) return evaluation.fail("D1004");
  const auto part = [&](UnitRange range) {
    return evaluation.text(utf8_of(std::u16string_view(units).substr(range.begin, range.end - range.begin)));
  };
  Object* const made = evaluation.make_object(5);
  evaluation.put(*made, Value::string("match"), part(all));
  evaluation.put(*made, Value::string("start"), Value::number(static_cast<double>(all.begin)));
  evaluation.put(*made, Value::string("end"), Value::number(static_cast<double>(all.end)));
  Evaluation::Collector groups(evaluation);
  for (const auto& group : (*match)->groups) groups.push(group ? part(*group) : Value());
  evaluation.put(*made, Value::string("groups"), groups.array(false));
  auto* const following = evaluation.arena().make<Function>();
  *following = function;
  following->kind = Function::Kind::NextMatch;
  following->input = text;
  following->offset = all.end;
  following->serial = evaluation.arena().serial();
  evaluation.put(*made, Value::string("next"), Value::of_function(following));
  return evaluation.failed() ? Value::failed() : Value::of_object(made);
}

}  // namespace millrace::definitions::jsonata
