// Workers: GetActivityTask, SendTaskSuccess, SendTaskFailure, SendTaskHeartbeat.

#include "orchestrator/resources.h"
#include "service/api/errors.h"
#include "service/api/json_words.h"
#include "service/api/operations.h"

namespace millrace::api {
namespace {

using orchestrator::ActivityRow;
using WorkerTask = std::optional<orchestrator::Engine::WorkerTask>;

constexpr ErrorNames kTokenErrors = {"InvalidToken", "TaskTimedOut"};
constexpr ErrorNames kWorkerErrors = {
    "InvalidArn", "ActivityDoesNotExist", {}, {}, "ActivityWorkerLimitExceeded"};

std::function<void(Status)> token_taken(std::function<void(Answer)> reply) {
  return [reply = std::move(reply)](Status done) {
    if (!done) return reply(refuse(done.error(), kTokenErrors));
    reply(empty_answer());
  };
}

}  // namespace

void get_activity_task(Call call) {
  const std::string arn = text_of(call.input, "activityArn");
  const std::string worker = text_of(call.input, "workerName");
  orchestrator::Engine& engine = call.services.engine;
  engine.resources().activity(arn, [&engine, arn, worker, reply = std::move(call.reply),
                                    on_gone = std::move(call.on_gone)](Result<ActivityRow> activity) {
    if (!activity) return reply(refuse(activity.error(), kWorkerErrors));
    const auto give = [reply](Result<WorkerTask> task) {
      if (!task) return reply(refuse(task.error(), kWorkerErrors));
      JsonWriter out;
      out.begin_object();
      if (*task) {
        out.key("taskToken").string((*task)->token).key("input").string((*task)->input.text());
      } else {
        out.key("taskToken").null();
      }
      out.end_object();
      reply(out.finish());
    };
    engine.get_activity_task(arn, worker, give, on_gone);
  });
}

void send_task_success(Call call) {
  const std::string text = text_of(call.input, "output");
  auto output = Payload::parse(text);
  if (!output)
    return call.reply(
        refuse("InvalidOutput", "Invalid Output: '" + parser_words(text, output.error()) + "'"));
  call.services.engine.send_task_success(text_of(call.input, "taskToken"), *std::move(output),
                                         token_taken(std::move(call.reply)));
}

void send_task_failure(Call call) {
  Failure failure{text_of(call.input, "error"), text_of(call.input, "cause"),
                  static_cast<bool>(member(call.input, "error")),
                  static_cast<bool>(member(call.input, "cause"))};
  call.services.engine.send_task_failure(text_of(call.input, "taskToken"), std::move(failure),
                                         token_taken(std::move(call.reply)));
}

void send_task_heartbeat(Call call) {
  call.services.engine.send_task_heartbeat(text_of(call.input, "taskToken"),
                                           token_taken(std::move(call.reply)));
}

}  // namespace millrace::api
