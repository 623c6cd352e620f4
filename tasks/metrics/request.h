#pragma once
// How the operations of metrics and alarms read their requests, and refuse them in CloudWatch's words. Pure.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "tasks/integrations/service_answer.h"
#include "tasks/metrics/metric_id.h"
#include "tasks/metrics/statistics.h"

namespace millrace::tasks::cloudwatch {

tl::unexpected<ServiceError> invalid_value(std::string message);  // InvalidParameterValueException
tl::unexpected<ServiceError> invalid_combination(
    std::string message);  // InvalidParameterCombinationException
tl::unexpected<ServiceError> missing_parameter(std::string_view name);  // MissingRequiredParameterException
tl::unexpected<ServiceError> validation(std::string message);           // ValidationError
// An error of ours about a request, as ValidationError; one of the database stays one.
tl::unexpected<ServiceError> refused(const Error& error);

JsonView member(JsonView input, std::string_view name);  // null counts as absent: a view that is false
Checked<std::string> text_in(JsonView input, std::string_view name, std::size_t max = 1024);  // empty: absent
Checked<std::string> required_text(JsonView input, std::string_view name, std::size_t max = 1024);
Checked<std::optional<double>> number_in(JsonView input, std::string_view name);
Checked<std::optional<std::int64_t>> whole_in(JsonView input, std::string_view name, std::int64_t min,
                                              std::int64_t max);
Checked<bool> flag_in(JsonView input, std::string_view name, bool otherwise);
// Seconds since 1970, or RFC 3339.
Checked<std::optional<Instant>> time_in(JsonView input, std::string_view name);
Checked<Instant> required_time(JsonView input, std::string_view name);
Checked<std::vector<std::string>> texts_in(JsonView input, std::string_view name, std::size_t max);
// A list of objects; absent: empty.
Checked<std::vector<JsonView>> objects_in(JsonView input, std::string_view name, std::size_t max);

Checked<MetricDimensions> dimensions_in(JsonView input);  // [{"Name", "Value"}]
Checked<MetricId> metric_in(JsonView input);              // Namespace, MetricName, Dimensions
Checked<int> unit_in(JsonView input, int otherwise);
// Seconds: 1, 5, 10, 20, 30 or a multiple of 60.
Checked<Millis> period_in(JsonView input, std::string_view name);
Checked<Statistic> statistic_named(const std::string& name);

double epoch_seconds(Instant time);
// A page's token: opaque to clients, the place behind which the next page begins. Empty: none was given.
std::string page_token(std::string_view place);
Checked<std::string> place_of_token(JsonView input);

}  // namespace millrace::tasks::cloudwatch
