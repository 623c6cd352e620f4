// Trial components and what they belong to; see experiments.h.

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/time.h"
#include "tasks/arguments.h"
#include "tasks/experiments/experiments.h"
#include "tasks/experiments/job_components.h"
#include "tasks/jobs/entities.h"
#include "tasks/jobs/listing.h"
#include "tasks/jobs/tags.h"

namespace millrace::tasks {
namespace {

constexpr std::size_t kComponentNameMax = 120;  // characters
constexpr std::size_t kParametersMax = 300, kArtifactsMax = 60;
constexpr std::size_t kComponentsMax = 1'000'000;

// {name: {member: …}} of at most `most` entries.
Result<Json> checked_map(const Arguments& arguments, std::string_view key, std::size_t most,
                         std::initializer_list<std::string_view> members) {
  MR_TRY(map, arguments.object_or_empty(key));
  if (map.json().size() > most)
    return arguments.wrong(key, "has " + std::to_string(map.json().size()) + " entries, at most " +
                                    std::to_string(most) + " are allowed");
  for (const auto& [name, value] : map.json().items()) {
    const bool known = value.is_object() && std::any_of(members.begin(), members.end(), [&](auto member) {
                         return value.contains(std::string(member));
                       });
    if (!known)
      return map.wrong(name, "expected an object with " + std::string(*members.begin()) +
                                 (members.size() > 1 ? " or " + std::string(*(members.end() - 1)) : ""));
  }
  return map.json();
}

// What of a request describes the component, checked, as members of its record.
Result<Json> component_fields(const Arguments& arguments) {
  MR_DO(check_tags(arguments.json()));
  Json fields = Json::object();
  MR_TRY(display, arguments.text_or("DisplayName", ""));
  if (!display.empty()) fields["DisplayName"] = display;
  if (arguments.has("Status")) {
    MR_TRY(status, arguments.object("Status"));
    MR_TRY(primary, status.text_or("PrimaryStatus", "InProgress"));
    MR_DO(status.one_of("PrimaryStatus", primary, "InProgress|Completed|Failed|Stopping|Stopped"));
    MR_TRY(message, status.text_or("Message", ""));
    fields["Status"] = {{"PrimaryStatus", primary}};
    if (!message.empty()) fields["Status"]["Message"] = message;
  }
  for (const char* key : {"StartTime", "EndTime"}) {
    MR_TRY(time, time_argument(arguments, key));
    if (time) fields[key] = *time;
  }
  if (arguments.has("Parameters")) {
    MR_TRY(map, checked_map(arguments, "Parameters", kParametersMax, {"StringValue", "NumberValue"}));
    fields["Parameters"] = std::move(map);
  }
  for (const char* key : {"InputArtifacts", "OutputArtifacts"}) {
    if (!arguments.has(key)) continue;
    MR_TRY(map, checked_map(arguments, key, kArtifactsMax, {"Value"}));
    fields[key] = std::move(map);
  }
  MR_TRY(metadata, arguments.object_or_empty("MetadataProperties"));
  if (arguments.has("MetadataProperties")) fields["MetadataProperties"] = metadata.json();
  return fields;
}

// Entries are added or replaced one by one; …ToRemove takes some away.
Result<Json> component_update(const Arguments& arguments, const TaskCall& call) {
  MR_TRY(given, arguments.text("TrialComponentName"));
  MR_TRY(fields, component_fields(arguments));
  constexpr const char* kMaps[] = {"Parameters", "InputArtifacts", "OutputArtifacts"};
  std::map<std::string, std::vector<std::string>> removed;
  for (const char* key : kMaps) {
    MR_TRY(names, arguments.texts(std::string(key) + "ToRemove"));
    removed[key] = std::move(names);
  }
  return call.context.jobs().modify(
      kTrialComponent.kind, name_of(kTrialComponent, given), [&](Json& record) -> Status {
        for (const auto& [key, value] : fields.items()) {
          const bool map = std::find(std::begin(kMaps), std::end(kMaps), key) != std::end(kMaps);
          if (map && record.contains(key))
            record[key].update(value);
          else
            record[key] = value;
        }
        for (const auto& [key, names] : removed)
          for (const std::string& name : names)
            if (record.contains(key)) record[key].erase(name);
        record["LastModifiedTime"] = to_millis(call.context.clock().now());
        return {};
      });
}

struct ComponentAndTrial {
  std::string component, trial;
};

Result<ComponentAndTrial> both_names(const TaskCall& call) {
  const Arguments arguments(call.arguments);
  MR_TRY(component, arguments.text("TrialComponentName"));
  MR_TRY(trial, arguments.text("TrialName"));
  return ComponentAndTrial{name_of(kTrialComponent, component), name_of(kTrial, trial)};
}

Outcome change_association(TaskCall& call, bool belongs) {
  const auto names = both_names(call);
  if (!names) return sagemaker_failure(names.error());
  const auto trial = call.context.jobs().find(kTrial.kind, names->trial);
  if (belongs && !trial) return entity_failure(kTrial, trial.error());
  const auto record =
      call.context.jobs().modify(kTrialComponent.kind, names->component, [&](Json& component) -> Status {
        std::vector<std::string> trials = trials_of_component(component);
        const auto there = std::find(trials.begin(), trials.end(), names->trial);
        if (belongs == (there != trials.end())) {
          if (belongs) return {};
          return fail(ErrorCode::NotFound, "trial component \"" + names->component +
                                               "\" does not belong to trial \"" + names->trial + "\"");
        }
        if (belongs)
          trials.push_back(names->trial);
        else
          trials.erase(there);
        component[kNotes]["Trials"] = trials;
        return {};
      });
  if (!record) return entity_failure(kTrialComponent, record.error());
  return to_payload(Json{{"TrialComponentArn", entity_arn(kTrialComponent, names->component)},
                         {"TrialArn", entity_arn(kTrial, names->trial)}});
}

Json component_summary(const Json& record) {
  Json summary = Json::object();
  for (const char* field : {"TrialComponentName", "TrialComponentArn", "DisplayName", "Status", "StartTime",
                            "EndTime", "CreationTime", "LastModifiedTime"})
    if (record.contains(field)) summary[field] = record[field];
  if (record.contains("Source")) summary["TrialComponentSource"] = record["Source"];
  return summary;
}

// The trials of an experiment.
Result<std::vector<std::string>> trials_of_experiment(const Jobs& jobs, const std::string& experiment) {
  MR_DO(jobs.find(kExperiment.kind, experiment));
  MR_TRY(trials, jobs.list(kTrial.kind, {}, kComponentsMax));
  std::vector<std::string> names;
  for (const Json& trial : trials)
    if (text_in(trial, "ExperimentName") == experiment) names.push_back(text_in(trial, "TrialName"));
  return names;
}

Result<Json> components_page(const TaskCall& call) {
  const Jobs& jobs = call.context.jobs();
  const Arguments arguments(call.arguments);
  MR_TRY(filter, ListFilter::read(kTrialComponent, arguments));
  MR_TRY(experiment, arguments.text_or("ExperimentName", ""));
  MR_TRY(trial, arguments.text_or("TrialName", ""));
  MR_TRY(source, arguments.text_or("SourceArn", ""));
  if (!experiment.empty() && !trial.empty())
    return invalid("ExperimentName and TrialName exclude each other");
  std::vector<std::string> wanted;
  if (!trial.empty()) {
    wanted = {name_of(kTrial, trial)};
    MR_DO(jobs.find(kTrial.kind, wanted.front()));
  }
  const std::string experiment_name = name_of(kExperiment, experiment);
  if (!experiment.empty()) {
    MR_TRY(trials, trials_of_experiment(jobs, experiment_name));
    wanted = std::move(trials);
  }
  MR_TRY(records, jobs.records(kTrialComponent.kind, {}, kComponentsMax));
  std::erase_if(records, [&](const Jobs::Record& record) {
    if (!filter.fits(record.document)) return true;
    if (!source.empty() && text_at(record.document, {"Source", "SourceArn"}) != source) return true;
    if (experiment.empty() && trial.empty()) return false;
    if (!experiment.empty() && text_at(record.document, {kNotes, "Experiment"}) == experiment_name)
      return false;
    const auto trials = trials_of_component(record.document);
    return std::none_of(trials.begin(), trials.end(), [&](const std::string& name) {
      return std::find(wanted.begin(), wanted.end(), name) != wanted.end();
    });
  });
  MR_TRY(page, page_of(std::move(records), arguments, usual_sort_keys(kTrialComponent)));
  return page_answer(kTrialComponent.list_field, page, component_summary);
}

}  // namespace

std::vector<std::string> trials_of_component(const Json& record) {
  std::vector<std::string> names;
  const Json notes = record.value(kNotes, Json::object());
  for (const Json& name : notes.value("Trials", Json::array()))
    if (name.is_string()) names.push_back(name.get<std::string>());
  return names;
}

Result<Json> component_document(const Jobs& jobs, const Json& record) {
  Json document = described(record);
  MR_TRY(summaries, jobs.metric_summaries(text_in(record, "TrialComponentName")));
  Json metrics = Json::array();
  const std::string source = text_at(record, {"Source", "SourceArn"});
  for (const Jobs::MetricSummary& summary : summaries) {
    metrics.push_back({{"MetricName", summary.metric},
                       {"TimeStamp", summary.time_ms},
                       {"Max", summary.max},
                       {"Min", summary.min},
                       {"Last", summary.last},
                       {"Count", summary.count},
                       {"Avg", summary.mean},
                       {"StdDev", summary.deviation}});
    if (!source.empty()) metrics.back()["SourceArn"] = source;
  }
  // What the job itself reported at its end, unless a series of that name says more.
  const Json notes = record.value(kNotes, Json::object());
  const Json finals = notes.value("FinalMetrics", Json::array());
  const Json course = finals.empty() ? Json::object() : job_course(jobs, record);
  for (const Json& final_metric : finals) {
    const std::string name = text_in(final_metric, "MetricName");
    const bool there = std::any_of(summaries.begin(), summaries.end(),
                                   [&](const Jobs::MetricSummary& s) { return s.metric == name; });
    if (there || !final_metric.contains("Value")) continue;
    const Json& value = final_metric["Value"];
    metrics.push_back({{"MetricName", name},
                       {"SourceArn", source},
                       {"TimeStamp", final_metric.value("Timestamp", Json())},
                       {"Max", value},
                       {"Min", value},
                       {"Last", value},
                       {"Count", 1},
                       {"Avg", value},
                       {"StdDev", 0.0}});
    const Json all = course.value(name, Json::object());  // of all rounds
    for (const char* member : {"Max", "Min", "Count", "Avg", "StdDev"})
      if (all.contains(member)) metrics.back()[member] = all[member];
  }
  if (!metrics.empty()) document["Metrics"] = std::move(metrics);
  return document;
}

Outcome create_trial_component(TaskCall& call) {
  const Arguments arguments(call.arguments);
  const auto name = arguments.text("TrialComponentName");
  if (!name) return sagemaker_failure(name.error());
  const Status fine = check_name("TrialComponentName", *name, kComponentNameMax);
  if (!fine) return sagemaker_failure(fine.error());
  auto fields = component_fields(arguments);
  if (!fields) return sagemaker_failure(fields.error());
  if (!fields->contains("DisplayName")) (*fields)["DisplayName"] = *name;
  (*fields)["CreatedBy"] = Json::object();
  return create_entity(kTrialComponent, *name, std::move(*fields), call);
}

Outcome describe_trial_component(TaskCall& call) {
  const auto name = Arguments(call.arguments).text("TrialComponentName");
  if (!name) return sagemaker_failure(name.error());
  const auto record = call.context.jobs().find(kTrialComponent.kind, name_of(kTrialComponent, *name));
  if (!record) return entity_failure(kTrialComponent, record.error());
  const auto document = component_document(call.context.jobs(), *record);
  if (!document) return sagemaker_failure(document.error());
  return to_payload(*document);
}

Outcome update_trial_component(TaskCall& call) {
  const auto record = component_update(Arguments(call.arguments), call);
  if (!record) return entity_failure(kTrialComponent, record.error());
  return to_payload(Json{{"TrialComponentArn", (*record)["TrialComponentArn"]}});
}

Outcome delete_trial_component(TaskCall& call) {
  const auto given = Arguments(call.arguments).text("TrialComponentName");
  if (!given) return sagemaker_failure(given.error());
  Jobs& jobs = call.context.jobs();
  const std::string name = name_of(kTrialComponent, *given);
  const auto record = jobs.find(kTrialComponent.kind, name);
  if (!record) return entity_failure(kTrialComponent, record.error());
  if (!trials_of_component(*record).empty())
    return sagemaker_failure("ValidationException",
                             "trial component \"" + name + "\" belongs to trial \"" +
                                 trials_of_component(*record).front() +
                                 "\"; take it out with DisassociateTrialComponent first");
  const Status removed = jobs.remove(kTrialComponent.kind, name);
  if (!removed) return entity_failure(kTrialComponent, removed.error());
  const Status forgotten = jobs.remove_metrics(name);
  if (!forgotten) return sagemaker_failure(forgotten.error());
  return arn_answer(kTrialComponent, name);
}

Outcome list_trial_components(TaskCall& call) {
  const auto answer = components_page(call);
  if (!answer) return entity_failure(kTrialComponent, answer.error());
  return to_payload(*answer);
}

Outcome associate_trial_component(TaskCall& call) {
  return change_association(call, true);
}
Outcome disassociate_trial_component(TaskCall& call) {
  return change_association(call, false);
}

}  // namespace millrace::tasks
