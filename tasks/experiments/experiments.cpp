// Experiments and trials; see experiments.h.

#include "tasks/experiments/experiments.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/time.h"
#include "tasks/arguments.h"
#include "tasks/jobs/entities.h"
#include "tasks/jobs/listing.h"
#include "tasks/jobs/tags.h"

namespace millrace::tasks {
namespace {

constexpr std::size_t kNameMax = 120;  // characters
constexpr std::size_t kTrialsMax = 1'000'000;

Result<Json> experiment_fields(const Arguments& arguments) {
  MR_DO(check_tags(arguments.json()));
  MR_TRY(display, arguments.text_or("DisplayName", ""));
  MR_TRY(description, arguments.text_or("Description", ""));
  if (description.size() > 3072) return arguments.wrong("Description", "has more than 3072 characters");
  Json fields = arguments.json();
  fields["CreatedBy"] = Json::object();
  return fields;
}

Outcome create_named(const EntityKind& entity, TaskCall& call) {
  const Arguments arguments(call.arguments);
  const auto name = arguments.text(name_field(entity));
  if (!name) return sagemaker_failure(name.error());
  const Status fine = check_name(name_field(entity), *name, kNameMax);
  if (!fine) return sagemaker_failure(fine.error());
  auto fields = experiment_fields(arguments);
  if (!fields) return sagemaker_failure(fields.error());
  if (!fields->contains("DisplayName")) (*fields)["DisplayName"] = *name;
  return create_entity(entity, *name, std::move(*fields), call);
}

// The members of the request that may change.
Outcome update_named(const EntityKind& entity, std::initializer_list<const char*> members, TaskCall& call) {
  const Arguments arguments(call.arguments);
  const auto name = arguments.text(name_field(entity));
  if (!name) return sagemaker_failure(name.error());
  for (const char* member : members)
    if (const auto text = arguments.text_or(member, ""); !text) return sagemaker_failure(text.error());
  const auto record = call.context.jobs().modify(entity.kind, name_of(entity, *name), [&](Json& r) -> Status {
    for (const char* member : members)
      if (arguments.has(member)) r[member] = call.arguments[member];
    r["LastModifiedTime"] = to_millis(call.context.clock().now());
    return {};
  });
  if (!record) return entity_failure(entity, record.error());
  return arn_answer(entity, text_in(*record, name_field(entity)));
}

Outcome delete_named(const EntityKind& entity, TaskCall& call, const std::string& name) {
  const Status removed = call.context.jobs().remove(entity.kind, name);
  if (!removed) return entity_failure(entity, removed.error());
  return arn_answer(entity, name);
}

// Whether a record of that kind fits, among all.
template <class Fits>
Result<bool> any_record(const Jobs& jobs, const EntityKind& entity, Fits fits) {
  MR_TRY(records, jobs.list(entity.kind, {}, kTrialsMax));
  return std::any_of(records.begin(), records.end(), fits);
}

Json named_summary(const EntityKind& entity, const Json& record) {
  Json summary = Json::object();
  for (const std::string& field : {name_field(entity), arn_field(entity), std::string("DisplayName"),
                                   std::string("CreationTime"), std::string("LastModifiedTime")})
    if (record.contains(field)) summary[field] = record[field];
  return summary;
}

Result<Json> trials_page(const TaskCall& call) {
  const Jobs& jobs = call.context.jobs();
  const Arguments arguments(call.arguments);
  MR_TRY(filter, ListFilter::read(kTrial, arguments));
  MR_TRY(experiment, arguments.text_or("ExperimentName", ""));
  MR_TRY(component, arguments.text_or("TrialComponentName", ""));
  std::vector<std::string> names;
  if (!component.empty()) {
    MR_TRY(record, jobs.find(kTrialComponent.kind, name_of(kTrialComponent, component)));
    names = trials_of_component(record);
  }
  if (!experiment.empty()) MR_DO(jobs.find(kExperiment.kind, name_of(kExperiment, experiment)));
  MR_TRY(records, jobs.records(kTrial.kind, {}, kTrialsMax));
  std::erase_if(records, [&](const Jobs::Record& record) {
    const std::string name = text_in(record.document, "TrialName");
    return !filter.fits(record.document) ||
           (!experiment.empty() &&
            text_in(record.document, "ExperimentName") != name_of(kExperiment, experiment)) ||
           (!component.empty() && std::find(names.begin(), names.end(), name) == names.end());
  });
  MR_TRY(page, page_of(std::move(records), arguments, usual_sort_keys(kTrial)));
  return page_answer(kTrial.list_field, page,
                     [](const Json& record) { return named_summary(kTrial, record); });
}

}  // namespace

Outcome create_experiment(TaskCall& call) {
  return create_named(kExperiment, call);
}
Outcome update_experiment(TaskCall& call) {
  return update_named(kExperiment, {"DisplayName", "Description"}, call);
}
Outcome update_trial(TaskCall& call) {
  return update_named(kTrial, {"DisplayName"}, call);
}

Outcome create_trial(TaskCall& call) {
  const auto experiment = Arguments(call.arguments).text("ExperimentName");
  if (!experiment) return sagemaker_failure(experiment.error());
  const auto record = call.context.jobs().find(kExperiment.kind, *experiment);
  if (!record) return entity_failure(kExperiment, record.error());
  return create_named(kTrial, call);
}

Outcome delete_experiment(TaskCall& call) {
  const auto given = Arguments(call.arguments).text("ExperimentName");
  if (!given) return sagemaker_failure(given.error());
  const std::string name = name_of(kExperiment, *given);
  const auto used = any_record(call.context.jobs(), kTrial,
                               [&](const Json& trial) { return text_in(trial, "ExperimentName") == name; });
  if (!used) return sagemaker_failure(used.error());
  if (*used)
    return sagemaker_failure("ValidationException",
                             "experiment \"" + name + "\" has trials; delete them first");
  return delete_named(kExperiment, call, name);
}

Outcome delete_trial(TaskCall& call) {
  const auto given = Arguments(call.arguments).text("TrialName");
  if (!given) return sagemaker_failure(given.error());
  const std::string name = name_of(kTrial, *given);
  const auto used = any_record(call.context.jobs(), kTrialComponent, [&](const Json& component) {
    const auto trials = trials_of_component(component);
    return std::find(trials.begin(), trials.end(), name) != trials.end();
  });
  if (!used) return sagemaker_failure(used.error());
  if (*used)
    return sagemaker_failure("ValidationException", "trial \"" + name +
                                                        "\" has components; take them out with "
                                                        "DisassociateTrialComponent first");
  return delete_named(kTrial, call, name);
}

Outcome list_trials(TaskCall& call) {
  const auto answer = trials_page(call);
  if (!answer) return entity_failure(kTrial, answer.error());
  return to_payload(*answer);
}

}  // namespace millrace::tasks
