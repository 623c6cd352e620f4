#include "tasks/features/feature_operations.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "tasks/features/feature_store.h"

namespace millrace::tasks {
namespace {

constexpr std::size_t kBatchRecordsBytesMax = std::size_t{8}
                                              << 20;  // of records in one BatchGetRecord answer

tl::unexpected<ServiceError> validation_error(std::string message) {
  return service_error("ValidationError", std::move(message));
}
// What a request has wrong is its caller's error; what the database has wrong goes upward.
tl::unexpected<ServiceError> refused_record(const Error& error) {
  if (error.code == ErrorCode::InvalidArgument) return validation_error(error.message);
  return tl::unexpected<ServiceError>(error);
}

std::string text_in_input(JsonView input, std::string_view name) {
  const JsonView value = input.find(name);
  return value && value.is_string() ? value.string() : std::string();
}

// `code` of a group that is not there: of reads ResourceNotFound, of writes ValidationError, as the model has
// it.
Checked<FeatureGroupPtr> group_in(const FindGroup& find, const std::string& name, std::string_view code) {
  auto group = find(name);
  if (group) return *std::move(group);
  if (group.error().code != ErrorCode::NotFound) return tl::unexpected<ServiceError>(group.error());
  return service_error(std::string(code),
                       "Resource Not Found: Amazon SageMaker can't find a FeatureGroup with name " + name,
                       code == "ResourceNotFound" ? 404 : 400);
}

struct TargetStores {
  bool online = true, offline = true;
};

Checked<TargetStores> target_stores_in(const FeatureGroup& group, JsonView input) {
  const bool has_offline = !group.offline_uri.empty();
  const JsonView list = input.find("TargetStores");
  if (!list || list.is_null()) return TargetStores{group.online, has_offline};
  if (!list.is_array()) return validation_error("TargetStores must be a list");
  TargetStores stores{false, false};
  for (const JsonView one : list.elements()) {
    const std::string name = one.is_string() ? one.string() : "";
    if (name != "OnlineStore" && name != "OfflineStore")
      return validation_error("TargetStores must be OnlineStore, OfflineStore or both");
    if (name == "OnlineStore" ? !group.online : !has_offline)
      return validation_error("Validation Error: FeatureGroup '" + group.name + "' has no " + name);
    (name == "OnlineStore" ? stores.online : stores.offline) = true;
  }
  return stores;
}

Result<std::optional<Instant>> expiry_of(const FeatureGroup& group, const FeatureRecord& record,
                                         JsonView input) {
  std::optional<Millis> lifetime = group.lifetime;
  if (const JsonView ttl = input.find("TtlDuration"); ttl && !ttl.is_null()) {
    MR_TRY(own, read_ttl(to_json(ttl)));
    lifetime = own;
  }
  if (!lifetime) return std::optional<Instant>();
  return std::optional<Instant>(from_millis(record.time_us / 1000) + *lifetime);
}

Status write_record(const FeatureWriting& writing, const FeatureGroup& group, const FeatureRecord& record,
                    const TargetStores& stores, JsonView input) {
  if (stores.offline) MR_DO(writing.rows.put_offline(group, record, writing.now));
  if (!stores.online) return {};
  MR_TRY(expires, expiry_of(group, record, input));
  return writing.rows.put_online(group, record, expires, writing.now);
}

// The features asked for; none: all. Null: unknown.
Checked<std::vector<std::string>> feature_names_in(const FeatureGroup& group, JsonView list) {
  std::vector<std::string> names;
  if (!list || !list.is_array()) return names;
  for (const JsonView one : list.elements()) {
    names.push_back(one.is_string() ? one.string() : "");
    if (!group.place_of(names.back()))
      return validation_error("Validation Error: FeatureGroup '" + group.name + "' has no feature '" +
                              names.back() + "'");
  }
  return names;
}

// Members Record and perhaps ExpiresAt.
Status write_found(JsonWriter& out, const FeatureReader::Found& found, const std::vector<std::string>& names,
                   bool expiration) {
  MR_TRY(record, Payload::parse(found.answer));
  out.key("Record");
  if (names.empty()) {
    out.value(record);
  } else {
    out.begin_array();
    for (const JsonView value : record.view().elements()) {
      const std::string name = value.find("FeatureName").string();
      if (std::find(names.begin(), names.end(), name) != names.end()) out.value(value);
    }
    out.end_array();
  }
  if (expiration && found.expires) out.key("ExpiresAt").string(format_rfc3339(*found.expires));
  return {};
}

bool wants_expiration(JsonView input) {
  return text_in_input(input, "ExpirationTimeResponse") == "Enabled";
}

Checked<FeatureGroupPtr> online_group(const FindGroup& find, const std::string& name) {
  auto group = group_in(find, name, "ResourceNotFound");
  if (group && !(*group)->online)
    return validation_error("Validation Error: FeatureGroup '" + (*group)->name + "' has no OnlineStore");
  return group;
}

// What BatchGetRecord answers, in three lists.
struct BatchAnswer {
  JsonWriter records;
  Json errors = Json::array(), unprocessed = Json::array();
  std::size_t bytes = 0;

