#include "states/test_state.h"

#include <algorithm>
#include <limits>
#include <span>

#include "base/check.h"
#include "base/random.h"
#include "states/behaviour.h"
#include "states/data_flow.h"
#include "states/distributed_map.h"
#include "states/retry.h"
#include "states/test_state_request.h"

namespace millrace::states {
namespace {

using definitions::QueryLanguage;
using definitions::StateType;

constexpr FrameId kRoot{1};

// The context object of an execution that does not exist: one of an Express workflow, as AWS shows it.
Payload default_context(const TestStateRequest& request, const TestStateSettings& settings,
                        const Environment& environment) {
  Random random = Random(environment.seed).derive("test-state");
  const std::string machine = "TestState-" + uuid_v4(random), execution = uuid_v4(random);
  const std::string scope = settings.region + ":" + settings.account + ":";
  const std::string now = format_rfc3339(environment.now);
  const StateType type = request.node().type();
  JsonWriter out;
  out.begin_object();
  out.key("Execution").begin_object();
  out.key("Id").string("arn:aws:states:" + scope + "express:" + machine + ":" + execution);
  out.key("Input").value(request.input).key("Name").string(execution).key("RoleArn");
  if (request.role_arn.empty())
    out.null();
  else
    out.string(request.role_arn);
  out.key("StartTime").string(now).end_object();
  out.key("StateMachine").begin_object();
  out.key("Id").string("arn:aws:states:" + scope + "stateMachine:" + machine).key("Name").string(machine);
  out.end_object();
  out.key("State").begin_object().key("Name").string(kTestedState).key("EnteredTime").string(now);
  if (type == StateType::Task || type == StateType::Map || type == StateType::Parallel)
    out.key("RetryCount").number(static_cast<std::int64_t>(request.retrier_retry_count));
  out.end_object().end_object();
  return out.finish();
}

// The stages that AWS shows of a state of this type, in the order shown.
std::span<const Stage> shown_stages(const definitions::Node& node) {
  static constexpr Stage kResultPass[] = {Stage::Result, Stage::AfterResultSelector, Stage::AfterResultPath};
  static constexpr Stage kPass[] = {Stage::AfterInputPath, Stage::AfterParameters, Stage::AfterResultSelector,
                                    Stage::AfterResultPath};
  static constexpr Stage kTask[] = {Stage::AfterInputPath, Stage::AfterParameters, Stage::Result,
                                    Stage::AfterResultSelector, Stage::AfterResultPath};
  static constexpr Stage kInput[] = {Stage::AfterInputPath};
  static constexpr Stage kParallel[] = {Stage::AfterResultSelector, Stage::AfterResultPath};
  static constexpr Stage kMap[] = {
      Stage::AfterInputPath,    Stage::AfterItemsPath,        Stage::AfterItemsPointer,
      Stage::AfterItemSelector, Stage::AfterItemBatcher,      Stage::AfterResultSelector,
      Stage::AfterResultPath,   Stage::ToleratedFailureCount, Stage::ToleratedFailurePercentage,
      Stage::MaxConcurrency};
  static constexpr Stage kJsonAtaTask[] = {Stage::AfterArguments, Stage::Result};
  static constexpr Stage kJsonAtaMap[] = {Stage::AfterItemsPointer,          Stage::AfterItemSelector,
                                          Stage::AfterItemBatcher,           Stage::ToleratedFailureCount,
                                          Stage::ToleratedFailurePercentage, Stage::MaxConcurrency};
  const StateType type = node.type();
  if (node.language == QueryLanguage::JsonAta) {
    if (type == StateType::Task) return kJsonAtaTask;
    if (type == StateType::Map) return kJsonAtaMap;
    return {};
  }
  if (const auto* pass = std::get_if<definitions::Pass>(&node.kind); pass && pass->result) return kResultPass;
  switch (type) {
    case StateType::Pass:
      return kPass;
    case StateType::Task:
      return kTask;
    case StateType::Parallel:
      return kParallel;
    case StateType::Map:
      return kMap;
    default:
      return kInput;
  }
}

bool is_number(Stage stage) {
  return stage == Stage::MaxConcurrency || stage == Stage::ToleratedFailureCount ||
         stage == Stage::ToleratedFailurePercentage;
}

}  // namespace

struct TestState::Impl {
  TestStateRequest request;
  Limits limits;  // of this test
  Inspection inspection;
  Turn turn;
  std::optional<effect::StartTask> task;
  std::optional<Step> step;         // once the state has ended
  std::optional<Payload> exchange;  // of an HTTP task

