#include "service/ops/event_streams.h"

#include <charconv>

#include "base/encoding.h"
#include "orchestrator/arns.h"
#include "orchestrator/queries.h"
#include "states/history_json.h"

namespace millrace::service {
namespace {

using orchestrator::ExecutionRow;
using orchestrator::Observed;
using orchestrator::Store;

constexpr std::size_t kPageEvents = 200;  // read from the store at a time

// The value of a parameter of the query; nothing when it is not there.
std::optional<std::string> parameter(std::string_view query, std::string_view name) {
  while (!query.empty()) {
    const std::string_view pair = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(query.size(), pair.size() + 1));
    const std::size_t equals = pair.find('=');
    if (pair.substr(0, equals) == name)
      return equals == std::string_view::npos ? std::string() : percent_decode(pair.substr(equals + 1));
  }
  return std::nullopt;
}

void refuse(const http::ExchangePtr& exchange, int status, std::string_view code, std::string_view message) {
  JsonWriter body;
  body.begin_object().key("__type").string(code).key("message").string(message).end_object();
  http::Response response;
  response.status = status;
  if (status == 503) response.headers.push_back({"Retry-After", "5"});
  response.body = std::string(body.finish().text());
  exchange->respond(std::move(response));
}

// One message; `data` is JSON, which has no line breaks here.
std::string message(std::string_view event, std::string_view id, std::string_view data) {
  std::string text("event: ");
  text.append(event).append("\n");
  if (!id.empty()) text.append("id: ").append(id).append("\n");
  return text.append("data: ").append(data).append("\n\n");
}

void write_time(JsonWriter& out, std::string_view name, Instant time) {
  const std::int64_t ms = to_millis(time);
  char text[32];
  std::snprintf(text, sizeof text, "%lld.%03d", static_cast<long long>(ms / 1000),
                static_cast<int>(ms % 1000));
  out.key(name).number_text(text);
}

struct StatusView {
  std::string_view arn, machine_arn, name;
  states::ExecutionStatus status;
  Instant started;
  std::optional<Instant> stopped;
  const std::optional<Failure>* failure = nullptr;
};

std::string status_json(const StatusView& view) {
  JsonWriter out;
  out.begin_object().key("executionArn").string(view.arn);
  if (!view.machine_arn.empty()) out.key("stateMachineArn").string(view.machine_arn);
  out.key("name").string(view.name).key("status").string(name_of(view.status));
  write_time(out, "startDate", view.started);
  if (view.stopped) write_time(out, "stopDate", *view.stopped);
  if (view.failure && *view.failure) {
    const Failure& failure = **view.failure;
    if (failure.has_error) out.key("error").string(failure.error);
    if (failure.has_cause) out.key("cause").string(failure.cause);
  }
  out.end_object();
  return std::string(out.finish().text());
}

std::string status_of(const Observed& what) {
  const states::Execution& e = what.execution;
  return status_json(
      {e.identity.arn, e.identity.machine_arn, e.identity.name, e.status, e.started, e.stopped, &e.failure});
}

}  // namespace

struct EventStreams::Client {
  http::BodyStreamPtr stream;  // null: the client has gone
  Millis last_sent{};
  // Of one execution:
  std::string arn;
  ExecutionId id;
  bool data = true;
  states::EventNumber last = 0;  // number of the last event sent
  std::uint64_t position = 0;    // how many events of the history, hidden ones too, are done with
  bool reading = false;          // the store is asked
  bool more = false;             // something was committed that is not sent
  bool caught_up = false;        // all that was committed before now is sent
  // Of many:
  std::string machine_arn;  // empty: of all
  std::uint64_t next = 0;   // the change to send next
};

EventStreams::EventStreams(orchestrator::Engine& engine, orchestrator::Loop& loop, EventSettings settings,
                           std::uint64_t epoch, metrics::Registry& registry)
    : engine_(engine),
      loop_(loop),
      settings_(settings),
      epoch_(std::to_string(epoch & 0xFFFFFFFF)),
      dropped_(registry.counter("millrace_event_streams_dropped_total",
                                "Clients of /v1/events that read too slowly")),
      self_(std::make_shared<EventStreams*>(this)) {
  auto& open = registry.gauge("millrace_event_streams", "Clients of /v1/events");
  registry.before_text([&open, alive = self_] {
    if (*alive) open.set(static_cast<double>((*alive)->clients_.size()));
  });
}

