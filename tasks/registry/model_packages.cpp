#include "tasks/registry/model_packages.h"

#include <nlohmann/json.hpp>

#include "base/time.h"
#include "tasks/arguments.h"
#include "tasks/jobs/entities.h"
#include "tasks/registry/package_aliases.h"
#include "tasks/steps/step_record.h"

namespace millrace::tasks {
namespace {

constexpr std::size_t kMetadataMax = 50, kMetadataKeyMax = 128, kMetadataValueMax = 256;
constexpr std::string_view kApprovals = "PendingManualApproval|Approved|Rejected";

Result<std::map<std::string, std::string>> customer_metadata(const Arguments& arguments) {
  MR_TRY(metadata, arguments.text_map("CustomerMetadataProperties"));
  if (metadata.size() > kMetadataMax)
    return arguments.wrong("CustomerMetadataProperties", "has more than 50 entries");
  for (const auto& [key, value] : metadata)
    if (key.empty() || key.size() > kMetadataKeyMax || value.size() > kMetadataValueMax)
      return arguments.wrong(
          "CustomerMetadataProperties",
          "\"" + key.substr(0, 40) + "\": a name has 1 to 128 characters, a value at most 256");
  return metadata;
}

Json approval_entry(const std::string& status, const std::string& why, const TaskCall& call) {
  Json entry = {{"Status", status}, {"Time", to_millis(call.context.clock().now())}};
  if (!call.caller.empty()) entry["By"] = call.caller;
  if (!why.empty()) entry["Description"] = why;
  return entry;
}

Json group_record(const std::string& name, const TaskCall& call) {
  Json record = {{"ModelPackageGroupName", name},
                 {"ModelPackageGroupArn", entity_arn(kModelPackageGroup, name)},
                 {"ModelPackageGroupStatus", "Completed"},
                 {"CreationTime", to_millis(call.context.clock().now())}};
  record[kNotes] = Json::object();
  return record;
}

// The number of the version this token stands for; a new one when the token is new or empty.
Result<std::int64_t> version_for(const std::string& group, const std::string& token, TaskCall& call) {
  Jobs& jobs = call.context.jobs();
  const Status made = jobs.create(kModelPackageGroup.kind, group, group_record(group, call));
  if (!made && made.error().code != ErrorCode::AlreadyExists) return fail(made.error());
  std::int64_t version = 0;
  MR_DO(jobs.modify(kModelPackageGroup.kind, group, [&](Json& record) -> Status {
    Json& notes = record[kNotes];
    if (!token.empty() && notes.value("Tokens", Json::object()).contains(token)) {
      version = notes["Tokens"][token].get<std::int64_t>();
      return {};
    }
    version = notes.value("LastVersion", std::int64_t{0}) + 1;
    notes["LastVersion"] = version;
    if (!token.empty()) notes["Tokens"][token] = version;
    return {};
  }));
  return version;
}

// What the request says, checked, as the fields of the record.
Result<Json> package_fields(const Arguments& arguments, const TaskCall& call) {
  MR_TRY(approval, arguments.text_or("ModelApprovalStatus", "PendingManualApproval"));
  MR_DO(arguments.one_of("ModelApprovalStatus", approval, kApprovals));
  MR_TRY(why, arguments.text_or("ApprovalDescription", ""));
  MR_TRY(inference, arguments.object_or_empty("InferenceSpecification"));
  MR_TRY(containers, inference.list("Containers"));
  for (const Arguments& container : containers) {
    MR_TRY(uri, container.text_or("ModelDataUrl", ""));
    if (!uri.empty() && uri.rfind("s3://", 0) != 0)
      return container.wrong("ModelDataUrl", "expected s3://bucket/key, got " + uri);
  }
  MR_DO(customer_metadata(arguments));
  MR_TRY(metrics, arguments.object_or_empty("ModelMetrics"));
  Json fields = arguments.json();
  fields.erase("ClientToken");
  fields["ModelApprovalStatus"] = approval;
  fields["ModelPackageStatus"] = "Completed";
  fields["ApprovalHistory"] = Json::array({approval_entry(approval, why, call)});
  return fields;
}

// Models and reports that the request names, wherever in it.
void collect_named_places(const Json& value, std::vector<std::string>& uris) {
  for (const char* member : {"ModelDataUrl", "S3Uri"}) {
    const std::string uri = value.is_object() ? text_at(value, {member}) : "";
    if (uri.starts_with("s3://")) uris.push_back(uri);
  }
  if (value.is_object() || value.is_array())
    for (const Json& member : value) collect_named_places(member, uris);
}

struct NewPackage {
  std::string name;
  Json fields;
};

Result<NewPackage> new_package(TaskCall& call) {
  const Arguments arguments(call.arguments);
  MR_TRY(fields, package_fields(arguments, call));
  MR_TRY(group_given, arguments.text_or("ModelPackageGroupName", ""));
  if (group_given.empty()) {
    MR_TRY(name, arguments.text("ModelPackageName"));
    MR_DO(check_name("ModelPackageName", name));
    return NewPackage{name, std::move(fields)};
  }
  const std::string group = name_of(kModelPackageGroup, group_given);
  MR_DO(check_name("ModelPackageGroupName", group));
  MR_TRY(client_token, arguments.text_or("ClientToken", ""));
  // The attempt comes first: a ClientToken made by $uuid() is another one each time the arguments are
  // evaluated.
  const std::string token = !call.key.empty()      ? "attempt:" + call.key
                            : client_token.empty() ? ""
                                                   : "client:" + client_token;
  MR_TRY(version, version_for(group, token, call));
  fields["ModelPackageGroupName"] = group;
  fields["ModelPackageVersion"] = version;
  return NewPackage{group + "/" + std::to_string(version), std::move(fields)};
}

Status apply_update(const Arguments& arguments, const TaskCall& call, Json& record) {
  MR_TRY(approval, arguments.text_or("ModelApprovalStatus", ""));
  MR_TRY(why, arguments.text_or("ApprovalDescription", ""));
  MR_TRY(metadata, customer_metadata(arguments));
  MR_TRY(removed, arguments.texts("CustomerMetadataPropertiesToRemove"));
  // The same attempt again, after a crash: it is in the record already.
  if (!call.key.empty() && text_at(record, {kNotes, "UpdateKey"}) == call.key) return {};
  record[kNotes]["UpdateKey"] = call.key;
  if (!approval.empty()) {
    MR_DO(arguments.one_of("ModelApprovalStatus", approval, kApprovals));
    record["ModelApprovalStatus"] = approval;
    record["ApprovalHistory"].push_back(approval_entry(approval, why, call));
  }
  if (!why.empty()) record["ApprovalDescription"] = why;
  for (const auto& [key, value] : metadata) record["CustomerMetadataProperties"][key] = value;
  if (record.value("CustomerMetadataProperties", Json::object()).size() > kMetadataMax)
    return arguments.wrong("CustomerMetadataProperties", "would have more than 50 entries");
  for (const std::string& key : removed)
    if (record.contains("CustomerMetadataProperties")) record["CustomerMetadataProperties"].erase(key);
  if (!call.caller.empty()) record["LastModifiedBy"] = {{"UserProfileName", call.caller}};
  record["LastModifiedTime"] = to_millis(call.context.clock().now());
  return {};
}

Result<Json> updated_package(TaskCall& call) {
  const Arguments arguments(call.arguments);
  MR_TRY(arn, arguments.text("ModelPackageArn"));
  MR_TRY(name, package_name(call.context.jobs(), arn));
  return call.context.jobs().modify(kModelPackage.kind, name,
                                    [&](Json& record) { return apply_update(arguments, call, record); });
}

Status remove_group(TaskCall& call) {
  MR_TRY(given, Arguments(call.arguments).text("ModelPackageGroupName"));
  const std::string group = name_of(kModelPackageGroup, given);
  MR_TRY(versions, call.context.jobs().list(kModelPackage.kind, group + "/", 1));
  if (!versions.empty())
    return fail(ErrorCode::Conflict, "model package group \"" + group + "\" has model packages",
                "delete them first");
  return call.context.jobs().remove(kModelPackageGroup.kind, group);
}

// What an alias stands for is not deleted under it.
Status remove_package(TaskCall& call) {
  MR_TRY(given, Arguments(call.arguments).text("ModelPackageName"));
  Jobs& jobs = call.context.jobs();
  MR_TRY(name, package_name(jobs, given));
  const auto aliases = aliases_of(jobs, name);
  if (!aliases.empty())
    return fail(
        ErrorCode::Conflict, "model package \"" + name + "\" has the alias \"" + aliases.front() + "\"",
        "move it to another version, or delete the group's tag " + std::string(kAliasTag) + aliases.front());
  return jobs.remove(kModelPackage.kind, name);
}

Result<Json> package_document(TaskCall& call) {
  MR_TRY(given, Arguments(call.arguments).text("ModelPackageName"));
  MR_TRY(name, package_name(call.context.jobs(), given));
  MR_TRY(record, call.context.jobs().find(kModelPackage.kind, name));
  return described(record);
}

}  // namespace

Outcome describe_model_package(TaskCall& call) {
  const auto document = package_document(call);
  if (!document) return sagemaker_failure(document.error());
  return to_payload(*document);
}

Outcome delete_model_package(TaskCall& call) {
  const Status removed = remove_package(call);
  if (!removed) return sagemaker_failure(removed.error());
  return Payload::empty_object();
}

Outcome create_model_package_group(TaskCall& call) {
  const Arguments arguments(call.arguments);
  const auto name = arguments.text("ModelPackageGroupName");
  if (!name) return sagemaker_failure(name.error());
  Status fine = check_name("ModelPackageGroupName", *name);
  if (fine && arguments.has("Tags"))
    fine = check_alias_tags(call.context.jobs(), *name, call.arguments["Tags"]);
  if (!fine) return sagemaker_failure(fine.error());
  Json fields = arguments.json();
  fields["ModelPackageGroupStatus"] = "Completed";
  return create_entity(kModelPackageGroup, *name, std::move(fields), call);
}

Outcome create_model_package(TaskCall& call) {
  auto package = new_package(call);
  if (!package) return sagemaker_failure(package.error());
  const bool versioned = package->fields.contains("ModelPackageVersion");
  if (call.hashes) {  // for lineage: who made what is registered here
    std::vector<std::string> uris;
    collect_named_places(package->fields, uris);
    package->fields[kNotes] = {{kContents, contents_now(uris, {call.context.objects(), *call.hashes, {}})}};
  }
  Outcome made = create_entity(kModelPackage, package->name, std::move(package->fields), call);
  // The number belongs to this attempt or token alone, so a record that is there already is what was asked
  // for.
  if (!made && versioned && call.context.jobs().find(kModelPackage.kind, package->name))
    return arn_answer(kModelPackage, package->name);
  return made;
}

Outcome update_model_package(TaskCall& call) {
  const auto record = updated_package(call);
  if (!record) return sagemaker_failure(record.error());
  return to_payload(Json{{"ModelPackageArn", (*record)["ModelPackageArn"]}});
}

Outcome delete_model_package_group(TaskCall& call) {
  const Status removed = remove_group(call);
  if (!removed) return sagemaker_failure(removed.error());
  return Payload::empty_object();
}

Result<std::string> approved_model_uri(const Jobs& jobs, std::string_view name_or_arn) {
  MR_TRY(name, package_name(jobs, name_or_arn));
  MR_TRY(record, jobs.find(kModelPackage.kind, name));
  const std::string status = record.value("ModelApprovalStatus", "");
  if (status != "Approved")
    return invalid("model package \"" + name + "\" is " + status + "; only Approved packages can be deployed",
                   "approve it: updateModelPackage with ModelApprovalStatus Approved");
  const std::string uri = record.value("/InferenceSpecification/Containers/0/ModelDataUrl"_json_pointer, "");
  if (uri.empty())
    return invalid("model package \"" + name + "\" has no InferenceSpecification.Containers[0].ModelDataUrl");
  return uri;
}

}  // namespace millrace::tasks
