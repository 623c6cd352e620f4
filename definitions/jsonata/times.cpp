#include <cmath>

#include "definitions/jsonata/date_time.h"
#include "definitions/jsonata/evaluation.h"
#include "definitions/jsonata/natives.h"

namespace millrace::definitions::jsonata::natives {
namespace {

double millis_now(const Evaluation& evaluation) {
  return static_cast<double>(millrace::to_millis(evaluation.environment().now));
}

Value formatted(Evaluation& evaluation, double time, Value picture, Value zone) {
  const auto& parts = evaluation.date_picture(picture.is_string() ? picture.characters() : kIsoPicture);
  if (!parts) return evaluation.fail_with_text(parts.error().code, parts.error().value);
  const auto offset = zone.is_string() ? std::optional(zone.characters()) : std::nullopt;
  const auto text = format_millis(time, *parts, offset);
  if (!text) return evaluation.fail_with_text(text.error().code, text.error().value);
  return evaluation.text(*text);
}

}  // namespace

Value from_millis(Evaluation& evaluation, Arguments arguments) {
  if (!arguments[0].is_number()) return {};
  return formatted(evaluation, arguments[0].to_double(), arguments[1], arguments[2]);
}

Value to_millis(Evaluation& evaluation, Arguments arguments) {
  if (!arguments[0].is_string()) return {};
  const std::string_view text = arguments[0].characters();
  if (!arguments[1].is_string()) {
    // Nearly every timestamp is of this form; the rest, leap seconds too, is read as JavaScript reads it.
    const auto instant = text.size() > 17 && text[17] < '6' ? parse_rfc3339(text) : std::nullopt;
    if (instant) return Value::number(static_cast<double>(millrace::to_millis(*instant)));
    const auto time = jsonata::to_millis(text);
    if (!time) return evaluation.fail(time.error().code, arguments[0]);
    return Value::number(*time);
  }
  const auto& reader = evaluation.date_reader(arguments[1].characters());
  if (!reader) return evaluation.fail_with_text(reader.error().code, reader.error().value);
  const auto time = jsonata::to_millis(text, *reader, millis_now(evaluation));
  if (!time) return evaluation.fail_with_text(time.error().code, time.error().value);
  return *time ? Value::number(**time) : Value();
}

Value now(Evaluation& evaluation, Arguments arguments) {
  return formatted(evaluation, millis_now(evaluation), arguments[0], arguments[1]);
}

Value millis(Evaluation& evaluation, Arguments) {
  return Value::number(millis_now(evaluation));
}

}  // namespace millrace::definitions::jsonata::natives