EventStreams::~EventStreams() {
  *self_ = nullptr;
  if (beat_ != 0) loop_.cancel(beat_);
  const auto clients = std::move(clients_);
  for (const auto& [key, client] : clients) {
    if (client->stream) client->stream->end();
  }
}

bool EventStreams::serves(const http::Request& request) {
  return request.path == "/v1/events";
}

void EventStreams::handle(http::ExchangePtr exchange) {
  const http::Request& request = exchange->request();
  if (request.method != "GET")
    return refuse(exchange, 405, "MethodNotAllowed", "/v1/events is read with GET");
  if (full(exchange)) return;
  const auto execution = parameter(request.query, "executionArn");
  const auto machine = parameter(request.query, "stateMachineArn");
  if (execution && machine)
    return refuse(exchange, 400, "ValidationException", "give executionArn or stateMachineArn, not both");
  if (!execution) return open_changes(exchange, machine.value_or(std::string()));
  const bool data = parameter(request.query, "includeExecutionData").value_or("true") != "false";
  open_execution(std::move(exchange), *execution, data);
}

bool EventStreams::full(const http::ExchangePtr& exchange) {
  if (clients_.size() < settings_.clients_max) return false;
  refuse(exchange, 503, "ThrottlingException",
         "events.clients_max: " + std::to_string(settings_.clients_max) + " streams are open");
  return true;
}

void EventStreams::begin(const ClientPtr& client, const http::ExchangePtr& exchange) {
  http::Response head;
  head.content_type = "text/event-stream";
  head.headers = {{"Cache-Control", "no-store"}, {"X-Accel-Buffering", "no"}};
  head.body = "retry: 1000\n\n";
  client->stream = exchange->stream(std::move(head));
  client->last_sent = loop_.clock().uptime();
  clients_[client.get()] = client;
  if (!client->arn.empty()) by_execution_.emplace(client->id, client.get());
  const std::weak_ptr<Client> weak = client;
  client->stream->on_gone([alive = self_, weak] {
    if (const auto gone = weak.lock(); gone && *alive) (*alive)->close(gone);
  });
  client->stream->on_room([alive = self_, weak] {
    const auto there = weak.lock();
    if (!there || !*alive || !there->stream) return;
    if (there->arn.empty()) return (*alive)->pump(there);
    if (there->more) (*alive)->pull(there);
  });
  if (beat_ == 0) beat();
}

// The execution's history, from behind what the client has.
void EventStreams::open_execution(http::ExchangePtr exchange, const std::string& arn, bool data) {
  if (arn.find(":express:") != std::string::npos) {
    return refuse(
        exchange, 400, "ValidationException",
        "the history of an Express execution is not kept: follow its state machine, or its log group");
  }
  std::string_view text = exchange->request().header("last-event-id");
  const std::string given = parameter(exchange->request().query, "lastEventId").value_or("");
  if (text.empty()) text = given;
  states::EventNumber last = 0;
  const auto [end, wrong] = std::from_chars(text.data(), text.data() + text.size(), last);
  if (!text.empty() && (wrong != std::errc() || end != text.data() + text.size()))
    return refuse(exchange, 400, "ValidationException", "Last-Event-ID is the number of an event");
  engine_.queries().describe(
      arn, [this, alive = self_, exchange, arn, data, last](Result<orchestrator::ExecutionView> view) {
        if (!*alive) return;
        if (!view && view.error().code == ErrorCode::NotFound)
          return refuse(exchange, 404, "ExecutionDoesNotExist", view.error().message);
        if (!view && view.error().code == ErrorCode::InvalidArgument)
          return refuse(exchange, 400, "InvalidArn", view.error().message);
        if (!view) return refuse(exchange, 500, "InternalFailure", view.error().message);
        const ExecutionRow& row = view->row;
        if (row.status != states::ExecutionStatus::Running && last >= view->history_events && last > 0) {
          http::Response nothing;
          nothing.status = 204;
          return exchange->respond(std::move(nothing));
        }
        if (full(exchange)) return;
        auto client = std::make_shared<Client>();
        client->arn = arn;
        client->id = row.id;
        client->data = data;
        client->last = last;
        client->position = std::min<std::uint64_t>(last, row.events);  // never behind: hidden events only add
        begin(client, exchange);
        write(*client, message("status", {},
                               status_json({arn, view->machine.arn, row.name, row.status, row.started,
                                            row.stopped, &view->failure})));
        pull(client);
      });
}

