#include "tasks/monitoring/job_definitions.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "tasks/arguments.h"
#include "tasks/jobs/listing.h"
#include "tasks/jobs/tags.h"

namespace millrace::tasks {
namespace {

constexpr std::size_t kDefinitionsMax = 100'000;  // that a list looks at

Json definition_summary(const MonitoringType& type, const Json& record) {
  Json out = {{"MonitoringJobDefinitionName", record["JobDefinitionName"]},
              {"MonitoringJobDefinitionArn", record["JobDefinitionArn"]},
              {"CreationTime", record["CreationTime"]}};
  const std::string endpoint =
      text_at(record, {std::string(type.name) + "JobInput", "EndpointInput", "EndpointName"});
  if (!endpoint.empty()) out["EndpointName"] = endpoint;
  return out;
}

Result<Json> listed_definitions(const MonitoringType& type, const TaskCall& call) {
  const Arguments in(call.arguments);
  MR_TRY(filter, ListFilter::read(type.definition, in));
  MR_TRY(endpoint, in.text_or("EndpointName", ""));
  MR_TRY(records, call.context.jobs().records(type.definition.kind, {}, kDefinitionsMax));
  std::erase_if(records, [&](const Jobs::Record& record) {
    return !filter.fits(record.document) ||
           (!endpoint.empty() &&
            text_at(definition_summary(type, record.document), {"EndpointName"}) != endpoint);
  });
  MR_TRY(page, page_of(std::move(records), in, usual_sort_keys(type.definition)));
  return page_answer(type.definition.list_field, page,
                     [&](const Json& record) { return definition_summary(type, record); });
}

Result<std::string> checked_definition(const MonitoringType& type, const TaskCall& call) {
  MR_TRY(name, Arguments(call.arguments).text("JobDefinitionName"));
  MR_DO(check_name("JobDefinitionName", name));
  MR_DO(check_tags(call.arguments));
  MR_DO(read_job_definition(type, call.arguments, call.context.jobs()));
  return name;
}

}  // namespace

Outcome create_job_definition(const MonitoringType& type, TaskCall& call) {
  const auto name = checked_definition(type, call);
  if (!name) return sagemaker_failure(name.error());
  return create_entity(type.definition, *name, call.arguments, call);
}

Outcome list_job_definitions(const MonitoringType& type, TaskCall& call) {
  const auto answer = listed_definitions(type, call);
  if (!answer) return sagemaker_failure(answer.error());
  return to_payload(*answer);
}

Outcome delete_job_definition(const MonitoringType& type, TaskCall& call) {
  const std::string name = name_of(type.definition, text_in(call.arguments, "JobDefinitionName"));
  const auto schedules = call.context.jobs().list(kMonitoringSchedule.kind, {}, kDefinitionsMax);
  if (!schedules) return sagemaker_failure(schedules.error());
  for (const Json& schedule : *schedules) {
    const Json config = schedule.value("MonitoringScheduleConfig", Json::object());
    const bool names_it = text_in(config, "MonitoringJobDefinitionName") == name &&
                          text_in(schedule, "MonitoringType") == type.name;
    if (names_it)
      return sagemaker_failure("ValidationException",
                               "Job definition \"" + name + "\" is used by the monitoring schedule \"" +
                                   text_in(schedule, "MonitoringScheduleName") + "\"; delete that first");
  }
  return delete_entity(type.definition, call);
}

}  // namespace millrace::tasks