  Impl(TestStateRequest read, const TestStateSettings& settings, const Environment& environment)
      : request(std::move(read)),
        limits(*environment.limits),
        turn(*request.program, with_context(request, settings, environment), own(environment)) {
    turn.inspect(&inspection);
  }

  static Execution with_context(const TestStateRequest& request, const TestStateSettings& settings,
                                const Environment& environment) {
    Execution execution;
    execution.context = request.context ? *request.context : default_context(request, settings, environment);
    for (const auto [name, value] : request.variables.view().members())
      execution.given_variables.insert_or_assign(name.string(), Payload::of(value));
    return execution;
  }
  // The items of a Map are all selected at once: nothing runs that could be too much.
  Environment own(const Environment& environment) {
    limits.inline_map_concurrency_max = std::numeric_limits<int>::max();
    Environment made = environment;
    made.limits = &limits;
    return made;
  }

  const definitions::Node& node() const { return request.node(); }

  std::optional<TestStateError> enter_state(const TestStateSettings& settings);
  void finish(const Outcome& outcome);
  Step of_fork(const Outcome& outcome);
  std::optional<Failure> too_many_failures() const;
  std::optional<Failure> no_array_at_items_path();
  std::optional<std::size_t> items() const;
  void note_map();
  void write_selected(JsonWriter& out);
  Payload answer();
  void write_variables(JsonWriter& out) const;
  void write_inspection(JsonWriter& out, const std::optional<Failure>& failure,
                        const RetryDecision& decision) const;
};

std::optional<TestStateError> TestState::Impl::enter_state(const TestStateSettings& settings) {
  ExecutionIdentity identity;
  identity.machine_arn = "arn:aws:states:" + settings.region + ":" + settings.account + ":stateMachine:Test";
  identity.role_arn = request.role_arn;
  turn.emit(EventType::ExecutionStarted, FrameId{0}, detail::ExecutionStarted{identity, request.input});
  turn.emit_entered(entered_event(node().type()), kRoot, request.program->start,
                    detail::StateEntered{std::string(kTestedState), request.input});
  if (node().type() == StateType::Fail) turn.note(Stage::AfterInputPath, request.input);
  if (const auto* pass = std::get_if<definitions::Pass>(&node().kind); pass && pass->result)
    turn.note(Stage::Result, *pass->result);
  Step entered = enter(turn, kRoot);
  if (const auto* wait = std::get_if<step::Waits>(&entered); wait && node().type() == StateType::Wait)
    entered = resume_wait(turn, kRoot);  // nobody waits in a test
  const bool works = std::holds_alternative<definitions::Task>(node().kind) ||
                     std::holds_alternative<definitions::Map>(node().kind) ||
                     std::holds_alternative<definitions::Parallel>(node().kind);
  if (!works || std::holds_alternative<step::Failed>(entered)) {
    step = std::move(entered);
    return std::nullopt;
  }
  note_map();
  if (const auto count = items(); count && request.map_iteration_failure_count > *count) {
    return TestStateError{
        "ValidationException",
        "Map iteration failure count must be less than or equal to the number of Map iterations"};
  }
  if (request.mock) {
    finish(*request.mock);
  } else {
    for (const Effect& effect : turn.effects()) {
      if (const auto* start = std::get_if<effect::StartTask>(&effect)) task = *start;
    }
  }
  return std::nullopt;
}

// How many items a Map has, once it knows.
std::optional<std::size_t> TestState::Impl::items() const {
  if (!turn.has_frame(kRoot)) return std::nullopt;
  if (const auto* run = std::get_if<waiting::ForMapRun>(&turn.frame(kRoot).waiting))
    return run->items.view().is_null() ? std::optional<std::size_t>() : run->items.view().size();
  const auto* work = std::get_if<waiting::ForItems>(&turn.frame(kRoot).waiting);
  return work ? std::optional<std::size_t>(work->length) : std::nullopt;
}

// What ItemSelector makes of each item of a distributed Map that has them in its input.
void TestState::Impl::write_selected(JsonWriter& out) {
  const auto* run = std::get_if<waiting::ForMapRun>(&turn.frame(kRoot).waiting);
  if (!run) return;
  const Payload items = run->items;
  std::uint32_t index = 0;
  const auto write = [&](JsonView value, std::optional<std::string> key) {
    const Outcome selected =
        selected_item(turn, kRoot, MapItem{index++, value, std::move(key), kItemsOfState});
    if (selected) out.value(*selected);
  };
  if (items.view().is_array()) {
    for (const JsonView item : items.view().elements()) write(item, std::nullopt);
  } else if (items.view().is_object()) {
    for (const auto [key, value] : items.view().members()) write(value, key.string());
  }
}

// What the definition itself says of a Map; what ItemSelector made of each item is in the starts of the
// iterations.
void TestState::Impl::note_map() {
  const auto* map = std::get_if<definitions::Map>(&node().kind);
  if (!map) return;
  if (const auto& count = map->tolerated_failure_count.value)
    turn.note(Stage::ToleratedFailureCount, Payload::literal(std::to_string(*count)));
  if (const auto& percentage = map->tolerated_failure_percentage.value)
    turn.note(Stage::ToleratedFailurePercentage, JsonWriter().number(*percentage).finish());
  if (!map->item_selector) return;
  JsonWriter out;
  out.begin_array();
  for (const Event& event : turn.events()) {
    if (const auto* started = std::get_if<detail::IterationStarted>(&event.details))
      out.value(started->input);
  }
  if (turn.has_frame(kRoot)) write_selected(out);
  turn.note(Stage::AfterItemSelector, out.end_array().finish());
}

std::optional<Failure> TestState::Impl::too_many_failures() const {
  const auto* map = std::get_if<definitions::Map>(&node().kind);
  const auto failures = static_cast<double>(request.map_iteration_failure_count);
  if (!map || failures == 0) return std::nullopt;
  const auto tolerated = [&](Stage stage) {
    return inspection.at(stage) ? std::optional(inspection.at(stage)->view().number()) : std::nullopt;
  };
  const auto count = tolerated(Stage::ToleratedFailureCount);
  const auto percentage = tolerated(Stage::ToleratedFailurePercentage);
  const double all = static_cast<double>(std::max<std::size_t>(items().value_or(0), 1));
  if (!(count && failures > *count) && !(percentage && 100 * failures / all > *percentage))
    return std::nullopt;
  return Failure{std::string(error_names::kExceedToleratedFailureThreshold),
                 "The specified tolerated failure threshold was exceeded"};
}

Step TestState::Impl::of_fork(const Outcome& outcome) {
  if (!outcome) return step::Failed{outcome.error()};
  if (auto failure = too_many_failures()) return step::Failed{std::move(*failure)};
  return complete(turn, kRoot, *outcome);
}

void TestState::Impl::finish(const Outcome& outcome) {
  if (outcome) turn.note(Stage::Result, *outcome);
  step = node().type() == StateType::Task ? task_reported(turn, kRoot, outcome) : of_fork(outcome);
}

// AWS says this in its own words here.
std::optional<Failure> TestState::Impl::no_array_at_items_path() {
  const auto* map = std::get_if<definitions::Map>(&node().kind);
  if (!map || map->items_path.kind != definitions::PathField::Kind::Path ||
      !inspection.at(Stage::AfterInputPath) || inspection.at(Stage::AfterItemsPath))
    return std::nullopt;
  const Outcome items = apply_path(map->items_path, *inspection.at(Stage::AfterInputPath), turn, kRoot);
  if (!items || items->view().is_array()) return std::nullopt;
  std::string path = map->items_path.path->source();
  if (path.starts_with("$$")) path.erase(0, 1);
  return Failure{std::string(error_names::kRuntime), "Reference path \"" + path + "\" must point to array."};
}

// What was given, and what the state assigned.
void TestState::Impl::write_variables(JsonWriter& out) const {
  definitions::VariableMap variables = turn.execution().given_variables;
  if (turn.has_frame(kRoot)) {
    for (const auto& [name, value] : turn.frame(kRoot).variables) variables.insert_or_assign(name, value);
  }
  if (variables.empty()) return;
  JsonWriter object;
  object.begin_object();
  for (const auto& [name, value] : variables) object.key(name).value(value);
  out.key("variables").string(object.end_object().finish().text());
}

void TestState::Impl::write_inspection(JsonWriter& out, const std::optional<Failure>& failure,
                                       const RetryDecision& decision) const {
  out.key("inspectionData").begin_object().key("input").string(request.input.text());
  for (const Stage stage : shown_stages(node())) {
    if (!inspection.at(stage)) continue;
    out.key(name_of(stage));
    if (is_number(stage))
      out.value(*inspection.at(stage));
    else
      out.string(inspection.at(stage)->text());
  }
  write_variables(out);
  if (exchange) {
    for (const auto [key, value] : exchange->view().members()) out.key(key).value(value);
  }
  const auto* retry = std::get_if<RetryAfter>(&decision);
  const auto* caught = std::get_if<CatchAt>(&decision);
  std::optional<std::size_t> retrier;
  for (std::size_t i = 0; failure && !retrier && i < node().errors.retriers.size(); ++i) {
    if (covers(node().errors.retriers[i].error_equals, failure->error)) retrier = i;
  }
  if (retrier || caught) {
    out.key("errorDetails").begin_object();
    if (caught) out.key("catchIndex").number(static_cast<std::int64_t>(caught->catcher));
    if (retrier) out.key("retryIndex").number(static_cast<std::int64_t>(*retrier));
    if (retry) out.key("retryBackoffIntervalSeconds").number(retry->delay.count() / 1000);
    out.end_object();
  }
  out.end_object();
}

Payload TestState::Impl::answer() {
  MR_CHECK(step.has_value(), "a tested state is answered before it has ended");
  std::optional<Failure> failure;
  RetryDecision decision = Propagate{};
  std::string_view status = "SUCCEEDED";
  if (const auto* failed = std::get_if<step::Failed>(&*step)) {
    failure = no_array_at_items_path();
    if (!failure) failure = failed->failure;
    status = "FAILED";
    const std::vector<std::uint32_t> counts(node().errors.retriers.size(), request.retrier_retry_count);
    if (failed->may_be_answered)
      decision = states::answer(node().errors, counts, *failure, turn.environment());
    if (std::holds_alternative<RetryAfter>(decision)) status = "RETRIABLE";
    if (const auto* caught = std::get_if<CatchAt>(&decision)) {
      step = catch_failure(turn, kRoot, node().errors.catchers[caught->catcher], *failure);
      if (const auto* again = std::get_if<step::Failed>(&*step))
        failure = again->failure;
      else
        status = "CAUGHT_ERROR";
    }
  }
  JsonWriter out;
  out.begin_object();
  const auto* next = std::get_if<step::Next>(&*step);
  const auto* ended = std::get_if<step::Ended>(&*step);
  if (next) out.key("output").string(turn.frame(kRoot).data.text());
  if (ended) out.key("output").string(ended->output.text());
  if (failure && failure->has_error) out.key("error").string(failure->error);
  if (failure && failure->has_cause) out.key("cause").string(failure->cause);
  if (request.level != TestStateRequest::Level::Info) write_inspection(out, failure, decision);
  if (next && next->to != definitions::kEnd)
    out.key("nextState").string(request.program->node(next->to).name);
  out.key("status").string(status);
  return out.end_object().finish();
}

TestState::TestState(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
TestState::TestState(TestState&&) noexcept = default;
TestState& TestState::operator=(TestState&&) noexcept = default;
TestState::~TestState() = default;

tl::expected<TestState, TestStateError> TestState::prepare(const Payload& request,
                                                           const TestStateSettings& settings,
                                                           const Environment& environment) {
  MR_TRY(read, read_test_state_request(request, *environment.limits));
  auto impl = std::make_unique<Impl>(std::move(read), settings, environment);
  if (auto error = impl->enter_state(settings)) return tl::unexpected<TestStateError>(std::move(*error));
  return TestState(std::move(impl));
}

const effect::StartTask* TestState::task() const {
  return impl_->task ? &*impl_->task : nullptr;
}

bool TestState::traced() const {
  return impl_->request.level == TestStateRequest::Level::Trace;
}

bool TestState::reveals_secrets() const {
  return impl_->request.reveal_secrets;
}

void TestState::exchanged(Payload exchange) {
  impl_->exchange = std::move(exchange);
}

Payload TestState::answer() && {
  MR_CHECK(!impl_->task, "a tested task is answered without its outcome");
  return impl_->answer();
}

Payload TestState::answer(const Outcome& outcome) && {
  impl_->finish(outcome);
  return impl_->answer();
}

}  // namespace millrace::states
