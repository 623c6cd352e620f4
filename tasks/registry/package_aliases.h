#pragma once
// Aliases of model versions: names of one's own in a group ("champion"), each for one version. An alias is a
// tag of the group, millrace:alias:NAME = VERSION, so that it is set, listed and removed by AddTags, ListTags
// and DeleteTags, and moved in one step. GROUP@NAME stands for the version wherever a model package is named.
// Which versions an alias had before is kept for going back. Any thread.

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "tasks/jobs/jobs.h"
#include "tasks/task_kind.h"

namespace millrace::tasks {

inline constexpr std::string_view kAliasTag = "millrace:alias:";

// "group/3" of "group@champion", "group/3" or either as an ARN. NotFound: there is no such alias.
Result<std::string> package_name(const Jobs& jobs, std::string_view name_or_arn);
// The aliases of a group's record.
std::map<std::string, std::int64_t> aliases_in(const Json& group);
// The aliases that stand for that version ("group/3").
std::vector<std::string> aliases_of(const Jobs& jobs, std::string_view package);

// Tags on their way into a group's record: aliases must be names and stand for versions that exist.
Status check_alias_tags(const Jobs& jobs, std::string_view group, const Json& tags);
// Notes in the record which aliases changed between `before` and its tags now: who, when.
void keep_alias_history(const Json& before, Json& group, const TaskCall& call);

// rollbackModelPackageGroup: the alias goes back to the version it had before, of those that are Approved; an
// endpoint that serves GROUP@ALIAS is updated with it. Once for an attempt of a task.
Outcome rollback_model_package_group(TaskCall& call);

}  // namespace millrace::tasks
