// TestState: a state by itself; a task that no mock stands for runs.

#include "states/test_state.h"
#include "orchestrator/dispatch/one_task.h"
#include "service/api/access.h"
#include "service/api/operations.h"
#include "service/api/refusals.h"

namespace millrace::api {
namespace {

constexpr Millis kTaskTime = std::chrono::minutes(5);  // as long as an Express execution

tl::unexpected<ApiError> refuse(const states::TestStateError& error) {
  return api::refuse(error.code, error.message);
}

}  // namespace

void test_state(Call call) {
  auto& services = call.services;
  const orchestrator::EngineSettings& settings = services.engine.settings();
  const Environment environment{services.loop.clock().now(), services.random.next(), &settings.limits};
  auto test = states::TestState::prepare(call.document, {settings.region, settings.account}, environment);
  if (!test) return call.reply(refuse(test.error()));
  const states::effect::StartTask* task = test->task();
  if (!task) return call.reply(std::move(*test).answer());
  // Arguments may come from expressions: who may do what this task does is known only now.
  auto demands =
      task_demands(task->resource->arn, task->arguments.view(), {settings.region, settings.account});
  if (test->reveals_secrets()) demands.push_back({"states:RevealSecrets", "*"});
  if (const auto lacking = call.caller.lacks(demands))
    return call.reply(tl::unexpected<ApiError>(refusal_error(*lacking, Protocol::AwsJson10)));
  orchestrator::TaskRequest request;
  // No execution has this number: those of a home are counted from 1.
  request.key.execution = ExecutionId{services.random.next() | (std::uint64_t{1} << 63)};
  request.resource = task->resource->arn;
  request.arguments = task->arguments;
  request.state_name = task->state_name;
  request.execution_name = "TestState";
  using Exchange = orchestrator::TaskRequest::Exchange;
  if (test->traced()) request.exchange = test->reveals_secrets() ? Exchange::Whole : Exchange::Masked;
  const auto state = std::make_shared<states::TestState>(std::move(*test));
  orchestrator::run_one_task(
      services.loop, services.runner, std::move(request), kTaskTime,
      [state, reply = std::move(call.reply)](Outcome outcome) { reply(std::move(*state).answer(outcome)); },
      [state](Payload exchange) { state->exchanged(std::move(exchange)); });
}

}  // namespace millrace::api