  BatchAnswer() { records.begin_object().key("Records").begin_array(); }
};

void add_batch_errors(const ServiceError& error, JsonView identifier, BatchAnswer& out) {
  for (const JsonView id : identifier.find("RecordIdentifiersValueAsString").elements())
    out.errors.push_back({{"FeatureGroupName", text_in_input(identifier, "FeatureGroupName")},
                          {"RecordIdentifierValueAsString", id.is_string() ? id.string() : ""},
                          {"ErrorCode", error.code},
                          {"ErrorMessage", error.message}});
}

Status read_identifier(const FeatureReading& reading, JsonView identifier, bool expiration,
                       BatchAnswer& out) {
  const std::string asked = text_in_input(identifier, "FeatureGroupName");
  const auto group = online_group(reading.find_group, asked);
  const auto names = group ? feature_names_in(**group, identifier.find("FeatureNames"))
                           : Checked<std::vector<std::string>>(tl::unexpected<ServiceError>(group.error()));
  if (!names) {
    add_batch_errors(names.error(), identifier, out);
    return {};
  }
  Json left = Json::array();
  for (const JsonView id : identifier.find("RecordIdentifiersValueAsString").elements()) {
    const std::string value = id.is_string() ? id.string() : "";
    if (out.bytes > kBatchRecordsBytesMax) {
      left.push_back(value);
      continue;
    }
    MR_TRY(found, reading.reader.find(**group, record_id(**group, value), reading.now));
    if (!found) continue;
    out.bytes += found->answer.size();
    out.records.begin_object().key("FeatureGroupName").string(asked);
    out.records.key("RecordIdentifierValueAsString").string(value);
    MR_DO(write_found(out.records, *found, *names, expiration));
    out.records.end_object();
  }
  if (left.empty()) return {};
  Json rest = to_json(identifier);
  rest["RecordIdentifiersValueAsString"] = std::move(left);
  out.unprocessed.push_back(std::move(rest));
  return {};
}

}  // namespace

ServiceAnswer get_record(const FeatureReading& reading, JsonView input) {
  MR_TRY(group, online_group(reading.find_group, text_in_input(input, "FeatureGroupName")));
  MR_TRY(names, feature_names_in(*group, input.find("FeatureNames")));
  const std::string id = text_in_input(input, "RecordIdentifierValueAsString");
  MR_TRY(found, reading.reader.find(*group, record_id(*group, id), reading.now));
  if (!found) return Payload::empty_object();
  JsonWriter out;
  out.begin_object();
  if (const Status written = write_found(out, *found, names, wants_expiration(input)); !written)
    return tl::unexpected<ServiceError>(written.error());
  return out.end_object().finish();
}

ServiceAnswer batch_get_record(const FeatureReading& reading, JsonView input) {
  const JsonView identifiers = input.find("Identifiers");
  if (!identifiers || !identifiers.is_array()) return validation_error("Identifiers must be a list");
  for (const JsonView one : identifiers.elements()) {
    const JsonView ids = one.is_object() ? one.find("RecordIdentifiersValueAsString") : JsonView();
    if (!ids || !ids.is_array())
      return validation_error(
          "each of Identifiers needs FeatureGroupName and RecordIdentifiersValueAsString");
  }
  BatchAnswer out;
  for (const JsonView identifier : input.find("Identifiers").elements()) {
    const Status read = read_identifier(reading, identifier, wants_expiration(input), out);
    if (!read) return tl::unexpected<ServiceError>(read.error());
  }
  out.records.end_array().key("Errors").value(to_payload(out.errors));
  out.records.key("UnprocessedIdentifiers").value(to_payload(out.unprocessed)).end_object();
  return out.records.finish();
}

ServiceAnswer put_record(const FeatureWriting& writing, JsonView input) {
  MR_TRY(group, group_in(writing.find_group, text_in_input(input, "FeatureGroupName"), "ValidationError"));
  MR_TRY(stores, target_stores_in(*group, input));
  const auto record = read_record(*group, input.find("Record"));
  if (!record) return refused_record(record.error());
  const Status written = write_record(writing, *group, *record, stores, input);
  if (!written) return refused_record(written.error());
  return Payload::empty_object();
}

ServiceAnswer put_records(const FeatureWriting& writing, JsonView input) {
  MR_TRY(group, group_in(writing.find_group, text_in_input(input, "FeatureGroupName"), "ValidationError"));
  MR_TRY(stores, target_stores_in(*group, input));
  const JsonView records = input.find("Records");
  if (!records || !records.is_array() || records.size() == 0 || records.size() > kRecordsPutMax)
    return validation_error("Records must be a list of 1 to " + std::to_string(kRecordsPutMax) + " records");
  std::size_t number = 0;
  for (const JsonView one : records.elements()) {
    const auto record = read_record(*group, one);
    const Status written =
        record ? write_record(writing, *group, *record, stores, input) : Status(fail(record.error()));
    if (!written) {
      Error error = written.error();
      error.message = "Records[" + std::to_string(number) + "]: " + error.message;
      return refused_record(error);
    }
    ++number;
  }
  return to_payload(Json{{"RecordCount", number}});
}

ServiceAnswer delete_record(const FeatureWriting& writing, JsonView input) {
  MR_TRY(group, group_in(writing.find_group, text_in_input(input, "FeatureGroupName"), "ValidationError"));
  MR_TRY(stores, target_stores_in(*group, input));
  const auto deletion = deletion_of(*group, text_in_input(input, "RecordIdentifierValueAsString"),
                                    text_in_input(input, "EventTime"));
  if (!deletion) return refused_record(deletion.error());
  const bool hard = text_in_input(input, "DeletionMode") == "HardDelete";
  if (stores.online && hard) {
    MR_TRY(removed, writing.rows.remove_online(*group, *deletion, writing.now));
    if (!removed)
      return validation_error(
          "Validation Error: EventTime must be later than the event time of the record '" + deletion->id +
          "', which stays");
  } else if (stores.online) {
    MR_DO(writing.rows.mark_deleted(*group, *deletion, writing.now));
  }
  if (stores.offline) MR_DO(writing.rows.put_offline(*group, *deletion, writing.now));
  return Payload::empty_object();
}

}  // namespace millrace::tasks
