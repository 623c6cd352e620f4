#include "simulation/mocks.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <tuple>

#include "definitions/diagnostics.h"

namespace millrace::simulation {
namespace {

constexpr std::uint64_t kAlways = std::numeric_limits<std::uint64_t>::max();

// "0", "1-2"; nothing for other text.
std::optional<std::pair<std::uint64_t, std::uint64_t>> invocations(const std::string& text) {
  std::pair<std::uint64_t, std::uint64_t> range{0, 0};
  const char* const end = text.data() + text.size();
  const auto first = std::from_chars(text.data(), end, range.first);
  if (first.ec != std::errc()) return std::nullopt;
  range.second = range.first;
  if (first.ptr == end) return range;
  if (*first.ptr != '-') return std::nullopt;
  const auto second = std::from_chars(first.ptr + 1, end, range.second);
  if (second.ec != std::errc() || second.ptr != end || range.second < range.first) return std::nullopt;
  return range;
}

bool is_by_invocation(JsonView view) {
  if (!view.is_object() || view.size() == 0) return false;
  for (const auto [key, value] : view.members()) {
    if (!invocations(key.string())) return false;
  }
  return true;
}

Result<Failure> read_failure(const Member& thrown) {
  MR_DO(thrown.members({"error", "cause", "Error", "Cause"}));
  Failure failure;
  failure.has_error = failure.has_cause = false;
  for (const auto& [name, text, has] : {std::tuple{"error", &failure.error, &failure.has_error},
                                        {"Error", &failure.error, &failure.has_error},
                                        {"cause", &failure.cause, &failure.has_cause},
                                        {"Cause", &failure.cause, &failure.has_cause}}) {
    MR_TRY(given, thrown.text(name));
    if (!given) continue;
    *text = *given;
    *has = true;
  }
  if (!failure.has_error)
    return thrown.wrong("'error' is missing", "name the error that Retry and Catch see");
  return failure;
}

Result<MockAnswer> read_answer(const Member& mock) {
  MR_DO(mock.members({"return", "throw", "never", "after", "heartbeat", "times", "iteration", "line",
                      "arguments", "argumentsExactly", "Return", "Throw"}));
  MockAnswer answer;
  Member returned = mock.find("return"), thrown = mock.find("throw");
  if (!returned) returned = mock.find("Return");
  if (!thrown) thrown = mock.find("Throw");
  MR_TRY(never, mock.flag("never"));
  answer.never = never;
  if (static_cast<int>(static_cast<bool>(returned)) + static_cast<int>(static_cast<bool>(thrown)) + never !=
      1)
    return mock.wrong(
        "must have one of 'return', 'throw' and 'never'",
        R"(e.g. {"return": {"n": 1}} or {"throw": {"error": "States.TaskFailed", "cause": "why"}})");
  if (returned) answer.outcome = Payload::of(returned.view());
  if (thrown) {
    MR_TRY(failure, read_failure(thrown));
    answer.outcome = tl::unexpected<Failure>(std::move(failure));
  }
  MR_TRY(after, mock.seconds("after"));
  answer.after = after.value_or(Millis(0));
  MR_TRY(heartbeat, mock.seconds("heartbeat"));
  if (heartbeat && *heartbeat <= Millis(0)) return mock.wrong("'heartbeat' must be more than 0 seconds");
  answer.heartbeat = heartbeat;
  if (const Member exactly = mock.find("argumentsExactly")) {
    answer.arguments = Payload::of(exactly.view());
    answer.arguments_how = Compare::Exact;
  } else if (const Member arguments = mock.find("arguments")) {
    answer.arguments = Payload::of(arguments.view());
  }
  return answer;
}

// How many invocations an answer in a list is for: 1, `times`, or all that follow.
Result<std::uint64_t> times_of(const Member& mock) {
  const Member times = mock.find("times");
  if (!times) return std::uint64_t{1};
  if (times.view().is_string() && times.view().equals("always")) return kAlways;
  MR_TRY(count, mock.whole("times"));
  if (*count == 0) return times.wrong("must be 1 or more, or \"always\"");
  return *count;
}

// The series for the same line, made when it is the first.
Result<MockSeries*> series_of(std::vector<MockSeries>& all, const Member& mock) {
  MR_TRY(iteration, mock.whole("iteration"));
  MR_TRY(line, mock.text("line"));
  if (iteration && line) return mock.wrong("'iteration' and 'line' name the same: give one of them");
  const std::string label = line.value_or("");
  for (MockSeries& series : all) {
    if (series.iteration == iteration && series.line == label) return &series;
  }
  all.push_back({iteration, label, {}});
  return &all.back();
}

}  // namespace

bool MockSeries::matches(const Line* from) const {
  if (!line.empty()) return from && from->label == line;
  if (iteration) return from && !from->label.empty() && from->index == *iteration;
  return true;
}

Result<std::vector<MockSeries>> read_mock(const Member& mock) {
  std::vector<MockSeries> all;
  if (is_by_invocation(mock.view())) {
    for (const auto [key, value] : mock.view().members()) {
      const Member one(value, mock.below(key.string()));
      MR_TRY(answer, read_answer(one));
      std::tie(answer.first, answer.last) = *invocations(key.string());
      MR_TRY(series, series_of(all, one));
      series->answers.push_back(std::move(answer));
    }
    return all;
  }
  if (!mock.view().is_array()) {
    MR_TRY(answer, read_answer(mock));
    answer.last = kAlways;
    MR_TRY(series, series_of(all, mock));
    series->answers.push_back(std::move(answer));
    return all;
  }
  for (std::uint32_t i = 0; i < mock.view().size(); ++i) {
    const Member one = mock.at(i);
    MR_TRY(answer, read_answer(one));
    MR_TRY(times, times_of(one));
    MR_TRY(series, series_of(all, one));
    const auto& before = series->answers;
    if (!before.empty() && before.back().last == kAlways)
      return one.wrong("an answer before it is given always: this one is never reached");
    answer.first = before.empty() ? 0 : before.back().last + 1;
    answer.last = times == kAlways ? kAlways : answer.first + times - 1;
    series->answers.push_back(std::move(answer));
  }
  return all;
}

std::set<std::string> state_names(const definitions::Program& program) {
  std::set<std::string> names;
  for (const definitions::Node& node : program.nodes) {
    names.insert(node.name);
    if (const auto* map = std::get_if<definitions::Map>(&node.kind))
      names.merge(state_names(*map->processor));
    if (const auto* parallel = std::get_if<definitions::Parallel>(&node.kind)) {
      for (const auto& branch : parallel->branches) names.merge(state_names(*branch));
    }
  }
  return names;
}

Result<Mocks> read_mocks(const Member& mocks, const definitions::Program& program) {
  Mocks read;
  if (!mocks) return read;
  if (!mocks.view().is_object()) return mocks.wrong("must be an object of states and their answers");
  const std::set<std::string> names = state_names(program);
  std::vector<std::string_view> candidates(names.begin(), names.end());
  for (const auto [key, value] : mocks.view().members()) {
    const std::string state = key.string();
    const Member one(value, mocks.below(state));
    if (!names.contains(state)) {
      const std::string near = definitions::nearest(state, candidates);
      return one.wrong("the definition has no state of this name",
                       near.empty() ? "" : "did you mean '" + near + "'?");
    }
    MR_TRY(series, read_mock(one));
    read.emplace(state, std::move(series));
  }
  return read;
}

const MockAnswer* MockRunner::find(const orchestrator::TaskRequest& request) {
  const std::uint64_t call = calls_[request.state_name]++;
  const auto mock = mocks_.find(request.state_name);
  const std::string who =
      "state '" + request.state_name + "' (" + request.resource + "), invocation " + std::to_string(call);
  if (mock == mocks_.end()) {
    missing_ = who + ", has no mock: add \"mocks\": {\"" + request.state_name +
               "\": {\"return\": ...}} to the case. It was called with " +
               shortened(request.arguments.text(), 200);
    return nullptr;
  }
  const Trace* trace = world_ ? world_->trace(request.key.execution) : nullptr;
  const Line* line = trace ? trace->line(request.key.frame) : nullptr;
  // Answers for the very line before those for any.
  for (const bool special : {true, false}) {
    for (const MockSeries& series : mock->second) {
      if ((series.iteration || !series.line.empty()) != special || !series.matches(line)) continue;
      const std::uint64_t number = used_[&series]++;
      for (const MockAnswer& answer : series.answers) {
        if (answer.first <= number && number <= answer.last) return &answer;
      }
    }
  }
  missing_ = who + (line && !line->label.empty() ? " from " + line->label : "") +
             ", has no mock left: add another answer to its list, or \"times\": \"always\" to the last";
  return nullptr;
}

void MockRunner::start(orchestrator::TaskRequest request, Report report) {
  const orchestrator::TaskKey key = request.key;
  if (!missing_.empty() || !out_.insert(key).second) return;
  const MockAnswer* answer = find(request);
  if (!answer) return;
  if (answer->arguments) {
    if (const auto wrong =
            first_difference(answer->arguments->view(), request.arguments.view(), answer->arguments_how)) {
      surprises_.push_back("arguments of '" + request.state_name + "', invocation " +
                           std::to_string(calls_[request.state_name] - 1) + ": " + describe(*wrong));
    }
  }
  const Instant end = answer->never ? Instant::max() : scheduler_.clock().now() + answer->after;
  if (answer->heartbeat) beat(key, *answer->heartbeat, end, report);
  if (answer->never) return;
  scheduler_.at(end, [this, key, outcome = answer->outcome, report = std::move(report)] {
    if (out_.erase(key) > 0) report(key, outcome);
  });
}

void MockRunner::beat(const orchestrator::TaskKey& key, Millis every, Instant end, const Report& report) {
  if (end - scheduler_.clock().now() <= every) return;
  scheduler_.after(every, [this, key, every, end, report] {
    if (!out_.contains(key)) return;
    report(key, orchestrator::Heartbeat{Payload::empty_object()});
    beat(key, every, end, report);
  });
}

}  // namespace millrace::simulation
