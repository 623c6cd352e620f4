#include "tasks/integrations/events/event_log.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/random.h"
#include "tasks/arguments.h"

namespace millrace::tasks {
namespace {

constexpr std::size_t kEntriesMax = 100;             // AWS: 10
constexpr std::size_t kEntryBytesMax = 1024 * 1024;  // of one event's document
constexpr Millis kCleaning{60'000};

constexpr const char* kSchema =
    "CREATE TABLE IF NOT EXISTS event ("
    " number INTEGER PRIMARY KEY AUTOINCREMENT, time INTEGER NOT NULL, bus TEXT NOT NULL, document TEXT NOT "
    "NULL);"
    "CREATE INDEX IF NOT EXISTS event_time ON event (time);"
    "CREATE TABLE IF NOT EXISTS request (name TEXT PRIMARY KEY, time INTEGER NOT NULL, answer TEXT NOT NULL)"
    " WITHOUT ROWID;"
    "CREATE INDEX IF NOT EXISTS request_time ON request (time)";

struct Refusal {
  std::string code, message;
};

Refusal missing_argument(const std::string& parameter) {
  return {"InvalidArgument",
          "Parameter " + parameter + " is not valid. Reason: " + parameter + " is a required argument."};
}

// A bus by its name or its ARN.
std::optional<std::string> bus_name(const std::string& text) {
  if (text.empty()) return "default";
  const std::size_t slash = text.starts_with("arn:") ? text.find(":event-bus/") : std::string::npos;
  if (text.starts_with("arn:") && slash == std::string::npos) return std::nullopt;
  std::string name = slash == std::string::npos ? text : text.substr(slash + 11);
  const bool good =
      !name.empty() && name.size() <= 256 && std::all_of(name.begin(), name.end(), [](unsigned char c) {
        return std::isalnum(c) || c == '.' || c == '-' || c == '_' || c == '/';
      });
  return good ? std::optional(std::move(name)) : std::nullopt;
}

// The time an entry gives itself: seconds since 1970, or RFC 3339.
std::optional<Instant> time_of(const Json& entry, Instant now) {
  const auto found = entry.find("Time");
  if (found == entry.end() || found->is_null()) return now;
  if (found->is_string()) return parse_rfc3339(found->get<std::string>());
  if (!found->is_number()) return std::nullopt;
  const double seconds = found->get<double>();
  if (!(seconds >= 0 && seconds < 1e11)) return std::nullopt;
  return from_millis(static_cast<std::int64_t>(seconds * 1000));
}

struct Accepted {
  std::string bus;
  Json document;
};

// The event of an entry, without its id; or why it is refused.
tl::expected<Accepted, Refusal> event_of(const Json& entry, const EventLog::Settings& settings, Instant now,
                                         const std::vector<std::string>& resources, bool from_service) {
  const auto refuse = [](Refusal refusal) { return tl::unexpected<Refusal>(std::move(refusal)); };
  const std::string source = text_at(entry, {"Source"}), type = text_at(entry, {"DetailType"});
  if (source.empty()) return refuse(missing_argument("Source"));
  if (type.empty()) return refuse(missing_argument("DetailType"));
  if (source.starts_with("aws.") && !from_service)
    return refuse({"NotAuthorizedForSourceException", "Not authorized for the source."});
  const auto bus = bus_name(text_at(entry, {"EventBusName"}));
  if (!bus) return refuse({"InvalidArgument", "Parameter EventBusName is not valid."});
  const auto detail = entry.find("Detail");
  if (detail == entry.end() || detail->is_null()) return refuse(missing_argument("Detail"));
  // A workflow may give the object itself instead of its text.
  const Json parsed = detail->is_string() ? Json::parse(detail->get<std::string>(), nullptr, false) : *detail;
  if (!parsed.is_object()) return refuse({"MalformedDetail", "Detail is malformed."});
  const auto time = time_of(entry, now);
  if (!time) return refuse({"InvalidArgument", "Parameter Time is not valid."});
  Json about = Json::array();
  if (const auto given = entry.find("Resources"); given != entry.end() && given->is_array())
    for (const Json& resource : *given)
      if (resource.is_string()) about.push_back(resource);
  for (const std::string& resource : resources) about.push_back(resource);
  Accepted event;
  event.bus = *bus;
  event.document = {{"version", "0"},
                    {"id", ""},
                    {"detail-type", type},
                    {"source", source},
                    {"account", settings.place.account},
                    {"time", format_rfc3339(*time).substr(0, 19) + "Z"},
                    {"region", settings.place.region},
                    {"resources", std::move(about)},
                    {"detail", parsed}};
  if (to_payload(event.document).size() > kEntryBytesMax)
    return refuse(
        {"InvalidArgument", "The event is larger than " + std::to_string(kEntryBytesMax) + " bytes."});
  return event;
}

}  // namespace

Result<std::unique_ptr<EventLog>> EventLog::open(const std::string& path, Settings settings,
                                                 const Clock& clock) {
  std::unique_ptr<EventLog> log(new EventLog(std::move(settings), clock));
  MR_TRY(database, Database::open(path));
  log->database_ = std::move(database);
  log->path_ = path;
  MR_DO(log->database_.execute(kSchema));
  const std::pair<Statement&, std::string_view> statements[] = {
      {log->insert_, "INSERT INTO event (time, bus, document) VALUES (?1, ?2, ?3)"},
      {log->find_request_, "SELECT answer FROM request WHERE name = ?1"},
      {log->insert_request_, "INSERT INTO request (name, time, answer) VALUES (?1, ?2, ?3)"},
      {log->select_, "SELECT number, bus, document FROM event WHERE number > ?1 ORDER BY number LIMIT ?2"},
  };
  for (const auto& [statement, sql] : statements) {
    MR_TRY(prepared, log->database_.prepare(sql));
    statement = std::move(prepared);
  }
  return log;
}

Result<Json> EventLog::put(const Json& request_body, const std::string& request,
                           const std::vector<std::string>& resources, bool from_service) {
  const Arguments in(request_body);
  MR_TRY(entries, in.list("Entries"));
  if (entries.empty())
    return invalid(
        "1 validation error detected: Value '[]' at 'entries' failed to satisfy constraint: Member must have "
        "length greater than or equal to 1");
  if (entries.size() > kEntriesMax)
    return in.wrong("Entries", "there are " + std::to_string(entries.size()) + " entries, more than " +
                                   std::to_string(kEntriesMax));
  std::vector<Json> list;
  for (const Arguments& entry : entries) {
    for (const char* key : {"Source", "DetailType", "EventBusName"}) MR_DO(entry.text_or(key, ""));
    list.push_back(entry.json());
  }
  const std::lock_guard lock(mutex_);
  return put_all(list, request, resources, from_service);
}

Result<Json> EventLog::put_all(const std::vector<Json>& entries, const std::string& request,
                               const std::vector<std::string>& resources, bool from_service) {
  MR_TRY(transaction, Transaction::begin(database_));
  if (!request.empty()) {
    find_request_.bind(1, std::string_view(request));
    const auto there = find_request_.step();
    const Json known = there && *there ? Json::parse(find_request_.text(0), nullptr, false) : Json();
    find_request_.reset();
    if (!there) return fail(there.error());
    if (known.is_object()) return known;
  }
  const Instant now = clock_.now();
  Json results = Json::array();
  std::int64_t refused = 0;
  for (const Json& entry : entries) {
    auto event = event_of(entry, settings_, now, resources, from_service);
    if (!event) {
      results.push_back({{"ErrorCode", event.error().code}, {"ErrorMessage", event.error().message}});
      ++refused;
      continue;
    }
    Random random(mix(settings_.seed, ++ids_));
    const std::string id = uuid_v4(random);
    event->document["id"] = id;
    const Payload document = to_payload(event->document);
    insert_.bind(1, to_millis(now)).bind(2, std::string_view(event->bus)).bind(3, document.text());
    MR_DO(insert_.run());
    results.push_back({{"EventId", id}});
  }
  Json answer = {{"Entries", std::move(results)}, {"FailedEntryCount", refused}};
  if (!request.empty()) {
    const Payload text = to_payload(answer);
    insert_request_.bind(1, std::string_view(request)).bind(2, to_millis(now)).bind(3, text.text());
    MR_DO(insert_request_.run());
  }
  MR_DO(remove_old());
  MR_DO(transaction.commit());
  if (listener_) listener_();
  return answer;
}

// Now and then, in the transaction of a put.
Status EventLog::remove_old() {
  const Millis uptime = clock_.uptime();
  if (uptime - cleaned_ < kCleaning) return {};
  cleaned_ = uptime;
  const std::int64_t oldest = to_millis(clock_.now()) - settings_.retention_days * 86'400'000;
  constexpr std::string_view kStatements[] = {"DELETE FROM event WHERE time < ?1",
                                              "DELETE FROM request WHERE time < ?1"};
  for (const std::string_view sql : kStatements) {
    MR_TRY(statement, database_.prepare(sql));
    MR_DO(statement.bind(1, oldest).run());
  }
  MR_TRY(excess, database_.prepare("DELETE FROM event WHERE number <= (SELECT max(number) FROM event) - ?1"));
  return excess.bind(1, settings_.events_max).run();
}

Result<std::vector<EventLog::Event>> EventLog::read(std::int64_t after, std::size_t limit) const {
  const std::lock_guard lock(mutex_);
  std::vector<Event> events;
  select_.bind(1, after).bind(2, static_cast<std::int64_t>(limit));
  auto more = select_.step();
  for (; more && *more; more = select_.step())
    events.push_back(
        {select_.integer(0), std::string(select_.text(1)), Json::parse(select_.text(2), nullptr, false)});
  select_.reset();
  if (!more) return fail(more.error());
  return events;
}

}  // namespace millrace::tasks
