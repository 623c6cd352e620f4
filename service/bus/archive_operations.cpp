// Archives and replays.

#include <nlohmann/json.hpp>

#include "service/bus/event_functions.h"
#include "triggers/pattern.h"

namespace millrace::bus {
namespace {

constexpr std::size_t kArchivesMax = 100, kReplaysMax = 1000;

std::string archive_arn(const BusPlace& place, std::string_view name) {
  return place.arn("events", "archive/" + std::string(name));
}

Json archive_shown(const OperationCall& call, const std::string& name, const Json& record) {
  Json shown = {{"ArchiveName", name}};
  for (const char* member : {"EventSourceArn", "State", "RetentionDays"})
    if (const auto found = record.find(member); found != record.end()) shown[member] = *found;
  const auto size = call.records.archive_size(name);
  shown["SizeBytes"] = size ? size->bytes : 0;
  shown["EventCount"] = size ? size->events : 0;
  if (const auto made = millis_in(record, "Created")) shown["CreationTime"] = seconds_of(*made);
  return shown;
}

Json archive_answer(const OperationCall& call, const std::string& name, const Json& record) {
  Json answer = {{"ArchiveArn", archive_arn(call.place, name)}, {"State", record["State"]}};
  if (const auto made = millis_in(record, "Created")) answer["CreationTime"] = seconds_of(*made);
  return answer;
}

tl::expected<Json, api::ApiError> archive_record(const OperationCall& call, const std::string& name) {
  Json record = call.records.find(kind::kArchive, name);
  if (!record.is_object()) return not_found("Archive " + name + " does not exist.");
  return record;
}

std::optional<api::ApiError> wrong_pattern(JsonView input) {
  const std::string pattern = text(input, "EventPattern");
  if (pattern.empty()) return std::nullopt;
  const auto compiled = triggers::compile_pattern(pattern);
  if (compiled) return std::nullopt;
  return api::ApiError{"InvalidEventPatternException", compiled.error().message, 400};
}

Json replay_shown(const std::string& name, const Json& record) {
  Json shown = {{"ReplayName", name}};
  for (const char* member : {"EventSourceArn", "State", "StateReason"})
    if (const auto found = record.find(member); found != record.end()) shown[member] = *found;
  for (const char* member :
       {"EventStartTime", "EventEndTime", "EventLastReplayedTime", "ReplayStartTime", "ReplayEndTime"})
    if (const auto time = millis_in(record, member)) shown[member] = seconds_of(*time);
  return shown;
}

tl::expected<Json, api::ApiError> replay_record(const OperationCall& call, const std::string& name) {
  Json record = call.records.find(kind::kReplay, name);
  if (!record.is_object()) return not_found("Replay " + name + " does not exist.");
  return record;
}

}  // namespace

BusAnswer create_archive(OperationCall& call) {
  const std::string name = text(call.input, "ArchiveName"), source = text(call.input, "EventSourceArn");
  if (!good_name(name, 48)) return invalid_request("Parameter ArchiveName is not valid.");
  if (call.records.has(kind::kArchive, name))
    return api::refuse("ResourceAlreadyExistsException", "Archive " + name + " already exists.");
  if (call.records.all(kind::kArchive).size() >= kArchivesMax)
    return api::refuse("LimitExceededException",
                       "The requested resource exceeds the maximum number allowed.");
  const auto bus = bus_in(call, "EventSourceArn");
  if (!bus) return tl::unexpected<api::ApiError>(bus.error());
  if (auto wrong = wrong_pattern(call.input)) return tl::unexpected<api::ApiError>(*std::move(wrong));
  Json record = {{"Bus", *bus},
                 {"State", "ENABLED"},
                 {"RetentionDays", 0},
                 {"Created", to_millis(call.now)},
                 {"Since", call.last_event}};
  copy_members(record, call.input, {"EventSourceArn", "Description", "EventPattern", "RetentionDays"});
  call.records.put(kind::kArchive, name, record);
  return archive_answer(call, name, record);
}

BusAnswer update_archive(OperationCall& call) {
  const std::string name = text(call.input, "ArchiveName");
  auto record = archive_record(call, name);
  if (!record) return tl::unexpected<api::ApiError>(record.error());
  if (auto wrong = wrong_pattern(call.input)) return tl::unexpected<api::ApiError>(*std::move(wrong));
  copy_members(*record, call.input, {"Description", "EventPattern", "RetentionDays"});
  call.records.put(kind::kArchive, name, *record);
  return archive_answer(call, name, *record);
}

BusAnswer describe_archive(OperationCall& call) {
  const std::string name = text(call.input, "ArchiveName");
  const auto record = archive_record(call, name);
  if (!record) return tl::unexpected<api::ApiError>(record.error());
  Json shown = archive_shown(call, name, *record);
  shown["ArchiveArn"] = archive_arn(call.place, name);
  for (const char* member : {"Description", "EventPattern"})
    if (const auto found = record->find(member); found != record->end()) shown[member] = *found;
  return shown;
}

BusAnswer list_archives(OperationCall& call) {
  const std::string source = text(call.input, "EventSourceArn"), state = text(call.input, "State");
  return page_of(call, kind::kArchive, "Archives", "Limit", text(call.input, "NamePrefix"),
                 [&](const std::string& key, const Json& record) -> std::optional<Json> {
                   if (!source.empty() && record["EventSourceArn"] != source) return std::nullopt;
                   if (!state.empty() && record["State"] != state) return std::nullopt;
                   return archive_shown(call, key, record);
                 });
}

BusAnswer delete_archive(OperationCall& call) {
  const std::string name = text(call.input, "ArchiveName");
  const auto record = archive_record(call, name);
  if (!record) return tl::unexpected<api::ApiError>(record.error());
  if (const Status gone = call.records.forget_archived(name, Instant::max()); !gone)
    return api::refuse("InternalException", gone.error().message, 500);
  call.records.erase(kind::kArchive, name);
  return Json::object();
}

BusAnswer start_replay(OperationCall& call) {
  const std::string name = text(call.input, "ReplayName"), source = text(call.input, "EventSourceArn");
  if (!good_name(name, 64)) return invalid_request("Parameter ReplayName is not valid.");
  if (call.records.has(kind::kReplay, name))
    return api::refuse("ResourceAlreadyExistsException", "Replay " + name + " already exists.");
  if (call.records.all(kind::kReplay).size() >= kReplaysMax)
    return api::refuse("LimitExceededException",
                       "The requested resource exceeds the maximum number allowed.");
  const std::size_t at = source.find(":archive/");
  const std::string archive = at == std::string::npos ? "" : source.substr(at + 9);
  const auto archived = archive_record(call, archive);
  if (!archived)
    return invalid_request("Parameter EventSourceArn is not valid. Reason: Archive " + archive +
                           " does not exist.");
  const auto from = time_in(call.input, "EventStartTime"), until = time_in(call.input, "EventEndTime");
  if (!from || !until || *until <= *from)
    return invalid_request(
        "Parameter EventEndTime is not valid. Reason: EventStartTime must be before EventEndTime.");
  const JsonView destination = api::member(call.input, "Destination");
  if (text(destination, "Arn") != (*archived)["EventSourceArn"].get<std::string>())
    return invalid_request(
        "Parameter Destination.Arn is not valid. Reason: Cross event bus replay is not permitted.");
  Json record = {{"Archive", archive},
                 {"Bus", (*archived)["Bus"]},
                 {"State", "STARTING"},
                 {"EventSourceArn", source},
                 {"EventStartTime", to_millis(*from)},
                 {"EventEndTime", to_millis(*until)},
                 {"ReplayStartTime", to_millis(call.now)},
                 {"After", 0}};
  copy_members(record, call.input, {"Description", "Destination"});
  call.records.put(kind::kReplay, name, record);
  return Json{{"ReplayArn", call.place.arn("events", "replay/" + name)},
              {"State", "STARTING"},
              {"ReplayStartTime", seconds_of(call.now)}};
}

BusAnswer describe_replay(OperationCall& call) {
  const std::string name = text(call.input, "ReplayName");
  const auto record = replay_record(call, name);
  if (!record) return tl::unexpected<api::ApiError>(record.error());
  Json shown = replay_shown(name, *record);
  shown["ReplayArn"] = call.place.arn("events", "replay/" + name);
  for (const char* member : {"Description", "Destination"})
    if (const auto found = record->find(member); found != record->end()) shown[member] = *found;
  return shown;
}

BusAnswer list_replays(OperationCall& call) {
  const std::string source = text(call.input, "EventSourceArn"), state = text(call.input, "State");
  return page_of(call, kind::kReplay, "Replays", "Limit", text(call.input, "NamePrefix"),
                 [&](const std::string& key, const Json& record) -> std::optional<Json> {
                   if (!source.empty() && record["EventSourceArn"] != source) return std::nullopt;
                   if (!state.empty() && record["State"] != state) return std::nullopt;
                   return replay_shown(key, record);
                 });
}

BusAnswer cancel_replay(OperationCall& call) {
  const std::string name = text(call.input, "ReplayName");
  auto record = replay_record(call, name);
  if (!record) return tl::unexpected<api::ApiError>(record.error());
  if ((*record)["State"] != "STARTING" && (*record)["State"] != "RUNNING")
    return api::refuse("IllegalStatusException",
                       "Replay " + name + " is not in a valid state for this operation.");
  (*record)["State"] = "CANCELLED";
  (*record)["ReplayEndTime"] = to_millis(call.now);
  call.records.put(kind::kReplay, name, *record);
  return Json{{"ReplayArn", call.place.arn("events", "replay/" + name)}, {"State", "CANCELLING"}};
}

}  // namespace millrace::bus
