#include <algorithm>
#include <cmath>

#include "definitions/jsonata/matcher.h"
#include "definitions/jsonata/natives.h"

namespace millrace::definitions::jsonata::natives {
namespace {

// The loops below look for one match more than the limit lets them use, as the reference does: that one may
// be empty, which is an error.

// The optional limit of how many; nothing: negative.
std::optional<double> limit_of(Arguments arguments, std::size_t i) {
  if (i >= arguments.size() || !arguments[i].is_number()) return INFINITY;
  const double limit = arguments[i].to_double();
  if (limit < 0) return std::nullopt;
  return limit;
}

// Text that grows in a loop, within the memory limit.
class Builder {
 public:
  explicit Builder(Evaluation& evaluation) : evaluation_(evaluation) {}
  bool add(std::string_view part) {
    if (!evaluation_.arena().has_room(text_.size() + part.size())) evaluation_.over_memory();
    if (!evaluation_.failed() && evaluation_.work(1 + part.size() / 64)) text_ += part;
    return !evaluation_.failed();
  }
  Value done() { return evaluation_.failed() ? Value::failed() : evaluation_.text(text_); }

 private:
  Evaluation& evaluation_;
  std::string text_;
};

// JavaScript's parseInt of at most `digits` characters; -1: no number.
long number_at(std::string_view text, std::size_t digits) {
  long value = -1;
  for (const char c : text.substr(0, digits)) {
    if (c < '0' || c > '9') break;
    value = std::max(value, 0L) * 10 + (c - '0');
  }
  return value;
}

// The replacement for one match: $0 is the match, $1 … its groups, $$ a dollar sign.
bool substitute(Builder& out, std::string_view pattern, const Found& found, Evaluation& evaluation) {
  const std::size_t groups = found.groups.is_array() ? evaluation.count_of(found.groups) : 0;
  const std::size_t digits = std::max<std::size_t>(std::to_string(groups).size(), 1);
  for (;;) {
    const std::size_t dollar = pattern.find('$');
    if (!out.add(pattern.substr(0, dollar))) return false;
    if (dollar == std::string_view::npos) return true;
    pattern.remove_prefix(dollar + 1);
    if (pattern.starts_with('$') || pattern.starts_with('0')) {
      if (!out.add(pattern[0] == '$' ? "$" : found.match)) return false;
      pattern.remove_prefix(1);
      continue;
    }
    long index = number_at(pattern, digits);
    if (digits > 1 && index > static_cast<long>(groups)) index = number_at(pattern, digits - 1);
    if (index < 0) {
      if (!out.add("$")) return false;
      continue;
    }
    if (index >= 1 && index <= static_cast<long>(groups)) {
      const Value group = evaluation.item_of(found.groups, static_cast<std::size_t>(index - 1));
      if (group.is_string() && !out.add(group.characters())) return false;
    }
    pattern.remove_prefix(std::to_string(index).size());
  }
}

Value replace_text(Evaluation& evaluation, std::string_view text, std::string_view what,
                   std::string_view with, double limit) {
  Builder out(evaluation);
  std::size_t begin = 0;
  for (double count = 0; count < limit; ++count) {
    const std::size_t at = text.find(what, begin);
    if (at == std::string_view::npos) break;
    if (!out.add(text.substr(begin, at - begin)) || !out.add(with)) return Value::failed();
    begin = at + what.size();
  }
  out.add(text.substr(begin));
  return out.done();
}

// An object for functions that replace: what the matcher found.
Value object_of(Evaluation& evaluation, const Found& found) {
  Object* const made = evaluation.make_object(4);
  evaluation.put(*made, Value::string("match"), Value::string(found.match));
  evaluation.put(*made, Value::string("start"), Value::number(found.start));
  evaluation.put(*made, Value::string("end"), Value::number(found.end));
  evaluation.put(*made, Value::string("groups"), found.groups);
  return Value::of_object(made);
}

}  // namespace

Value contains(Evaluation& evaluation, Arguments arguments) {
  if (!arguments[0].is_string() || arguments[1].is_undefined()) return {};
  const std::string_view text = arguments[0].characters();
  if (arguments[1].is_string())
    return Value::boolean(text.find(arguments[1].characters()) != std::string_view::npos);
  Matcher matcher(evaluation, arguments[1], text);
  const bool found = matcher.next().has_value();
  return evaluation.failed() ? Value::failed() : Value::boolean(found);
}

Value split(Evaluation& evaluation, Arguments arguments) {
  if (!arguments[0].is_string()) return {};
  const std::string_view text = arguments[0].characters();
  const auto limit = limit_of(arguments, 2);
  if (!limit) return evaluation.fail("D3020", arguments[2]);
  Evaluation::Collector parts(evaluation);
  if (!arguments[1].is_string()) {
    Matcher matcher(evaluation, arguments[1], text);
    double begin = 0, count = 0;
    std::optional<Found> found;
    if (*limit > 0) found = matcher.next();
    for (; found && count < *limit; ++count, found = matcher.next()) {
      parts.push(Value::string(matcher.part(begin, found->start)));
      begin = found->end;
    }
    if (evaluation.failed()) return Value::failed();
    if (count < *limit) parts.push(Value::string(matcher.part(begin, matcher.size())));
    return parts.array(false);
  }
  const std::string_view separator = arguments[1].characters();
  const double most = std::isinf(*limit) ? *limit : std::trunc(*limit);
  std::size_t begin = 0;
  while (static_cast<double>(parts.size()) < most) {
    if (!evaluation.work(1)) return Value::failed();
    std::size_t end = text.find(separator, begin);
    if (separator.empty()) {  // every character by itself
      if (begin >= text.size()) break;
      end = begin + 1;
      while (end < text.size() && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) ++end;
    }
    parts.push(Value::string(text.substr(begin, end - begin)));
    if (end == std::string_view::npos) break;
    begin = end + separator.size();
  }
  return parts.array(false);
}

Value match(Evaluation& evaluation, Arguments arguments) {
  if (!arguments[0].is_string()) return {};
  const auto limit = limit_of(arguments, 2);
  if (!limit) return evaluation.fail("D3040", arguments[2]);
  Evaluation::Collector matches(evaluation);
  Matcher matcher(evaluation, arguments[1], arguments[0].characters());
  std::optional<Found> found;
  if (*limit > 0) found = matcher.next();
  for (double count = 0; found && count < *limit; ++count, found = matcher.next()) {
    Object* const made = evaluation.make_object(3);
    evaluation.put(*made, Value::string("match"), Value::string(found->match));
    evaluation.put(*made, Value::string("index"), Value::number(found->start));
    evaluation.put(*made, Value::string("groups"), found->groups);
    matches.push(Value::of_object(made));
  }
  return evaluation.failed() ? Value::failed() : matches.array(true);
}

Value replace(Evaluation& evaluation, Arguments arguments) {
  if (!arguments[0].is_string()) return {};
  const std::string_view text = arguments[0].characters();
  const Value pattern = arguments[1];
  // The reference shows what is missing as JavaScript does.
  const Value with =
      arguments[2].is_undefined() && pattern.is_string() ? Value::string("undefined") : arguments[2];
  if (pattern.is_string() && pattern.size == 0) return evaluation.fail("D3010", pattern);
  const auto limit = limit_of(arguments, 3);
  if (!limit) return evaluation.fail("D3011", arguments[3]);
  if (pattern.is_string()) {
    if (with.is_string())
      return replace_text(evaluation, text, pattern.characters(), with.characters(), *limit);
    return text.find(pattern.characters()) == std::string_view::npos ? arguments[0]
                                                                     : evaluation.fail("D3012", with);
  }
  Builder out(evaluation);
  Matcher matcher(evaluation, pattern, text);
  double begin = 0;
  std::optional<Found> found;
  if (*limit > 0) found = matcher.next();
  for (double count = 0; found && count < *limit; ++count, found = matcher.next()) {
    out.add(matcher.part(begin, found->start));
    if (with.is_string()) {
      if (!substitute(out, with.characters(), *found, evaluation)) return Value::failed();
    } else {
      const Value argument = object_of(evaluation, *found);
      const Value made = evaluation.apply(with, {&argument, 1}, Value::null());
      if (made.has_failed()) return made;
      if (!made.is_string()) return evaluation.fail("D3012", made);
      out.add(made.characters());
    }
    begin = found->end;
  }
  if (!evaluation.failed()) out.add(matcher.part(begin, matcher.size()));
  return out.done();
}

}  // namespace millrace::definitions::jsonata::natives
