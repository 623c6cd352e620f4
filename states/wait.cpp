// Wait: for seconds or until a time; a time in the past ends at once.

#include <cmath>

#include "states/behaviour.h"
#include "states/data_flow.h"

namespace millrace::states {
namespace {

constexpr std::int64_t kSecondsMax = 99'999'999;
constexpr std::chrono::seconds kDelayMax{2'147'483'647};  // the service was recorded to refuse more

tl::unexpected<Failure> wrong_time(std::string cause) {
  return failed(error_names::kRuntime, std::move(cause));
}

Outcome value_at(const definitions::Path& path, const Payload& input, const Turn& turn, FrameId id) {
  const FrameScope at(turn.execution(), turn.frame(id), input, turn.environment());
  return path.evaluate(at.scope);
}

// Seconds and Timestamp of a JSONata state. Their failures say the state already.
tl::expected<Instant, Failure> due_by_query(const Turn& turn, FrameId id, const definitions::Wait& wait) {
  const auto refused = [&](const definitions::Query& query, std::string cause) {
    Failure failure{std::string(error_names::kQueryEvaluationError), std::move(cause)};
    failure.location = query.location();
    return tl::unexpected<Failure>(in_state(turn, id, std::move(failure)));
  };
  if (wait.seconds_query) {
    MR_TRY(seconds, whole_number(*wait.seconds_query, turn, id));
    const std::string about = std::to_string(seconds);
    if (seconds < 0) return refused(*wait.seconds_query, "The Seconds field is a negative value: " + about);
    if (seconds > kSecondsMax)
      return refused(*wait.seconds_query, "The Seconds field is a value that is too large: " + about);
    return turn.frame(id).entered_time + std::chrono::seconds(seconds);
  }
  MR_TRY(value, evaluate(*wait.timestamp_query, "string", turn, id));
  const std::string text = value.view().string();
  if (const auto time = parse_rfc3339(text)) return *time;
  return refused(*wait.timestamp_query,
                 "The Timestamp field cannot be parsed as an ISO-8601 extended offset date-time format "
                 "string: " +
                     text);
}

tl::expected<Instant, Failure> due(const Turn& turn, FrameId id, const definitions::Wait& wait,
                                   const Payload& input) {
  const Instant entered = turn.frame(id).entered_time;
  if (wait.seconds) return entered + std::chrono::seconds(*wait.seconds);
  if (wait.timestamp) return *wait.timestamp;
  if (wait.seconds_path) {
    const Outcome value = value_at(*wait.seconds_path, input, turn, id);
    const std::string& path = wait.seconds_path->source();
    if (!value) return wrong_time("The SecondsPath parameter does not reference an input value: " + path);
    const std::string shown = value->view().is_string() ? value->view().string() : std::string(value->text());
    const bool whole = value->view().is_number() && shown.find_first_of(".eE") == std::string::npos;
    const auto seconds = whole ? value->view().integer() : std::nullopt;
    const std::string about = path + " == " + shown;
    if (!seconds) return wrong_time("The SecondsPath parameter cannot be parsed as a long value: " + about);
    if (*seconds < 0) return wrong_time("The SecondsPath parameter references a negative value: " + about);
    if (*seconds > kSecondsMax)
      return wrong_time("The SecondsPath parameter references a value that is too large: " + about);
    return entered + std::chrono::seconds(*seconds);
  }
  const Outcome value = value_at(*wait.timestamp_path, input, turn, id);
  const std::string& path = wait.timestamp_path->source();
  if (!value) return wrong_time("The TimestampPath parameter does not reference an input value: " + path);
  const std::string text = value->view().is_string() ? value->view().string() : std::string(value->text());
  const auto time = value->view().is_string() ? parse_rfc3339(text) : std::nullopt;
  if (!time) {
    return wrong_time(
        "The TimestampPath parameter does not reference a valid ISO-8601 extended offset date-time format "
        "string: " +
        path + " == " + text);
  }
  return *time;
}

}  // namespace

Step enter_wait(Turn& turn, FrameId id, const definitions::Wait& wait) {
  Outcome input = after_input_path(turn, id);
  if (!input) return step::Failed{input.error(), false};
  const bool queried = wait.seconds_query || wait.timestamp_query;
  const auto until = queried ? due_by_query(turn, id, wait) : due(turn, id, wait, *input);
  if (!until) return fail_state(turn, id, queried ? until.error() : in_state(turn, id, until.error()), false);
  if (*until - turn.environment().now > kDelayMax) {
    return step::Failed{
        in_state(turn, id, Failure{std::string(error_names::kRuntime), "Wait state delay is too long."}),
        false};
  }
  if (*until <= turn.environment().now) return resume_wait(turn, id);
  turn.emit(EventType::WaitScheduled, id, detail::WaitScheduled{*until});
  return step::Waits{};
}

Step resume_wait(Turn& turn, FrameId id) {
  Outcome input = after_input_path(turn, id);
  if (!input) return step::Failed{input.error(), false};
  return complete(turn, id, *input);
}

}  // namespace millrace::states
