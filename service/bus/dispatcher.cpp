#include "service/bus/dispatcher.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/encoding.h"
#include "base/log.h"
#include "service/api/logs.h"
#include "service/bus/universal_target.h"
#include "tasks/integrations/data_services.h"
#include "tasks/integrations/integrations.h"

namespace millrace::bus {
namespace {

constexpr Millis kFirstPause{1'000}, kPauseMax{600'000};
constexpr int kFunctionRetries = 2;                      // of a function that failed, as Lambda has it
constexpr std::size_t kWaitingMax = 100'000;             // for their next attempt; more are given up
constexpr std::string_view kArchiveTarget = "archive:";  // of the bus's own deliveries to archives

std::string_view service_of(std::string_view arn) {
  // arn:aws:SERVICE:…
  const std::size_t begin = arn.find(':', 4);
  if (begin == std::string_view::npos) return {};
  return arn.substr(begin + 1, arn.find(':', begin + 1) - begin - 1);
}

bool may_pass(ErrorCode code) {
  return code == ErrorCode::Unavailable || code == ErrorCode::OutOfSpace ||
         code == ErrorCode::LimitExceeded || code == ErrorCode::Internal || code == ErrorCode::Conflict;
}

bool of_schedule(const Delivery& delivery) {
  return delivery.origin.find(":schedule/") != std::string::npos;
}

Json message_attribute(const char* type, std::string value) {
  return {{"DataType", type}, {"StringValue", std::move(value)}};
}

// The one context attribute of schedules that differs between attempts.
void number_attempt(Delivery& delivery) {
  constexpr std::string_view kMark = "<aws.scheduler.attempt-number>";
  if (delivery.given.empty()) {
    if (delivery.input.find(kMark) == std::string::npos) return;
    delivery.given = delivery.input;
  }
  delivery.input = delivery.given;
  for (std::size_t at; (at = delivery.input.find(kMark)) != std::string::npos;)
    delivery.input.replace(at, kMark.size(), std::to_string(delivery.attempts + 1));
}

// "Sns.NotFoundException" of a client's mistake: trying again does not help.
bool clients_fault(const Failure& failure) {
  constexpr std::string_view kWords[] = {"NotFound",     "Invalid",     "Validation",
                                         "DoesNotExist", "NonExistent", "AlreadyExists"};
  return std::any_of(std::begin(kWords), std::end(kWords),
                     [&](std::string_view word) { return failure.error.find(word) != std::string::npos; });
}

// The parts of HttpParameters: names and texts.
Json texts_of(const Json& object) {
  Json texts = Json::object();
  if (object.is_object())
    for (const auto& [name, value] : object.items())
      if (value.is_string()) texts[name] = value;
  return texts;
}

// '*' in an endpoint are places for a target's PathParameterValues.
std::string with_path_values(std::string endpoint, const Json& values) {
  std::size_t at = 0;
  for (const Json& value : values) {
    at = endpoint.find('*', at);
    if (at == std::string::npos || !value.is_string()) break;
    const std::string encoded = percent_encode(value.get<std::string>());
    endpoint.replace(at, 1, encoded);
    at += encoded.size();
  }
  return endpoint;
}

}  // namespace

struct Dispatcher::Running {
  Delivery delivery;
  std::function<void()> settled;
  bool stored = false;
  orchestrator::TimerHandle timer = 0;
};

Dispatcher::Dispatcher(DispatchSurroundings around, std::uint64_t seed)
    : around_(std::move(around)), random_(seed) {
  if (!around_.metrics) return;
  const char* help = "Events that were handed to targets of rules and schedules, by how it ended";
  const auto counter = [&](const char* result) {
    return &around_.metrics->counter("millrace_deliveries_total", help, {{"result", result}});
  };
  delivered_ = counter("delivered");
  failed_ = counter("failed");
  dropped_ = counter("given_up");
}

Dispatcher::~Dispatcher() {
  for (const auto& [key, running] : waiting_) around_.loop.cancel(running->timer);
}

void Dispatcher::set_destination(const std::string& name, const std::optional<std::string>& record) {
  if (const auto old = destination_arns_.find(name); old != destination_arns_.end()) {
    destinations_.erase(old->second);
    destination_arns_.erase(old);
  }
  if (!record) return;
  const Json document = Json::parse(*record, nullptr, false);
  const std::string arn = document.value("ApiDestinationArn", "");
  destination_arns_[name] = arn;
  destinations_[arn] = document;
}

void Dispatcher::deliver(Delivery delivery, std::function<void()> settled) {
  auto running = std::make_shared<Running>();
  running->delivery = std::move(delivery);
  running->settled = std::move(settled);
  attempt(running);
}

void Dispatcher::take_up(const Records::Documents& deliveries) {
  for (const auto& [key, text] : deliveries) {
    auto running = std::make_shared<Running>();
    running->delivery = from_record(key, Json::parse(text, nullptr, false));
    running->settled = [] {};
    running->stored = true;
    waiting_[key] = running;
    running->timer =
        around_.loop.at(around_.loop.clock().now() + kFirstPause, [this, running] { attempt(running); });
  }
}

void Dispatcher::attempt(const RunningPtr& running) {
  running->timer = 0;
  Delivery& delivery = running->delivery;
  if (of_schedule(delivery)) number_attempt(delivery);
  Ended done = [this, running, alive = std::weak_ptr(alive_)](End end, std::string code, std::string why) {
    if (!alive.expired()) ended(running, end, std::move(code), std::move(why));
  };
  if (delivery.target.starts_with(kArchiveTarget)) return archive(delivery, std::move(done));
  if (is_universal_target(delivery.target)) return call_universal(delivery, std::move(done));
  const std::string_view service = service_of(delivery.target);
  if (service == "states") return start_execution(delivery, std::move(done));
  if (service == "lambda") return invoke(delivery, std::move(done));
  if (service == "sns") return publish(delivery, std::move(done));
  if (service == "sqs") return enqueue(delivery, std::move(done));
  if (service == "logs") return write_log(delivery, std::move(done));
  if (service == "events" && delivery.target.find(":event-bus/") != std::string::npos)
    return forward(delivery, std::move(done));
  if (service == "events") return request(delivery, std::move(done));
  done(End::Never, "INVALID_TARGET", "nothing here takes events for " + delivery.target);
}

void Dispatcher::settle(const RunningPtr& running) {
  if (running->settled) std::exchange(running->settled, {})();
}

void Dispatcher::ended(const RunningPtr& running, End end, std::string code, std::string why) {
  Delivery& delivery = running->delivery;
  if (end == End::Done) {
    if (delivered_) delivered_->add();
    return forget(running);
  }
  if (failed_) failed_->add();
  delivery.error_code = std::move(code);
  delivery.error = std::move(why);
  const Millis age = around_.loop.clock().now() - delivery.since;
  if (end == End::Never) return give_up(running, nullptr);
  if (delivery.attempts >= delivery.policy.attempts_max) return give_up(running, "MaximumRetryAttempts");
  if (age >= delivery.policy.age_max) return give_up(running, "MaximumEventAgeInSeconds");
  if (!running->stored && waiting_.size() >= kWaitingMax) return give_up(running, nullptr);
  again(running);
}

// Kept first, then forgotten by whoever sent it.
void Dispatcher::again(const RunningPtr& running) {
  Delivery& delivery = running->delivery;
  const int doublings = std::min(delivery.attempts, 20);
  ++delivery.attempts;
  const Millis longest = std::min(kPauseMax, kFirstPause * (1 << doublings));
  const Millis pause(
      static_cast<std::int64_t>(random_.uniform(0.5, 1.0) * static_cast<double>(longest.count())));
  waiting_[delivery.key] = running;
  running->timer = around_.loop.at(around_.loop.clock().now() + pause, [this, running] { attempt(running); });
  running->stored = true;
  around_.store.run([key = delivery.key, record = to_record(delivery)](
                        Records& records) { records.put(kind::kDelivery, key, record); },
                    [this, running, alive = std::weak_ptr(alive_), &loop = around_.loop](const Status& kept) {
                      // When it can't be kept, its sender's place in the log keeps it.
                      if (kept)
                        loop.post([this, running, alive] {
                          if (!alive.expired()) settle(running);
                        });
                    });
}

void Dispatcher::forget(const RunningPtr& running) {
  if (!running->stored) return settle(running);
  waiting_.erase(running->delivery.key);
  around_.store.run([key = running->delivery.key](Records& records) { records.erase(kind::kDelivery, key); });
  settle(running);
}

void Dispatcher::give_up(const RunningPtr& running, const char* exhausted) {
  const Delivery& delivery = running->delivery;
  if (dropped_) dropped_->add();
  log::warning("an event could not be delivered", {{"origin", delivery.origin},
                                                   {"target", delivery.target},
                                                   {"attempts", std::to_string(delivery.attempts + 1)},
                                                   {"why", delivery.error}});
  if (delivery.policy.dead_letters.empty()) return forget(running);
  Json attributes = {
      {of_schedule(delivery) ? "SCHEDULE_ARN" : "RULE_ARN", message_attribute("String", delivery.origin)},
      {"TARGET_ARN", message_attribute("String", delivery.target)},
      {"ERROR_CODE", message_attribute("String", delivery.error_code)},
      {"ERROR_MESSAGE", message_attribute("String", delivery.error.empty() ? "-" : delivery.error)},
      {"RETRY_ATTEMPTS", message_attribute("Number", std::to_string(delivery.attempts))}};
  if (exhausted) attributes["EXHAUSTED_RETRY_CONDITION"] = message_attribute("String", exhausted);
  send_to_queue(
      delivery.policy.dead_letters, delivery.event.empty() ? delivery.input : delivery.event,
      to_payload(attributes), "", delivery.key + "/dead",
      [this, running, alive = std::weak_ptr(alive_)](End end, const std::string&, const std::string& why) {
        if (alive.expired()) return;
        if (end != End::Done)
          log::error("a dead letter was lost: its queue does not take it",
                     {{"queue", running->delivery.policy.dead_letters}, {"why", why}});
        forget(running);
      });
}

// ---- Kinds of targets

void Dispatcher::start_execution(const Delivery& delivery, Ended ended) {
  auto input = Payload::parse(delivery.input);
  if (!input) return ended(End::Never, "INVALID_JSON", "the input is no JSON: " + input.error().message);
  orchestrator::StartRequest request;
  request.machine = delivery.target;
  request.name = delivery.name.empty() ? execution_name("event", delivery.key) : delivery.name;
  request.input = std::move(*input);
  start_named(std::move(request), delivery, std::move(ended));
}

void Dispatcher::start_named(orchestrator::StartRequest request, const Delivery& delivery, Ended ended) {
  std::function<void(const orchestrator::Ended&)> at_end;
  if (delivery.ended) at_end = [call = delivery.ended](const orchestrator::Ended&) { call(); };
  around_.engine.start_execution(
      std::move(request),
      [ended = std::move(ended), started = delivery.started,
       at_end = delivery.ended](const Result<orchestrator::Started>& result) {
        if (result) {
          if (started) started(*result);
          return ended(End::Done, "", "");
        }
        const Error& error = result.error();
        if (error.code == ErrorCode::AlreadyExists) {  // it ran, and has ended
          if (at_end) at_end();
          return ended(End::Done, "", "");
        }
        ended(may_pass(error.code) ? End::Again : End::Never,
              error.code == ErrorCode::NotFound ? "NO_RESOURCE" : "SFN_ERROR", error.message);
      },
      std::move(at_end));
}

void Dispatcher::invoke(const Delivery& delivery, Ended ended) {
  const auto name = tasks::parse_function_name(delivery.target,
                                               {around_.store.place().region, around_.store.place().account});
  auto event = Payload::parse(delivery.input);
  if (!name) return ended(End::Never, "NO_RESOURCE", name.error().message);
  if (!event) return ended(End::Never, "INVALID_JSON", "the input is no JSON: " + event.error().message);
  tasks::Invocation invocation;
  invocation.function = name->name;
  invocation.arn = delivery.target;
  invocation.event = std::move(*event);
  const bool last = delivery.attempts >= kFunctionRetries;
  around_.tasks.functions().invoke(std::move(invocation), [ended = std::move(ended), &loop = around_.loop,
                                                           last](const tasks::InvocationAnswer& answer) {
    using Kind = tasks::InvocationAnswer::Kind;
    End end = End::Again;
    if (answer.kind == Kind::Result) end = End::Done;
    if (answer.kind == Kind::NotFound || (answer.kind == Kind::Error && last)) end = End::Never;
    loop.post([ended, end, kind = answer.kind, why = answer.error] {
      ended(end, kind == Kind::NotFound ? "NO_RESOURCE" : "LAMBDA_ERROR",
            kind == Kind::NotFound ? "there is no such function" : why);
    });
  });
}

void Dispatcher::publish(const Delivery& delivery, Ended ended) {
  Json request = {{"TopicArn", delivery.target}, {"Message", delivery.input}};
  const JsonView sns = delivery.parameters.view().find("SnsParameters");
  if (const std::string subject = sns && sns.is_object() ? api::text_of(sns, "Subject") : "";
      !subject.empty())
    request["Subject"] = subject;
  around_.tasks.call(
      "sns", "publish", to_payload(request), delivery.origin,
      [ended = std::move(ended)](const Outcome& outcome) {
        if (outcome) return ended(End::Done, "", "");
        ended(clients_fault(outcome.error()) ? End::Never : End::Again, "SNS_ERROR", outcome.error().cause);
      },
      delivery.key);
}

void Dispatcher::send_to_queue(const std::string& queue, std::string body, Payload attributes,
                               const std::string& group, const std::string& key, Ended ended) {
  const auto queues = around_.tasks.data().queues();
  if (!queues) return ended(End::Again, "SQS_ERROR", queues.error().message);
  tasks::sqs::Message message;
  message.body = std::move(body);
  message.attributes = std::move(attributes);
  message.group_id = group;
  if (!group.empty()) message.deduplication_id = execution_name("event", key);
  (*queues)->send(
      queue, std::move(message),
      [ended = std::move(ended), &loop = around_.loop](const Status& sent) {
        loop.post([ended, sent] {
          if (sent) return ended(End::Done, "", "");
          const ErrorCode code = sent.error().code;
          const bool never = code == ErrorCode::NotFound || code == ErrorCode::InvalidArgument;
          ended(never ? End::Never : End::Again, code == ErrorCode::NotFound ? "NO_RESOURCE" : "SQS_ERROR",
                sent.error().message);
        });
      },
      key);
}

void Dispatcher::enqueue(const Delivery& delivery, Ended ended) {
  const JsonView sqs = delivery.parameters.view().find("SqsParameters");
  send_to_queue(delivery.target, delivery.input, Payload::empty_object(),
                sqs && sqs.is_object() ? api::text_of(sqs, "MessageGroupId") : "", delivery.key,
                std::move(ended));
}

void Dispatcher::write_log(const Delivery& delivery, Ended ended) {
  const std::string day = format_rfc3339(delivery.since).substr(0, 10);
  if (!around_.log ||
      !around_.log(api::log_group_name(delivery.target), "events/" + day, delivery.since, delivery.input))
    return ended(End::Never, "NO_RESOURCE", "log groups are switched off here (logs.enabled)");
  ended(End::Done, "", "");
}

void Dispatcher::forward(const Delivery& delivery, Ended ended) {
  const std::string bus = delivery.target.substr(delivery.target.find(":event-bus/") + 11);
  // Of an event its whole; of a schedule what its target says it is.
  const auto event = Payload::parse(delivery.event.empty() ? delivery.input : delivery.event);
  if (!event) return ended(End::Never, "INVALID_JSON", event.error().message);
  const JsonView id = event->view().is_object() ? event->view().find("id") : JsonView();
  // An event is on a bus once, whichever way it came: so no ring of buses carries it round for ever.
  const std::string name = "bus/" + bus + "/" + (id && id.is_string() ? id.string() : delivery.key);
  around_.put(name, bus, *event, [ended = std::move(ended)](const Status& put) {
    if (put) return ended(End::Done, "", "");
    ended(End::Again, "EVENTS_ERROR", put.error().message);
  });
}

void Dispatcher::archive(const Delivery& delivery, Ended ended) {
  const std::string name = delivery.target.substr(kArchiveTarget.size());
  const auto kept = std::make_shared<Status>();
  around_.store.run(
      [name, id = delivery.key.substr(0, delivery.key.find('/')), time = delivery.since,
       event = delivery.event, kept](Records& records) {
        if (records.has(kind::kArchive, name)) *kept = records.archive(name, id, time, event);
      },
      [ended = std::move(ended), kept, &loop = around_.loop](const Status& committed) {
        const Status result = committed ? *kept : committed;
        loop.post([ended, result] {
          if (result) return ended(End::Done, "", "");
          ended(End::Again, "EVENTS_ERROR", result.error().message);
        });
      });
}

void Dispatcher::request(const Delivery& delivery, Ended ended) {
  const auto found = destinations_.find(delivery.target);
  if (found == destinations_.end())
    return ended(End::Never, "NO_RESOURCE", "ApiDestination " + delivery.target + " does not exist.");
  // The destination's rate: each request has a time of its own.
  const std::int64_t rate = found->second.value("InvocationRateLimitPerSecond", std::int64_t{300});
  const Instant now = around_.loop.clock().now();
  Instant& next = next_request_[delivery.target];
  const Instant mine = std::max(next, now);
  next = mine + Millis(std::max<std::int64_t>(1, 1000 / rate));
  if (mine == now) return send_request(delivery, found->second, std::move(ended));
  around_.loop.at(mine, [this, delivery, destination = found->second, ended = std::move(ended),
                         alive = std::weak_ptr(alive_)] {
    if (!alive.expired()) send_request(delivery, destination, ended);
  });
}

void Dispatcher::send_request(const Delivery& delivery, const Json& destination, Ended ended) {
  const Json parameters = to_json(delivery.parameters.view()).value("HttpParameters", Json::object());
  Json arguments = {{"ApiEndpoint", with_path_values(destination.value("InvocationEndpoint", ""),
                                                     parameters.value("PathParameterValues", Json::array()))},
                    {"Method", destination.value("HttpMethod", "POST")},
                    {"Authentication", {{"ConnectionArn", destination.value("ConnectionArn", "")}}}};
  Json headers = texts_of(parameters.value("HeaderParameters", Json::object()));
  headers["Idempotency-Key"] = execution_name("event", delivery.key);
  arguments["Headers"] = std::move(headers);
  if (const Json query = texts_of(parameters.value("QueryStringParameters", Json::object())); !query.empty())
    arguments["QueryParameters"] = query;
  const Json body = Json::parse(delivery.input, nullptr, false);
  if (!body.is_discarded()) arguments["RequestBody"] = body;
  tasks::MappedCall call;
  call.resource = "arn:aws:states:::http:invoke";
  call.arguments = to_payload(arguments);
  call.key = delivery.key;
  around_.tasks.integrations().start(std::move(call), [ended, &loop = around_.loop](const Outcome& outcome) {
    std::string error = outcome ? "" : outcome.error().error, cause = outcome ? "" : outcome.error().cause;
    End end = outcome ? End::Done : End::Again;
    constexpr std::string_view kStatus = "States.Http.StatusCode.";
    if (error.starts_with(kStatus)) {
      const std::string status = error.substr(kStatus.size());
      const bool passes =
          status[0] == '5' || status == "401" || status == "407" || status == "409" || status == "429";
      if (!passes) end = End::Never;
    } else if (error == error_names::kRuntime) {
      end = End::Never;  // the request itself is wrong
    }
    loop.post([ended, end, error = std::move(error), cause = std::move(cause)] { ended(end, error, cause); });
  });
}

void Dispatcher::call_universal(const Delivery& delivery, Ended ended) {
  const auto target = universal_target(delivery.target);
  auto input = Payload::parse(delivery.input);
  if (!target || !input || !input->view().is_object())
    return ended(End::Never, "INVALID_TARGET", "Input must be a JSON object: the request of the operation");
  if (target->start_execution) {
    orchestrator::StartRequest request;
    request.machine = api::text_of(input->view(), "StateMachineArn");
    request.name = api::text_of(input->view(), "Name");
    if (request.name.empty()) request.name = delivery.name;
    const JsonView given = input->view().find("Input");
    auto document = given && given.is_string() ? Payload::parse(given.string())
                                               : Result<Payload>(Payload::empty_object());
    if (!document)
      return ended(End::Never, "INVALID_JSON",
                   "Input of StartExecution is no JSON: " + document.error().message);
    request.input = std::move(*document);
    return start_named(std::move(request), delivery, std::move(ended));
  }
  around_.tasks.call(
      target->service, target->operation, std::move(*input), delivery.origin,
      [ended = std::move(ended)](const Outcome& outcome) {
        if (outcome) return ended(End::Done, "", "");
        ended(clients_fault(outcome.error()) ? End::Never : End::Again, outcome.error().error,
              outcome.error().cause);
      },
      delivery.key);
}

}  // namespace millrace::bus
