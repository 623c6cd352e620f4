#include "tasks/jobs/tags.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "tasks/arguments.h"
#include "tasks/registry/package_aliases.h"

namespace millrace::tasks {
namespace {

constexpr std::size_t kTagKeyMax = 128, kTagValueMax = 256;  // characters

struct Tagged {
  const EntityKind* entity;
  std::string name;
};

Result<Tagged> resource_in(const TaskCall& call) {
  const Arguments arguments(call.arguments);
  MR_TRY(arn, arguments.text("ResourceArn"));
  const EntityKind* entity = entity_of_arn(arn);
  if (!entity)
    return arguments.wrong("ResourceArn", "\"" + arn + "\" names no resource that has tags",
                           "e.g. arn:aws:sagemaker:us-east-1:123456789012:training-job/NAME");
  return Tagged{entity, name_of(*entity, arn)};
}

template <class Change>
Result<Json> change_tags(const TaskCall& call, Change change) {
  MR_TRY(resource, resource_in(call));
  return call.context.jobs().modify(resource.entity->kind, resource.name, [&](Json& record) -> Status {
    const Json before = resource.entity == &kModelPackageGroup ? record : Json();
    Json tags = tags_in(record);
    MR_DO(change(tags));
    record.erase("Tags");
    record[kNotes]["Tags"] = std::move(tags);
    if (!before.is_null()) keep_alias_history(before, record, call);
    return {};
  });
}

void set_tag(Json& tags, const Json& tag) {
  for (Json& there : tags)
    if (there.at("Key") == tag.at("Key")) {
      there["Value"] = tag.at("Value");
      return;
    }
  tags.push_back({{"Key", tag.at("Key")}, {"Value", tag.at("Value")}});
}

Result<Json> added(const TaskCall& call) {
  MR_DO(check_tags(call.arguments));
  if (!Arguments(call.arguments).has("Tags")) return Arguments(call.arguments).wrong("Tags", "is required");
  MR_TRY(resource, resource_in(call));
  if (resource.entity == &kModelPackageGroup)
    MR_DO(check_alias_tags(call.context.jobs(), resource.name, call.arguments["Tags"]));
  return change_tags(call, [&](Json& tags) -> Status {
    for (const Json& tag : call.arguments["Tags"]) set_tag(tags, tag);
    if (tags.size() > kTagsMax)
      return fail(ErrorCode::LimitExceeded, "a resource has at most " + std::to_string(kTagsMax) + " tags",
                  "delete some first");
    return {};
  });
}

Result<Json> deleted(const TaskCall& call) {
  MR_TRY(keys, Arguments(call.arguments).texts("TagKeys"));
  if (keys.empty()) return Arguments(call.arguments).wrong("TagKeys", "needs at least one key");
  return change_tags(call, [&](Json& tags) -> Status {
    Json kept = Json::array();
    for (const Json& tag : tags)
      if (std::find(keys.begin(), keys.end(), text_in(tag, "Key")) == keys.end()) kept.push_back(tag);
    tags = std::move(kept);
    return {};
  });
}

}  // namespace

Json tags_in(const Json& record) {
  const Json notes = record.value(kNotes, Json::object());
  const Json tags = notes.contains("Tags") ? notes["Tags"] : record.value("Tags", Json::array());
  return tags.is_array() ? tags : Json::array();
}

Status check_tags(const Json& request) {
  MR_TRY(tags, Arguments(request).list("Tags"));
  if (tags.size() > kTagsMax)
    return Arguments(request).wrong("Tags", "has " + std::to_string(tags.size()) + " tags, at most " +
                                                std::to_string(kTagsMax) + " are allowed");
  std::set<std::string> keys;
  for (const Arguments& tag : tags) {
    MR_TRY(key, tag.text("Key"));
    MR_TRY(value, tag.text_or("Value", ""));
    if (!tag.has("Value")) return tag.wrong("Value", "is required");
    if (key.size() > kTagKeyMax) return tag.wrong("Key", "has more than 128 characters");
    if (value.size() > kTagValueMax) return tag.wrong("Value", "has more than 256 characters");
    if (!keys.insert(key).second) return tag.wrong("Key", "\"" + key + "\" comes twice");
  }
  return {};
}

Outcome add_tags(TaskCall& call) {
  const auto record = added(call);
  if (!record) return sagemaker_failure(record.error());
  return to_payload(Json{{"Tags", tags_in(*record)}});
}

Outcome list_tags(TaskCall& call) {
  const auto resource = resource_in(call);
  if (!resource) return sagemaker_failure(resource.error());
  const auto record = call.context.jobs().find(resource->entity->kind, resource->name);
  if (!record) return entity_failure(*resource->entity, record.error());
  return to_payload(Json{{"Tags", tags_in(*record)}});
}

Outcome delete_tags(TaskCall& call) {
  const auto record = deleted(call);
  if (!record) return sagemaker_failure(record.error());
  return Payload::empty_object();
}

}  // namespace millrace::tasks
