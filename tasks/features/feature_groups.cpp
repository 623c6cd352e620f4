#include "tasks/features/feature_groups.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/time.h"
#include "tasks/arguments.h"
#include "tasks/artifacts/object_store.h"
#include "tasks/features/feature_group.h"
#include "tasks/features/offline_files.h"
#include "tasks/functions/lambda.h"
#include "tasks/jobs/entities.h"
#include "tasks/jobs/listing.h"
#include "tasks/jobs/tags.h"

namespace millrace::tasks {
namespace {

constexpr std::size_t kListedMax = 1'000'000;
constexpr std::size_t kAdditionsMax = 100, kParametersMax = 25;
constexpr const char* kMetadata = "FeatureMetadata";  // among the notes: by feature

Status check_key_features(const Arguments& arguments, const std::vector<Feature>& features) {
  for (const char* member : {"RecordIdentifierFeatureName", "EventTimeFeatureName"}) {
    MR_TRY(name, arguments.text(member));
    const auto found =
        std::find_if(features.begin(), features.end(), [&](const Feature& f) { return f.name == name; });
    if (found == features.end())
      return arguments.wrong(member, "\"" + name + "\" is not one of FeatureDefinitions");
    if (found->collection != CollectionType::None)
      return arguments.wrong(member, "\"" + name + "\" must not be a collection");
    if (member == std::string_view("EventTimeFeatureName") && found->type == FeatureType::Integral)
      return arguments.wrong(member, "\"" + name + "\" must be of type Fractional or String");
  }
  return {};
}

Status check_online(const Arguments& arguments, bool& enabled) {
  MR_TRY(online, arguments.object_or_empty("OnlineStoreConfig"));
  MR_TRY(on, online.boolean_or("EnableOnlineStore", false));
  MR_TRY(storage, online.text_or("StorageType", "Standard"));
  MR_DO(online.one_of("StorageType", storage, "Standard|InMemory"));
  if (online.has("TtlDuration")) MR_DO(read_ttl(online.json()["TtlDuration"]));
  enabled = on;
  return {};
}

// The store's configuration with the place that its files get.
Result<Json> offline_config(const Arguments& arguments, const std::string& uid, const LambdaPlace& place) {
  MR_TRY(offline, arguments.object("OfflineStoreConfig"));
  MR_TRY(storage, offline.object("S3StorageConfig"));
  MR_TRY(uri, storage.text("S3Uri"));
  MR_DO(parse_s3_uri(uri));
  MR_TRY(format, offline.text_or("TableFormat", "Default"));
  MR_DO(offline.one_of("TableFormat", format, "Default|Glue"));
  Json config = offline.json();
  config["S3StorageConfig"]["ResolvedOutputS3Uri"] = offline_place(uri, place.account, place.region, uid);
  return config;
}

Result<Json> new_group(TaskCall& call, const std::string& name) {
  const Arguments arguments(call.arguments);
  if (!is_feature_name(name))
    return arguments.wrong("FeatureGroupName",
                           "\"" + name + "\" may have letters, digits, '-' and '_' between them, at most 64");
  MR_DO(check_tags(call.arguments));
  MR_TRY(description, arguments.text_or("Description", ""));
  if (description.size() > 128) return arguments.wrong("Description", "has more than 128 characters");
  MR_TRY(features, read_features(call.arguments, "FeatureDefinitions"));
  if (features.empty()) return arguments.wrong("FeatureDefinitions", "needs at least one feature");
  MR_DO(check_key_features(arguments, features));
  bool online = false;
  MR_DO(check_online(arguments, online));
  if (!online && !arguments.has("OfflineStoreConfig"))
    return invalid(
        "Validation Error: a feature group needs an OnlineStoreConfig with EnableOnlineStore, an "
        "OfflineStoreConfig or both");
  const std::int64_t now = to_millis(call.context.clock().now());
  const std::string uid = name + "-" + std::to_string(now);
  Json record = {{"FeatureGroupName", name}, {"FeatureGroupArn", entity_arn(kFeatureGroup, name)}};
  for (const auto& [member, value] : call.arguments.items())
    if (!value.is_null()) record[member] = value;
  if (arguments.has("OfflineStoreConfig")) {
    const LambdaPlace nowhere;
    MR_TRY(offline, offline_config(arguments, uid, call.place ? *call.place : nowhere));
    record["OfflineStoreConfig"] = std::move(offline);
    record["OfflineStoreStatus"] = {{"Status", "Active"}};
  }
  record["FeatureGroupStatus"] = "Created";
  record["CreationTime"] = now;
  record["LastModifiedTime"] = now;
  record[kNotes] = {{"Key", call.key}, {"Request", call.arguments}, {"Uid", uid}};
  keep_tags(call.arguments, record);
  return record;
}

Outcome in_use(const std::string& name) {
  return sagemaker_failure("ResourceInUseException", "Resource Already Exists: FeatureGroup with name " +
                                                         name + " already exists. Choose a different name.");
}

Result<Json> feature_group_page(const TaskCall& call) {
  const Arguments arguments(call.arguments);
  MR_TRY(filter, ListFilter::read(kFeatureGroup, arguments));
  MR_TRY(status, arguments.text_or("FeatureGroupStatusEquals", ""));
  MR_TRY(offline, arguments.text_or("OfflineStoreStatusEquals", ""));
  MR_TRY(records, call.context.jobs().records(kFeatureGroup.kind, {}, kListedMax));
  std::erase_if(records, [&](const Jobs::Record& record) {
    return !filter.fits(record.document) ||
           (!status.empty() && text_in(record.document, "FeatureGroupStatus") != status) ||
           (!offline.empty() && text_at(record.document, {"OfflineStoreStatus", "Status"}) != offline);
  });
  const std::vector<SortKey> keys = {{"CreationTime", "CreationTime"},
                                     {"Name", "FeatureGroupName"},
                                     {"FeatureGroupStatus", "FeatureGroupStatus"},
                                     {"OfflineStoreStatus", "OfflineStoreStatus"}};
  MR_TRY(page,
         page_of(std::move(records), arguments, keys, [](const Json& record, const std::string& member) {
           if (member == "OfflineStoreStatus") return Json(text_at(record, {"OfflineStoreStatus", "Status"}));
           return record.value(member, Json());
         }));
  return page_answer(kFeatureGroup.list_field, page, [](const Json& record) {
    Json summary = Json::object();
    for (const char* member :
         {"FeatureGroupName", "FeatureGroupArn", "CreationTime", "FeatureGroupStatus", "OfflineStoreStatus"})
      if (record.contains(member)) summary[member] = record[member];
    return summary;
  });
}

// Adds features behind those there are.
Status add_features(const Json& request, Json& record, std::int64_t now) {
  const Arguments arguments(request);
  MR_TRY(additions, read_features(request, "FeatureAdditions"));
  if (additions.size() > kAdditionsMax)
    return arguments.wrong("FeatureAdditions", "has more than 100 features");
  Json definitions = record["FeatureDefinitions"];
  for (const Json& definition : request["FeatureAdditions"]) {
    definitions.push_back(definition);
    record[kNotes][kMetadata][text_in(definition, "FeatureName")]["CreationTime"] = now;
  }
  Json extended = {{"FeatureDefinitions", std::move(definitions)}};
  MR_DO(read_features(extended, "FeatureDefinitions"));
  record["FeatureDefinitions"] = std::move(extended["FeatureDefinitions"]);
  return {};
}

Status change_online(const Arguments& arguments, Json& record) {
  MR_TRY(online, arguments.object("OnlineStoreConfig"));
  if (!online.has("TtlDuration")) return online.wrong("TtlDuration", "is what can be changed");
  MR_DO(read_ttl(online.json()["TtlDuration"]));
  if (!record.value("OnlineStoreConfig", Json::object()).value("EnableOnlineStore", false))
    return invalid(
        "Validation Error: the feature group has no OnlineStore, so that its records don't expire");
  record["OnlineStoreConfig"]["TtlDuration"] = online.json()["TtlDuration"];
  return {};
}

Status change_group(const TaskCall& call, Json& record) {
  const Arguments arguments(call.arguments);
  const std::int64_t now = to_millis(call.context.clock().now());
  if (arguments.has("FeatureAdditions")) MR_DO(add_features(call.arguments, record, now));
  if (arguments.has("OnlineStoreConfig")) MR_DO(change_online(arguments, record));
  if (arguments.has("ThroughputConfig")) record["ThroughputConfig"] = call.arguments["ThroughputConfig"];
  record["LastModifiedTime"] = now;
  record["LastUpdateStatus"] = {{"Status", "Successful"}};
  return {};
}

// Changes the record of the group that the request names.
template <class Change>
Result<Json> change_named_group(const TaskCall& call, Change change) {
  MR_TRY(name, Arguments(call.arguments).text("FeatureGroupName"));
  return call.context.jobs().modify(kFeatureGroup.kind, name_of(kFeatureGroup, name), change);
}

Status no_feature(const Json& record, const std::string& feature) {
  return fail(ErrorCode::NotFound, "Resource Not Found: FeatureGroup " + text_in(record, "FeatureGroupName") +
                                       " has no feature with name " + feature);
}

bool has_feature(const Json& record, const std::string& feature) {
  const Json& definitions = record.at("FeatureDefinitions");
  return std::any_of(definitions.begin(), definitions.end(),
                     [&](const Json& one) { return text_in(one, "FeatureName") == feature; });
}

Status change_parameters(const Arguments& arguments, Json& metadata) {
  MR_TRY(additions, arguments.list("ParameterAdditions"));
  MR_TRY(removals, arguments.texts("ParameterRemovals"));
  Json kept = Json::array();
  const auto removed = [&](const std::string& key) {
    return std::find(removals.begin(), removals.end(), key) != removals.end();
  };
  for (const Json& parameter : metadata.value("Parameters", Json::array())) {
    const std::string key = text_in(parameter, "Key");
    const bool again = std::any_of(additions.begin(), additions.end(),
                                   [&](const Arguments& one) { return text_in(one.json(), "Key") == key; });
    if (!removed(key) && !again) kept.push_back(parameter);
  }
  for (const Arguments& addition : additions) {
    MR_TRY(key, addition.text("Key"));
    MR_TRY(value, addition.text("Value"));
    kept.push_back({{"Key", key}, {"Value", value}});
  }
  if (kept.size() > kParametersMax)
    return fail(ErrorCode::LimitExceeded, "a feature has at most 25 parameters", "remove some first");
  metadata["Parameters"] = std::move(kept);
  return {};
}

}  // namespace

Outcome create_feature_group(TaskCall& call) {
  const auto name = Arguments(call.arguments).text("FeatureGroupName");
  if (!name) return sagemaker_failure(name.error());
  const auto record = new_group(call, *name);
  if (!record) return sagemaker_failure(record.error());
  const Status created = call.context.jobs().create(kFeatureGroup.kind, *name, *record);
  if (created) return arn_answer(kFeatureGroup, *name);
  if (created.error().code != ErrorCode::AlreadyExists) return sagemaker_failure(created.error());
  const auto there = call.context.jobs().find(kFeatureGroup.kind, *name);
  const bool mine = there && !call.key.empty() && text_in(there->at(kNotes), "Key") == call.key &&
                    there->at(kNotes).value("Request", Json()) == call.arguments;
  return mine ? Outcome(arn_answer(kFeatureGroup, *name)) : in_use(*name);
}

Outcome list_feature_groups(TaskCall& call) {
  const auto answer = feature_group_page(call);
  if (!answer) return sagemaker_failure(answer.error());
  return to_payload(*answer);
}

Outcome update_feature_group(TaskCall& call) {
  const auto record = change_named_group(call, [&](Json& r) -> Status { return change_group(call, r); });
  if (!record) return entity_failure(kFeatureGroup, record.error());
  return arn_answer(kFeatureGroup, text_in(*record, "FeatureGroupName"));
}

std::vector<Json> feature_metadata(const Json& record) {
  std::vector<Json> documents;
  const Json notes = record.value(kNotes, Json::object()).value(kMetadata, Json::object());
  for (const Json& definition : record.value("FeatureDefinitions", Json::array())) {
    const std::string name = text_in(definition, "FeatureName");
    Json document = {{"FeatureGroupArn", record.value("FeatureGroupArn", Json())},
                     {"FeatureGroupName", record.value("FeatureGroupName", Json())},
                     {"FeatureName", name},
                     {"FeatureType", definition.value("FeatureType", Json())},
                     {"CreationTime", record.value("CreationTime", Json())},
                     {"LastModifiedTime", record.value("CreationTime", Json())}};
    const Json noted = notes.value(name, Json::object());
    if (noted.contains("CreationTime")) document["LastModifiedTime"] = noted["CreationTime"];
    document.update(noted);
    documents.push_back(std::move(document));
  }
  return documents;
}

Outcome describe_feature_metadata(TaskCall& call) {
  const Arguments arguments(call.arguments);
  const auto name = arguments.text("FeatureGroupName"), feature = arguments.text("FeatureName");
  if (!name) return sagemaker_failure(name.error());
  if (!feature) return sagemaker_failure(feature.error());
  const auto record = call.context.jobs().find(kFeatureGroup.kind, name_of(kFeatureGroup, *name));
  if (!record) return entity_failure(kFeatureGroup, record.error());
  for (const Json& document : feature_metadata(*record))
    if (text_in(document, "FeatureName") == *feature) return to_payload(document);
  return entity_failure(kFeatureGroup, no_feature(*record, *feature).error());
}

Outcome update_feature_metadata(TaskCall& call) {
  const Arguments arguments(call.arguments);
  const auto feature = arguments.text("FeatureName");
  if (!feature) return sagemaker_failure(feature.error());
  const auto record = change_named_group(call, [&](Json& r) -> Status {
    if (!has_feature(r, *feature)) return no_feature(r, *feature);
    Json& metadata = r[kNotes][kMetadata][*feature];
    if (metadata.is_null()) metadata = Json::object();
    MR_TRY(description, arguments.text_or("Description", ""));
    if (description.size() > 255) return arguments.wrong("Description", "has more than 255 characters");
    if (arguments.has("Description")) metadata["Description"] = std::move(description);
    MR_DO(change_parameters(arguments, metadata));
    metadata["LastModifiedTime"] = to_millis(call.context.clock().now());
    return {};
  });
  if (!record) return entity_failure(kFeatureGroup, record.error());
  return Payload::empty_object();
}

}  // namespace millrace::tasks
