// Artifacts, actions and contexts one by one; see lineage_operations.h.

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/time.h"
#include "tasks/arguments.h"
#include "tasks/jobs/entities.h"
#include "tasks/jobs/listing.h"
#include "tasks/jobs/tags.h"
#include "tasks/lineage/lineage_graph.h"
#include "tasks/lineage/lineage_operations.h"

namespace millrace::tasks {
namespace {

constexpr std::size_t kLineageNameMax = 120, kPropertiesMax = 30, kPropertyMax = 2500;  // characters

LineageType type_of(const EntityKind& kind) {
  return &kind == &kArtifact ? LineageType::Artifact
         : &kind == &kAction ? LineageType::Action
                             : LineageType::Context;
}

// How a request names one: artifacts by their ARN, the others by name.
std::string id_field(const EntityKind& kind) {
  return &kind == &kArtifact ? arn_field(kind) : name_field(kind);
}

Result<std::map<std::string, std::string>> properties_in(const Arguments& arguments) {
  MR_TRY(properties, arguments.text_map("Properties"));
  if (properties.size() > kPropertiesMax) return arguments.wrong("Properties", "has more than 30 entries");
  for (const auto& [key, value] : properties)
    if (key.size() > kPropertyMax || value.size() > kPropertyMax)
      return arguments.wrong("Properties", "names and values have at most 2500 characters");
  return properties;
}

// "sha256:…" of an artifact's SourceTypes, in the form in which this home says it.
std::string sha256_in(const Json& source) {
  constexpr std::string_view kMark = "sha256:";
  for (const Json& type : source.value("SourceTypes", Json::array()))
    if (const std::string value = text_in(type, "Value"); value.starts_with(kMark))
      return value.substr(kMark.size());
  return {};
}

Json source_document(const LineageVertex& v) {
  Json source = {{"SourceUri", v.source_uri}};
  if (v.kind != LineageType::Artifact) {
    if (!v.source_type.empty()) source["SourceType"] = v.source_type;
    return source;
  }
  source["SourceTypes"] = Json::array();
  if (!v.sha256.empty())
    source["SourceTypes"].push_back({{"SourceIdType", "Custom"}, {"Value", "sha256:" + v.sha256}});
  return source;
}

// What Describe… and lists show of one that follows from records.
Json derived_document(const EntityKind& kind, const LineageVertex& v) {
  Json document = {{name_field(kind), v.name},
                   {arn_field(kind), v.arn},
                   {"Source", source_document(v)},
                   {std::string(kind.kind) + "Type", v.type}};
  if (!v.status.empty() && &kind == &kAction) document["Status"] = v.status;
  Json properties = Json::object();
  for (const auto& [key, value] : v.properties) properties[key] = value;
  if (!v.note.empty()) properties["By"] = v.note;
  document["Properties"] = std::move(properties);
  document["CreationTime"] = v.created_ms;
  document["LastModifiedTime"] = v.modified_ms;
  return document;
}

// A record's name: of an artifact what follows in its ARN.
Result<std::string> record_name(const EntityKind& kind, const Arguments& arguments) {
  MR_TRY(id, arguments.text(id_field(kind)));
  return name_of(kind, id);
}

Result<Json> make_entity(const EntityKind& kind, TaskCall& call) {
  const Arguments arguments(call.arguments);
  MR_DO(check_tags(call.arguments));
  MR_TRY(source, arguments.object("Source"));
  MR_TRY(uri, source.text("SourceUri"));
  MR_TRY(type, arguments.text(std::string(kind.kind) + "Type"));
  MR_TRY(properties, properties_in(arguments));
  Json record = Json::object();
  std::string name;
  if (&kind == &kArtifact) {
    MR_TRY(artifact_name, arguments.text_or("ArtifactName", ""));
    const std::string arn = artifact_arn(uri, sha256_in(source.json()));
    name = name_of(kind, arn);
    if (!artifact_name.empty()) record["ArtifactName"] = artifact_name;
  } else {
    MR_TRY(given, arguments.text(name_field(kind)));
    MR_DO(check_name(name_field(kind), given, kLineageNameMax));
    name = given;
    record[name_field(kind)] = name;
  }
  record[arn_field(kind)] = entity_arn(kind, name);
  record["Source"] = source.json();
  record[std::string(kind.kind) + "Type"] = type;
  for (const char* member : {"Description", "Status", "MetadataProperties"})
    if (arguments.has(member)) record[member] = call.arguments[member];
  record["Properties"] = properties;
  const std::int64_t now = to_millis(call.context.clock().now());
  record["CreationTime"] = now;
  record["LastModifiedTime"] = now;
  record[kNotes] = {{"Key", call.key}};
  keep_tags(call.arguments, record);
  const Status created = call.context.jobs().create(kind.kind, name, record);
  const Json answer = {{arn_field(kind), record[arn_field(kind)]}};
  if (created) return answer;
  if (created.error().code != ErrorCode::AlreadyExists) return fail(created.error());
  MR_TRY(there, call.context.jobs().find(kind.kind, name));
  if (!call.key.empty() && text_at(there, {kNotes, "Key"}) == call.key) return answer;
  return invalid("Cannot create already existing " + std::string(kind.arn_type) + " \"" +
                 record[arn_field(kind)].get<std::string>() + "\".");
}

Result<Json> found_one(const EntityKind& kind, const TaskCall& call) {
  MR_TRY(name, record_name(kind, Arguments(call.arguments)));
  const auto stored = call.context.jobs().find(kind.kind, name);
  if (stored) return described(*stored);
  if (stored.error().code != ErrorCode::NotFound) return stored;
  MR_TRY(graph, build_lineage(call.context.jobs()));
  const LineageVertex* v = graph.find(entity_arn(kind, name));
  if (!v) return fail(stored.error());
  return derived_document(kind, *v);
}

Result<Json> list_lineage(const EntityKind& kind, const TaskCall& call) {
  const Arguments arguments(call.arguments);
  const std::string type_field = std::string(kind.kind) + "Type";
  MR_TRY(source, arguments.text_or("SourceUri", ""));
  MR_TRY(type, arguments.text_or(type_field, ""));
  MR_TRY(filter, ListFilter::read(kind, arguments));
  MR_TRY(graph, build_lineage(call.context.jobs()));
  std::vector<Jobs::Record> hits;
  std::int64_t number = 0;
  for (const LineageVertex& v : graph.vertices()) {
    ++number;
    if (v.kind != type_of(kind)) continue;
    if ((!source.empty() && plain_uri(v.source_uri) != plain_uri(source)) ||
        (!type.empty() && v.type != type))
      continue;
    Json summary = derived_document(kind, v);
    summary.erase("Properties");
    if (filter.fits(summary)) hits.push_back({number, std::move(summary)});
  }
  std::vector<SortKey> keys = {{"CreationTime", "CreationTime"}};
  if (&kind != &kArtifact) keys.push_back({"Name", name_field(kind)});
  MR_TRY(page, page_of(std::move(hits), arguments, keys));
  return page_answer(kind.list_field, page, [](const Json& summary) { return summary; });
}

// NotFound says of one that follows from records why it can't be changed.
Result<std::string> stored_name(const EntityKind& kind, const TaskCall& call) {
  MR_TRY(name, record_name(kind, Arguments(call.arguments)));
  const auto stored = call.context.jobs().find(kind.kind, name);
  if (stored) return name;
  if (stored.error().code != ErrorCode::NotFound) return fail(stored.error());
  MR_TRY(graph, build_lineage(call.context.jobs()));
  if (!graph.find(entity_arn(kind, name))) return fail(stored.error());
  return invalid(entity_arn(kind, name) + " follows from the records of jobs and models",
                 "only what was made by Create" + std::string(kind.kind) + " can be changed or deleted");
}

Result<Json> change_entity(const EntityKind& kind, const TaskCall& call) {
  const Arguments arguments(call.arguments);
  MR_TRY(name, stored_name(kind, call));
  MR_TRY(properties, properties_in(arguments));
  MR_TRY(removed, arguments.texts("PropertiesToRemove"));
  MR_TRY(record, call.context.jobs().modify(kind.kind, name, [&](Json& r) -> Status {
    for (const char* member : {"ArtifactName", "Description", "Status"})
      if (arguments.has(member) && (std::string_view(member) != "ArtifactName" || &kind == &kArtifact))
        r[member] = call.arguments[member];
    for (const auto& [key, value] : properties) r["Properties"][key] = value;
    for (const std::string& key : removed) r["Properties"].erase(key);
    r["LastModifiedTime"] = to_millis(call.context.clock().now());
    return {};
  }));
  return Json{{arn_field(kind), record.at(arn_field(kind))}};
}

Result<Json> deleted_one(const EntityKind& kind, const TaskCall& call) {
  Json named = call.arguments;
  // DeleteArtifact takes the source instead, too.
  if (&kind == &kArtifact && !Arguments(named).has("ArtifactArn")) {
    const Arguments arguments(call.arguments);
    MR_TRY(source, arguments.object("Source"));
    MR_TRY(uri, source.text("SourceUri"));
    named["ArtifactArn"] = artifact_arn(uri, sha256_in(source.json()));
  }
  const TaskCall with_id{named, call.context};
  MR_TRY(name, stored_name(kind, with_id));
  const std::string arn = entity_arn(kind, name);
  MR_TRY(associations, call.context.jobs().list(kAssociationKind, {}, kLineageRecordsMax));
  for (const Json& association : associations)
    if (text_in(association, "SourceArn") == arn || text_in(association, "DestinationArn") == arn)
      return invalid(arn + " has associations", "delete them first: DeleteAssociation");
  MR_DO(call.context.jobs().remove(kind.kind, name));
  return Json{{arn_field(kind), arn}};
}

Outcome entity_outcome(const EntityKind& kind, const Result<Json>& answer) {
  if (!answer) return entity_failure(kind, answer.error());
  return to_payload(*answer);
}

}  // namespace

Outcome create_artifact(TaskCall& call) {
  return entity_outcome(kArtifact, make_entity(kArtifact, call));
}
Outcome create_action(TaskCall& call) {
  return entity_outcome(kAction, make_entity(kAction, call));
}
Outcome create_context(TaskCall& call) {
  return entity_outcome(kContext, make_entity(kContext, call));
}
Outcome describe_artifact(TaskCall& call) {
  return entity_outcome(kArtifact, found_one(kArtifact, call));
}
Outcome describe_action(TaskCall& call) {
  return entity_outcome(kAction, found_one(kAction, call));
}
Outcome describe_context(TaskCall& call) {
  return entity_outcome(kContext, found_one(kContext, call));
}
Outcome list_artifacts(TaskCall& call) {
  return entity_outcome(kArtifact, list_lineage(kArtifact, call));
}
Outcome list_actions(TaskCall& call) {
  return entity_outcome(kAction, list_lineage(kAction, call));
}
Outcome list_contexts(TaskCall& call) {
  return entity_outcome(kContext, list_lineage(kContext, call));
}
Outcome update_artifact(TaskCall& call) {
  return entity_outcome(kArtifact, change_entity(kArtifact, call));
}
Outcome update_action(TaskCall& call) {
  return entity_outcome(kAction, change_entity(kAction, call));
}
Outcome update_context(TaskCall& call) {
  return entity_outcome(kContext, change_entity(kContext, call));
}
Outcome delete_artifact(TaskCall& call) {
  return entity_outcome(kArtifact, deleted_one(kArtifact, call));
}
Outcome delete_action(TaskCall& call) {
  return entity_outcome(kAction, deleted_one(kAction, call));
}
Outcome delete_context(TaskCall& call) {
  return entity_outcome(kContext, deleted_one(kContext, call));
}

}  // namespace millrace::tasks
