#include "tasks/metrics/request.h"

#include <algorithm>
#include <cmath>

#include "base/encoding.h"

namespace millrace::tasks::cloudwatch {
namespace {

tl::unexpected<ServiceError> wrong_type(std::string_view name, std::string_view type) {
  return service_error("SerializationException", std::string(name) + " must be a " + std::string(type));
}

}  // namespace

tl::unexpected<ServiceError> invalid_value(std::string message) {
  return service_error("InvalidParameterValueException", std::move(message));
}
tl::unexpected<ServiceError> invalid_combination(std::string message) {
  return service_error("InvalidParameterCombinationException", std::move(message));
}
tl::unexpected<ServiceError> missing_parameter(std::string_view name) {
  return service_error("MissingRequiredParameterException",
                       "The parameter " + std::string(name) + " is required.");
}
tl::unexpected<ServiceError> validation(std::string message) {
  return service_error("ValidationError", std::move(message));
}
tl::unexpected<ServiceError> refused(const Error& error) {
  const std::string words = error.hint.empty() ? error.message : error.message + " (" + error.hint + ")";
  if (error.code == ErrorCode::InvalidArgument) return validation(words);
  if (error.code == ErrorCode::LimitExceeded) return service_error("LimitExceededFault", words);
  return tl::unexpected<ServiceError>(ServiceError(error));
}

JsonView member(JsonView input, std::string_view name) {
  const JsonView found = input.is_object() ? input.find(name) : JsonView();
  return found && !found.is_null() ? found : JsonView();
}

Checked<std::string> text_in(JsonView input, std::string_view name, std::size_t max) {
  const JsonView found = member(input, name);
  if (!found) return std::string();
  if (!found.is_string()) return wrong_type(name, "string");
  std::string text = found.string();
  if (text.size() > max)
    return validation("1 validation error detected: Value at '" + std::string(name) +
                      "' failed to satisfy constraint: Member must have length less than or equal to " +
                      std::to_string(max));
  return text;
}

Checked<std::string> required_text(JsonView input, std::string_view name, std::size_t max) {
  MR_TRY(text, text_in(input, name, max));
  if (text.empty()) return missing_parameter(name);
  return text;
}

Checked<std::optional<double>> number_in(JsonView input, std::string_view name) {
  const JsonView found = member(input, name);
  if (!found) return std::optional<double>();
  if (!found.is_number()) return wrong_type(name, "number");
  return std::optional<double>(found.number());
}

Checked<std::optional<std::int64_t>> whole_in(JsonView input, std::string_view name, std::int64_t min,
                                              std::int64_t max) {
  const JsonView found = member(input, name);
  if (!found) return std::optional<std::int64_t>();
  const auto value = found.is_number() ? found.integer() : std::nullopt;
  if (!value) return wrong_type(name, "whole number");
  if (*value < min || *value > max)
    return validation("1 validation error detected: Value '" + std::to_string(*value) + "' at '" +
                      std::string(name) + "' failed to satisfy constraint: Member must have value " +
                      (*value < min ? "greater than or equal to " + std::to_string(min)
                                    : "less than or equal to " + std::to_string(max)));
  return value;
}

Checked<bool> flag_in(JsonView input, std::string_view name, bool otherwise) {
  const JsonView found = member(input, name);
  if (!found) return otherwise;
  if (!found.is_boolean()) return wrong_type(name, "boolean");
  return found.boolean();
}

Checked<std::optional<Instant>> time_in(JsonView input, std::string_view name) {
  const JsonView found = member(input, name);
  if (!found) return std::optional<Instant>();
  if (found.is_number()) {
    const double seconds = found.number();
    if (!std::isfinite(seconds) || std::fabs(seconds) > 1e11)
      return invalid_value("The value of " + std::string(name) + " is no time.");
    return std::optional<Instant>(from_millis(std::llround(seconds * 1000)));
  }
  const auto time = found.is_string() ? parse_rfc3339(found.string()) : std::nullopt;
  if (!time)
    return validation("timestamp must follow ISO8601: " + std::string(name) + " is " +
                      std::string(found.text().substr(0, 60)));
  return time;
}

Checked<Instant> required_time(JsonView input, std::string_view name) {
  MR_TRY(time, time_in(input, name));
  if (!time) return missing_parameter(name);
  return *time;
}

Checked<std::vector<std::string>> texts_in(JsonView input, std::string_view name, std::size_t max) {
  std::vector<std::string> texts;
  const JsonView list = member(input, name);
  if (!list) return texts;
  if (!list.is_array()) return wrong_type(name, "list");
  if (list.size() > max)
    return validation("The collection " + std::string(name) + " must not have a size greater than " +
                      std::to_string(max) + ".");
  for (const JsonView one : list.elements()) {
    if (!one.is_string()) return wrong_type(name, "list of strings");
    texts.push_back(one.string());
  }
  return texts;
}

Checked<std::vector<JsonView>> objects_in(JsonView input, std::string_view name, std::size_t max) {
  std::vector<JsonView> objects;
  const JsonView list = member(input, name);
  if (!list) return objects;
  if (!list.is_array()) return wrong_type(name, "list");
  if (list.size() > max)
    return validation("The collection " + std::string(name) + " must not have a size greater than " +
                      std::to_string(max) + ".");
  for (const JsonView one : list.elements()) {
    if (!one.is_object()) return wrong_type(name, "list of structures");
    objects.push_back(one);
  }
  return objects;
}

Checked<MetricDimensions> dimensions_in(JsonView input) {
  MR_TRY(list, objects_in(input, "Dimensions", kDimensionsMax));
  MetricDimensions dimensions;
  for (const JsonView one : list) {
    MR_TRY(name, required_text(one, "Name"));
    MR_TRY(value, required_text(one, "Value"));
    if (!dimensions.emplace(name, value).second)
      return invalid_value("The parameter Dimensions has the name " + name + " twice.");
  }
  return dimensions;
}

Checked<MetricId> metric_in(JsonView input) {
  MetricId id;
  MR_TRY(name_space, required_text(input, "Namespace"));
  MR_TRY(name, required_text(input, "MetricName"));
  MR_TRY(dimensions, dimensions_in(input));
  id = {std::move(name_space), std::move(name), std::move(dimensions)};
  if (const auto wrong = refuse_metric_id(id)) return invalid_value(*wrong);
  return id;
}

Checked<int> unit_in(JsonView input, int otherwise) {
  MR_TRY(name, text_in(input, "Unit"));
  if (name.empty()) return otherwise;
  const auto unit = unit_number(name);
  if (!unit) return invalid_value("The value " + name + " for parameter Unit is invalid.");
  return *unit;
}

Checked<Millis> period_in(JsonView input, std::string_view name) {
  MR_TRY(seconds, whole_in(input, name, 1, 86'400 * 365));
  if (!seconds) return missing_parameter(name);
  constexpr std::int64_t kShort[] = {1, 5, 10, 20, 30};
  const bool good =
      *seconds % 60 == 0 || std::find(std::begin(kShort), std::end(kShort), *seconds) != std::end(kShort);
  if (!good)
    return validation("Invalid Period: " + std::to_string(*seconds) +
                      " is not 1, 5, 10, 20, 30 or a multiple of 60.");
  return Millis(*seconds * 1000);
}

Checked<Statistic> statistic_named(const std::string& name) {
  const auto statistic = Statistic::parse(name);
  if (statistic) return *statistic;
  return validation("The value " + name +
                    " is no statistic here; there are SampleCount, Average, Sum, Minimum, Maximum and "
                    "percentiles like p99 or p99.9.");
}

double epoch_seconds(Instant time) {
  return static_cast<double>(to_millis(time)) / 1000.0;
}

std::string page_token(std::string_view place) {
  return base64_encode(place);
}

Checked<std::string> place_of_token(JsonView input) {
  MR_TRY(token, text_in(input, "NextToken", 8192));
  if (token.empty()) return std::string();
  auto place = base64_decode(token);
  if (!place || place->empty()) return service_error("InvalidNextToken", "The next token is invalid.");
  return *std::move(place);
}

}  // namespace millrace::tasks::cloudwatch
