// ProcessingJob: a built-in processor, or a program of the user's.

#include <nlohmann/json.hpp>

#include "tasks/arguments.h"
#include "tasks/jobs/job_context.h"
#include "tasks/jobs/job_kinds.h"
#include "tasks/monitoring/monitoring_metrics.h"
#include "tasks/processing/channels.h"
#include "tasks/processing/processors.h"
#include "tasks/script/train_script.h"

namespace millrace::tasks {
namespace {

std::string processor_names() {
  std::string names;
  for (const Processor& processor : processors())
    names += (names.empty() ? "" : ", ") + std::string(processor.name);
  return names;
}

// ": did you mean "profile"?"; empty when none is near.
std::string nearest_processor(const std::string& image) {
  for (const Processor& processor : processors())
    if (!nearest_name(image, {processor.name}).empty())
      return ": did you mean \"" + std::string(processor.name) + "\"?";
  return {};
}

// Null: a program of the user's. InvalidArgument for an image that is neither.
Result<const Processor*> processor_for(const Json& request) {
  MR_TRY(application, Arguments(request).object("AppSpecification"));
  MR_TRY(image, application.text("ImageUri"));
  MR_TRY(entrypoint, application.texts("ContainerEntrypoint"));
  const Processor* processor = find_processor(image);
  if (!entrypoint.empty()) return nullptr;
  if (!processor)
    return application.wrong(
        "ImageUri", "\"" + image + "\" is not built in" + nearest_processor(image),
        "built in are " + processor_names() + "; for a program of your own give ContainerEntrypoint");
  return processor;
}

Status check_processing(const Json& request, TaskContext& context) {
  MR_TRY(processor, processor_for(request));
  if (!processor) return check_script_processing(request);
  MR_TRY(inputs, read_processing_inputs(request, context.objects()));
  return processor->check(inputs);
}

// What a run of a monitoring schedule measured goes where metrics go, for alarms.
void put_measured(const Json& request, const Json& summary, JobContext& context) {
  const MonitoringSurroundings* around = context.call().monitoring;
  if (!around || !around->put_metrics) return;
  const std::vector<MonitoringMetric> metrics = monitoring_metrics(request, summary, context.clock().now());
  if (metrics.empty()) return;
  if (const Status put = around->put_metrics(metrics); !put)
    context.log("the metrics could not be kept: " + put.error().message);
}

// What a processor found stands in the record as Summary, so that the states that follow can read it.
Result<Json> work_processing(const Json& request, JobContext& context) {
  MR_TRY(processor, processor_for(request));
  if (!processor) return run_script_processing(request, context);
  MR_TRY(inputs, read_processing_inputs(request, context.objects()));
  Progress progress;
  progress.phase = "Processing";
  context.progress(progress);
  MR_TRY(summary, processor->run(inputs, context));
  put_measured(request, summary, context);
  Json fields = Json::object();
  if (const std::string message = text_at(summary, {"exit_message"}); !message.empty()) {
    fields["ExitMessage"] = message;
    summary.erase("exit_message");
  }
  fields["Summary"] = std::move(summary);
  return fields;
}

}  // namespace

const JobKind kProcessingJobKind{kProcessingJob, check_processing, work_processing};

}  // namespace millrace::tasks