// Sends what the store has behind the client's place, page by page, as far as the client reads.
void EventStreams::pull(const ClientPtr& client) {
  if (!client->stream || client->reading) return;
  if (client->stream->unsent() > settings_.unsent_bytes_max) {
    client->more = true;
    return;
  }
  client->reading = true;
  client->more = false;
  struct Page {
    ExecutionRow row;
    std::vector<states::Event> events;
  };
  const auto read = [id = client->id, position = client->position](Store& store) -> Result<Page> {
    Page page;
    MR_TRY(row, store.execution(id));
    MR_TRY(events, store.events(id, position, kPageEvents));
    page.row = std::move(row);
    page.events = std::move(events);
    return page;
  };
  engine_.queries().ask<Page>(read, [this, alive = self_, client](Result<Page> page) {
    if (!*alive || !client->stream) return;
    client->reading = false;
    if (!page) {  // removed meanwhile, or the store is in trouble
      write(*client, message("dropped", {}, R"({"reason":"the execution can't be read any more"})"));
      return close(client);
    }
    std::string text;
    for (const states::Event& event : page->events) {
      ++client->position;
      if (!states::visible(event.type) || event.number <= client->last) continue;
      client->last = event.number;
      JsonWriter out;
      states::write_event(out, event, client->data);
      text += message("history", std::to_string(event.number), out.finish().text());
    }
    if (!text.empty() && !write(*client, std::move(text))) return;
    if (client->position < page->row.events || client->more) return pull(client);
    client->caught_up = true;
    if (page->row.status == states::ExecutionStatus::Running) return;
    // Its end is the last thing it was told; the status goes with it.
    const ExecutionRow& row = page->row;
    write(*client,
          message("status", {},
                  status_json({client->arn, {}, row.name, row.status, row.started, row.stopped, nullptr})));
    close(client);
  });
}

// What was committed just now, without asking the store, when it follows upon what the client has.
void EventStreams::follow(const ClientPtr& client, const Observed& what,
                          std::span<const states::Event> events) {
  if (!client->stream) return;
  const bool next = client->caught_up && !client->reading && !client->more &&
                    client->position + events.size() == what.execution.events && !what.execution.ended() &&
                    client->stream->unsent() <= settings_.unsent_bytes_max;
  if (!next) {
    client->caught_up = false;
    client->more = true;
    if (!client->reading) pull(client);
    return;
  }
  std::string text;
  for (const states::Event& event : events) {
    ++client->position;
    if (!states::visible(event.type)) continue;
    client->last = event.number;
    JsonWriter out;
    states::write_event(out, event, client->data);
    text += message("history", std::to_string(event.number), out.finish().text());
  }
  write(*client, std::move(text));
}

void EventStreams::open_changes(const http::ExchangePtr& exchange, std::string machine_arn) {
  if (!machine_arn.empty() && machine_arn.find(":stateMachine:") == std::string::npos)
    return refuse(exchange, 400, "InvalidArn", "Invalid Arn: '" + machine_arn + "'");
  auto client = std::make_shared<Client>();
  client->machine_arn = std::move(machine_arn);
  client->next = next_change_;
  const std::string text(exchange->request().header("last-event-id"));
  begin(client, exchange);
  if (!text.empty()) {
    const std::uint64_t oldest = next_change_ - recent_.size();
    std::uint64_t last = 0;
    const std::string_view number = std::string_view(text).substr(std::min(text.size(), epoch_.size() + 1));
    const auto [end, wrong] = std::from_chars(number.data(), number.data() + number.size(), last);
    const bool known =
        text.starts_with(epoch_ + "-") && wrong == std::errc() && last + 1 >= oldest && last < next_change_;
    if (known) {
      client->next = last + 1;
    } else {
      write(*client, message("resync", epoch_ + "-" + std::to_string(next_change_ - 1),
                             R"({"reason":"what came after that id is no longer known here"})"));
    }
  } else {
    // An id from the beginning: who is cut off before the first change loses none either.
    write(*client, message("hello", epoch_ + "-" + std::to_string(next_change_ - 1), "{}"));
  }
  pump(client);
}

void EventStreams::pump(const ClientPtr& client) {
  const std::uint64_t oldest = next_change_ - recent_.size();
  if (client->next < oldest) {
    dropped_.add();
    write(*client, message("dropped", {}, R"({"reason":"the client reads too slowly: events.recent_max"})"));
    return close(client);
  }
  while (client->stream && client->next < next_change_ &&
         client->stream->unsent() <= settings_.unsent_bytes_max) {
    const Change& change = recent_[static_cast<std::size_t>(client->next - oldest)];
    const std::uint64_t number = client->next++;
    if (client->machine_arn.empty() || client->machine_arn == change.machine_arn)
      write(*client, message("status", epoch_ + "-" + std::to_string(number), change.text));
  }
}

bool EventStreams::wants(const Observed& what) {
  return !by_execution_.empty() && by_execution_.contains(what.id);
}

void EventStreams::on_step(const Observed& what, const orchestrator::StepTally& tally,
                           std::span<const states::Event> events) {
  if (!by_execution_.empty()) {
    std::vector<ClientPtr> followers;  // a copy: some may go meanwhile
    for (auto [at, end] = by_execution_.equal_range(what.id); at != end; ++at)
      followers.push_back(clients_.at(at->second));
    for (const ClientPtr& client : followers) follow(client, what, events);
  }
  // Children of map runs are their run's business.
  if (what.child || !(tally.started || tally.redriven || tally.ended)) return;
  recent_.push_back({what.execution.identity.machine_arn, status_of(what)});
  ++next_change_;
  if (recent_.size() > settings_.recent_max) recent_.pop_front();
  if (clients_.size() == by_execution_.size()) return;
  std::vector<ClientPtr> all;
  for (const auto& [key, client] : clients_) {
    if (client->arn.empty()) all.push_back(client);
  }
  for (const ClientPtr& client : all) {
    if (client->stream) pump(client);
  }
}

void EventStreams::on_progress(ExecutionId id, FrameId, const std::string& state_name,
                               const Payload& progress) {
  if (by_execution_.empty()) return;
  std::vector<ClientPtr> followers;
  for (auto [at, end] = by_execution_.equal_range(id); at != end; ++at)
    followers.push_back(clients_.at(at->second));
  for (const ClientPtr& client : followers) {
    // A passing remark: who has not read the last things does without.
    if (!client->data || !client->stream || client->stream->unsent() > 0) continue;
    JsonWriter out;
    out.begin_object().key("stateName").string(state_name).key("progress").value(progress).end_object();
    write(*client, message("progress", {}, out.finish().text()));
  }
}

bool EventStreams::write(Client& client, std::string text) {
  client.last_sent = loop_.clock().uptime();
  return client.stream && client.stream->write(std::move(text));
}

void EventStreams::close(const ClientPtr& client) {
  if (!client->arn.empty()) {
    for (auto [at, end] = by_execution_.equal_range(client->id); at != end; ++at) {
      if (at->second != client.get()) continue;
      by_execution_.erase(at);
      break;
    }
  }
  clients_.erase(client.get());
  if (const auto stream = std::exchange(client->stream, nullptr)) stream->end();
}

// A comment to those who heard nothing for a while: proxies and clients take silence for the end.
void EventStreams::beat() {
  beat_ = 0;
  if (clients_.empty()) return;
  const Millis now = loop_.clock().uptime();
  std::vector<ClientPtr> silent;
  for (const auto& [key, client] : clients_) {
    if (now - client->last_sent >= settings_.heartbeat && client->stream->unsent() == 0)
      silent.push_back(client);
  }
  for (const ClientPtr& client : silent) write(*client, ":\n\n");
  beat_ = loop_.at(loop_.clock().now() + settings_.heartbeat / 2, [this] { beat(); });
}

}  // namespace millrace::service
