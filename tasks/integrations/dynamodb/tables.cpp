#include "tasks/integrations/dynamodb/tables.h"

#include "tasks/integrations/attempts.h"
#include "tasks/integrations/dynamodb/request.h"
#include "tasks/integrations/group_calls.h"

namespace millrace::tasks::dynamodb {

struct Tables::State {
  ServicePlace place;
  Random random;
  const Clock& clock;
  TableStore store;
  Attempts attempts;
  std::unique_ptr<GroupStore> group;
};

namespace {

constexpr Millis kTokenKept{600'000};  // of TransactWriteItems

// The key that makes a call idempotent: its attempt's, or the ClientRequestToken of a transaction.
Checked<std::string> key_of_call(const ServiceCall& call) {
  if (call.operation == "TransactWriteItems") {
    MR_TRY(token, text_of(call.input.view(), "ClientRequestToken"));
    if (token.size() > 36)
      return validation(
          "1 validation error detected: Value '" + token +
          "' at 'clientRequestToken' failed to satisfy constraint: Member must have length less than or "
          "equal to 36");
    if (!token.empty()) return "token " + token;
  }
  return call.key;
}

ServiceAnswer carry_out_once(const ServiceCall& call, const OperationRow& row, Session& session,
                             Attempts& attempts) {
  MR_TRY(key, key_of_call(call));
  if (key.empty()) return row.run(session, call.input.view());
  const std::string request = request_digest(call);
  const bool token = key.starts_with("token ");
  MR_TRY(known, attempts.find(key));
  if (known && (!token || session.now - known->at < kTokenKept)) {
    if (known->request == request) {
      auto answer = Payload::parse(known->answer);
      if (answer) return *std::move(answer);
    } else if (token) {
      return service_error("IdempotentParameterMismatchException",
                           "The provided token was already used with different parameters");
    }
  }
  MR_TRY(answer, row.run(session, call.input.view()));
  MR_DO(attempts.add(key, request, answer.text(), session.now));
  return answer;
}

}  // namespace

Tables::Tables(std::unique_ptr<State> state) : state_(std::move(state)) {}
Tables::~Tables() {
  state_->group.reset();
}

bool Tables::has(std::string_view operation) {
  return find_operation(operation) != nullptr;
}

Result<std::unique_ptr<Tables>> Tables::open(const std::string& path, ServicePlace place, const Clock& clock,
                                             std::uint64_t seed) {
  std::unique_ptr<State> state(new State{std::move(place), Random(seed), clock, {}, {}, {}});
  static const std::string kSchema = std::string(kTablesSchema) + kAttemptsSchema;
  GroupStore::Settings settings;
  settings.path = path;
  settings.schema = kSchema.c_str();
  settings.rolled_back = [s = state.get()] { s->store.forget(); };
  MR_TRY(group, GroupStore::open(std::move(settings), clock));
  MR_TRY(store, TableStore::open(group->database()));
  MR_TRY(attempts, Attempts::open(group->database(), clock.now()));
  state->store = std::move(store);
  state->attempts = std::move(attempts);
  state->group = std::move(group);
  return std::unique_ptr<Tables>(new Tables(std::move(state)));
}

void Tables::call(ServiceCall call, ServiceReply reply) {
  const auto run = [s = state_.get()](const ServiceCall& asked, GroupStore::Turn& turn) -> CarriedOut {
    const OperationRow* row = find_operation(asked.operation);
    if (!row)
      return {service_error("UnknownOperationException",
                            "DynamoDB has no operation '" + asked.operation + "' here")};
    Session session{s->store, turn.now, s->random, s->place.region, s->place.account};
    return {row->writes ? carry_out_once(asked, *row, session, s->attempts)
                        : row->run(session, asked.input.view())};
  };
  submit_call(*state_->group, std::move(call), std::move(reply), run,
              {"ThrottlingException", "too many requests are waiting; try again later"});
}

}  // namespace millrace::tasks::dynamodb
