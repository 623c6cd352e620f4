#include "tasks/registry/package_aliases.h"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "base/time.h"
#include "tasks/arguments.h"
#include "tasks/deployment/models.h"
#include "tasks/jobs/entities.h"
#include "tasks/jobs/tags.h"

namespace millrace::tasks {
namespace {

constexpr std::size_t kAliasMax = 63, kAliasHistoryMax = 1000;
constexpr const char *kAliasHistory = "AliasHistory", *kAliasPath = "AliasPath";
constexpr std::size_t kPackagesMax = 100'000;

std::optional<std::int64_t> version_number(std::string_view text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number < 1) return std::nullopt;
  return number;
}

std::string version_name(std::string_view group, std::int64_t version) {
  return std::string(group) + "/" + std::to_string(version);
}

// Alias and version of a tag that is one.
std::optional<std::pair<std::string, std::string>> alias_tag(const Json& tag) {
  const std::string key = text_in(tag, "Key");
  if (!key.starts_with(kAliasTag)) return std::nullopt;
  return std::pair(key.substr(kAliasTag.size()), text_in(tag, "Value"));
}

void set_alias(Json& group, const std::string& alias, std::int64_t version) {
  Json tags = tags_in(group);
  const std::string key = std::string(kAliasTag) + alias;
  bool there = false;
  for (Json& tag : tags)
    if (text_in(tag, "Key") == key) tag["Value"] = std::to_string(version), there = true;
  if (!there) tags.push_back({{"Key", key}, {"Value", std::to_string(version)}});
  group.erase("Tags");
  group[kNotes]["Tags"] = std::move(tags);
}

void note_move(Json& group, const std::string& alias, std::int64_t from, std::int64_t to,
               const TaskCall& call) {
  Json& history = group[kNotes][kAliasHistory];
  if (!history.is_array()) history = Json::array();
  Json entry = {{"Alias", alias}, {"Time", to_millis(call.context.clock().now())}};
  if (from > 0) entry["From"] = from;
  if (to > 0) entry["To"] = to;
  if (!call.caller.empty()) entry["By"] = call.caller;
  if (!call.key.empty()) entry["Key"] = call.key;
  history.push_back(std::move(entry));
  if (history.size() > kAliasHistoryMax) history.erase(history.begin());
}

// By version: whether it is Approved.
Result<std::map<std::int64_t, bool>> approvals_of(const Jobs& jobs, const std::string& group) {
  MR_TRY(packages, jobs.list(kModelPackage.kind, group + "/", kPackagesMax));
  std::map<std::int64_t, bool> approvals;
  for (const Json& package : packages)
    approvals[package.value("ModelPackageVersion", std::int64_t{0})] =
        text_in(package, "ModelApprovalStatus") == "Approved";
  return approvals;
}

struct Rollback {
  std::string group, alias, endpoint, config;
};

// The endpoint must serve GROUP@ALIAS: else it would not follow.
Result<std::string> config_to_update(const Jobs& jobs, const Rollback& rollback) {
  MR_TRY(endpoint, jobs.find(kEndpoint.kind, rollback.endpoint));
  const std::string wanted = rollback.group + "@" + rollback.alias;
  for (const Json& variant : endpoint.value("ProductionVariants", Json::array())) {
    const auto model = jobs.find(kModel.kind, text_in(variant, "ModelName"));
    if (!model) continue;
    Json containers = model->value("Containers", Json::array());
    if (model->contains("PrimaryContainer")) containers.push_back((*model)["PrimaryContainer"]);
    for (const Json& container : containers)
      if (name_of(kModelPackage, text_in(container, "ModelPackageName")) == wanted)
        return text_in(endpoint, "EndpointConfigName");
  }
  return invalid("no model of endpoint \"" + rollback.endpoint + "\" refers to " + wanted,
                 "create a model with ModelPackageName " + wanted + " and update the endpoint to it once");
}

// The version to go back to: what the alias had before, else the highest below; Approved in any case.
Result<std::int64_t> version_before(Json& group, const std::string& alias, std::int64_t now,
                                    const std::map<std::int64_t, bool>& approvals) {
  const auto approved = [&](std::int64_t version) {
    const auto found = approvals.find(version);
    return found != approvals.end() && found->second;
  };
  Json& path = group[kNotes][kAliasPath][alias];
  if (!path.is_array()) path = Json::array();
  while (!path.empty()) {
    const auto version = path.back().get<std::int64_t>();
    if (version != now && approved(version)) return version;
    path.erase(path.end() - 1);
  }
  for (auto version = approvals.rbegin(); version != approvals.rend(); ++version)
    if (version->first < now && version->second) {
      path.push_back(version->first);
      return version->first;
    }
  return invalid("there is no approved version before " + std::to_string(now) + " to go back to",
                 "approve one, or name it: AddTags " + std::string(kAliasTag) + alias);
}

Result<Json> rolled_back(TaskCall& call) {
  const Arguments arguments(call.arguments);
  Rollback rollback;
  MR_TRY(group, arguments.text("ModelPackageGroupName"));
  MR_TRY(alias, arguments.text_or("Alias", "champion"));
  MR_TRY(endpoint, arguments.text_or("EndpointName", ""));
  rollback.group = name_of(kModelPackageGroup, group);
  rollback.alias = alias, rollback.endpoint = endpoint;
  Jobs& jobs = call.context.jobs();
  if (!endpoint.empty()) {
    MR_TRY(config, config_to_update(jobs, rollback));
    rollback.config = std::move(config);
  }
  MR_TRY(approvals, approvals_of(jobs, rollback.group));
  std::int64_t from = 0, to = 0;
  MR_DO(jobs.modify(kModelPackageGroup.kind, rollback.group, [&](Json& record) -> Status {
    const auto aliases = aliases_in(record);
    const auto now = aliases.find(alias);
    if (now == aliases.end())
      return fail(ErrorCode::NotFound, "group \"" + rollback.group + "\" has no alias \"" + alias + "\"");
    // Dispatched again after a crash: it has moved already.
    const Json history = record[kNotes].value(kAliasHistory, Json::array());
    if (!call.key.empty() && !history.empty() && text_in(history.back(), "Key") == call.key) {
      from = history.back().value("From", std::int64_t{0});
      to = history.back().value("To", std::int64_t{0});
      return {};
    }
    from = now->second;
    MR_TRY(version, version_before(record, alias, from, approvals));
    to = version;
    set_alias(record, alias, to);
    note_move(record, alias, from, to, call);
    return {};
  }));
  Json answer = {{"ModelPackageGroupName", rollback.group},
                 {"Alias", alias},
                 {"PreviousVersion", from},
                 {"ModelPackageVersion", to},
                 {"ModelPackageArn", entity_arn(kModelPackage, version_name(rollback.group, to))}};
  if (endpoint.empty()) return answer;
  const Json request = {{"EndpointName", endpoint}, {"EndpointConfigName", rollback.config}};
  TaskCall update{request, call.context};
  update.key = call.key, update.caller = call.caller;
  update.endpoints = call.endpoints;
  const Outcome updated = update_endpoint(update);
  if (!updated)
    return fail(ErrorCode::Unavailable,
                "the alias moved, but the endpoint was not updated: " + updated.error().cause);
  answer["EndpointArn"] = entity_arn(kEndpoint, endpoint);
  return answer;
}

}  // namespace

