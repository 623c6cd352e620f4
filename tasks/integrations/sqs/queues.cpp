#include "tasks/integrations/sqs/queues.h"

#include "tasks/integrations/attempts.h"
#include "tasks/integrations/group_calls.h"
#include "tasks/integrations/sqs/operations.h"

namespace millrace::tasks::sqs {

struct Queues::State {
  ServicePlace place;
  Random random;
  const Clock& clock;
  QueueStore store;
  Attempts attempts;
  std::unique_ptr<GroupStore> group;
};

namespace {

ServiceAnswer answer_once(const ServiceCall& call, const OperationRow& row, Session& session,
                          Attempts& attempts) {
  if (call.key.empty() || !row.writes) return row.run(session, call.input.view());
  const std::string request = request_digest(call);
  MR_TRY(known, attempts.find(call.key));
  if (known && known->request == request) {
    auto answer = Payload::parse(known->answer);
    if (answer) return *std::move(answer);
  }
  MR_TRY(answer, row.run(session, call.input.view()));
  if (!session.waits) MR_DO(attempts.add(call.key, request, answer.text(), session.now()));
  return answer;
}

}  // namespace

Queues::Queues(std::unique_ptr<State> state) : state_(std::move(state)) {}
Queues::~Queues() {
  state_->group.reset();
}

bool Queues::has(std::string_view operation) {
  return find_operation(operation) != nullptr;
}

Result<std::unique_ptr<Queues>> Queues::open(const std::string& path, ServicePlace place, const Clock& clock,
                                             std::uint64_t seed) {
  std::unique_ptr<State> state(new State{std::move(place), Random(seed), clock, {}, {}, {}});
  static const std::string kSchema = std::string(kQueuesSchema) + kAttemptsSchema;
  GroupStore::Settings settings;
  settings.path = path;
  settings.schema = kSchema.c_str();
  settings.rolled_back = [s = state.get()] { s->store.forget(); };
  MR_TRY(group, GroupStore::open(std::move(settings), clock));
  MR_TRY(store, QueueStore::open(group->database()));
  MR_TRY(attempts, Attempts::open(group->database(), clock.now()));
  state->store = std::move(store);
  state->attempts = std::move(attempts);
  state->group = std::move(group);
  return std::unique_ptr<Queues>(new Queues(std::move(state)));
}

void Queues::call(ServiceCall call, ServiceReply reply) {
  const auto run = [s = state_.get()](const ServiceCall& asked, GroupStore::Turn& turn) -> CarriedOut {
    const OperationRow* row = find_operation(asked.operation);
    if (!row)
      return {service_error("UnsupportedOperation", "SQS has no operation '" + asked.operation + "' here")};
    Session session{s->store, turn, s->random, s->place, asked.base_url};
    ServiceAnswer answer = answer_once(asked, *row, session, s->attempts);
    // What was moved to a dead-letter queue before there was nothing to receive stays moved.
    return {std::move(answer), session.waits};
  };
  submit_call(*state_->group, std::move(call), std::move(reply), run,
              {"RequestThrottled", "too many requests are waiting; try again later", 403});
}

void Queues::send(const std::string& queue, Message message, std::function<void(Status)> reply,
                  std::string key) {
  JsonWriter input;
  input.begin_object().key("QueueUrl").string(queue).key("MessageBody").string(message.body);
  if (message.attributes.view().size() > 0) input.key("MessageAttributes").value(message.attributes);
  if (message.system.view().size() > 0) input.key("MessageSystemAttributes").value(message.system);
  if (!message.group_id.empty()) input.key("MessageGroupId").string(message.group_id);
  if (!message.deduplication_id.empty()) input.key("MessageDeduplicationId").string(message.deduplication_id);
  if (message.delay_seconds >= 0) input.key("DelaySeconds").number(message.delay_seconds);
  input.end_object();
  ServiceCall asked{"SendMessage", input.finish(), std::move(key)};
  call(std::move(asked), [reply = std::move(reply)](const ServiceAnswer& answer) {
    if (answer) return reply({});
    const ServiceError& error = answer.error();
    const ErrorCode code = error.of_store                      ? error.store_code
                           : error.code == "QueueDoesNotExist" ? ErrorCode::NotFound
                           : error.code == "RequestThrottled"  ? ErrorCode::Unavailable
                                                               : ErrorCode::InvalidArgument;
    reply(fail(code, error.message));
  });
}

}  // namespace millrace::tasks::sqs
