#include "orchestrator/dispatch/one_task.h"

#include <memory>

namespace millrace::orchestrator {

void run_one_task(Loop& loop, TaskRunner& runner, TaskRequest request, Millis most,
                  std::function<void(Outcome)> reply, std::function<void(Payload)> exchanged) {
  if (!runner.serves(request.resource)) {
    reply(failed(error_names::kRuntime, "The resource " + request.resource + " is not served here"));
    return;
  }
  struct Waiting {
    std::function<void(Outcome)> reply;
    TimerHandle timer = 0;
  };
  const auto waiting = std::make_shared<Waiting>(Waiting{std::move(reply)});
  const auto answer = [waiting](Outcome outcome) {
    if (const auto call = std::exchange(waiting->reply, nullptr)) call(std::move(outcome));
  };
  const TaskKey key = request.key;
  waiting->timer = loop.at(loop.clock().now() + most, [&runner, key, answer] {
    runner.cancel(key);
    answer(tl::unexpected<Failure>(Failure{std::string(error_names::kTimeout), "", true, false}));
  });
  runner.start(std::move(request),
               [&loop, waiting, answer, exchanged = std::move(exchanged)](const TaskKey&, TaskReport report) {
                 auto* told = std::get_if<Exchanged>(&report);
                 if (told && waiting->reply && exchanged) exchanged(std::move(told->exchange));
                 auto* outcome = std::get_if<Outcome>(&report);
                 if (!outcome) return;
                 loop.cancel(waiting->timer);
                 answer(std::move(*outcome));
               });
}

}  // namespace millrace::orchestrator