std::map<std::string, std::int64_t> aliases_in(const Json& group) {
  std::map<std::string, std::int64_t> aliases;
  for (const Json& tag : tags_in(group))
    if (const auto alias = alias_tag(tag))
      if (const auto version = version_number(alias->second)) aliases[alias->first] = *version;
  return aliases;
}

std::vector<std::string> aliases_of(const Jobs& jobs, std::string_view package) {
  const std::size_t slash = package.rfind('/');
  const auto version = version_number(slash == std::string_view::npos ? "" : package.substr(slash + 1));
  const auto group = jobs.find(kModelPackageGroup.kind, package.substr(0, slash));
  std::vector<std::string> names;
  if (!version || !group) return names;
  for (const auto& [alias, at] : aliases_in(*group))
    if (at == *version) names.push_back(alias);
  return names;
}

Result<std::string> package_name(const Jobs& jobs, std::string_view name_or_arn) {
  const std::string name = name_of(kModelPackage, name_or_arn);
  const std::size_t at = name.find('@');
  if (at == std::string::npos) return name;
  const std::string group = name.substr(0, at), alias = name.substr(at + 1);
  MR_TRY(record, jobs.find(kModelPackageGroup.kind, group));
  const auto aliases = aliases_in(record);
  const auto found = aliases.find(alias);
  if (found != aliases.end()) return version_name(group, found->second);
  std::string known;
  for (const auto& [other, version] : aliases) known += (known.empty() ? "" : ", ") + other;
  return fail(ErrorCode::NotFound, "model package group \"" + group + "\" has no alias \"" + alias + "\"",
              known.empty() ? "it has none" : "it has " + known);
}

Status check_alias_tags(const Jobs& jobs, std::string_view group, const Json& tags) {
  for (const Json& tag : tags) {
    const auto alias = alias_tag(tag);
    if (!alias) continue;
    MR_DO(check_name("alias", alias->first, kAliasMax));
    const auto version = version_number(alias->second);
    if (!version)
      return invalid(text_in(tag, "Key") + ": \"" + alias->second + "\" is no version: expected 1, 2, …");
    const auto package = jobs.find(kModelPackage.kind, version_name(group, *version));
    if (!package) return fail(package.error());
  }
  return {};
}

void keep_alias_history(const Json& before, Json& group, const TaskCall& call) {
  const auto old_aliases = aliases_in(before), new_aliases = aliases_in(group);
  for (const auto& [alias, version] : new_aliases) {
    const auto was = old_aliases.find(alias);
    if (was != old_aliases.end() && was->second == version) continue;
    note_move(group, alias, was == old_aliases.end() ? 0 : was->second, version, call);
    Json& path = group[kNotes][kAliasPath][alias];
    if (!path.is_array()) path = Json::array();
    path.push_back(version);
    if (path.size() > kAliasHistoryMax) path.erase(path.begin());
  }
  for (const auto& [alias, version] : old_aliases)
    if (!new_aliases.contains(alias)) note_move(group, alias, version, 0, call);
}

Outcome rollback_model_package_group(TaskCall& call) {
  const auto answer = rolled_back(call);
  if (!answer) return sagemaker_failure(answer.error());
  return to_payload(*answer);
}

}  // namespace millrace::tasks
