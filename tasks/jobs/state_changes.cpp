#include "tasks/jobs/state_changes.h"

#include <nlohmann/json.hpp>

#include "base/log.h"
#include "tasks/experiments/job_components.h"
#include "tasks/integrations/integrations.h"
#include "tasks/jobs/entities.h"
#include "tasks/monitoring/executions.h"

namespace millrace::tasks {
namespace {

constexpr std::size_t kChangesAtOnce = 256;
constexpr Millis kTellAgain{1000};

struct EventKind {
  const EntityKind& entity;
  std::string_view detail_type;
  std::initializer_list<std::string_view> state;  // members that make a change when they differ
};
const EventKind kEventKinds[] = {
    {kTrainingJob,
     "SageMaker Training Job State Change",
     {"TrainingJobStatus", "SecondaryStatus", "DebugRuleEvaluationStatuses"}},
    {kProcessingJob, "SageMaker Processing Job State Change", {"ProcessingJobStatus"}},
    {kTransformJob, "SageMaker Transform Job State Change", {"TransformJobStatus"}},
    {kTuningJob, "SageMaker HyperParameter Tuning Job State Change", {"HyperParameterTuningJobStatus"}},
    {kEndpoint,
     "SageMaker Endpoint State Change",
     {"EndpointStatus", "EndpointConfigName", "ProductionVariants", "LastModifiedTime"}},
    {kModelPackage, "SageMaker Model Package State Change", {"ModelPackageStatus", "ModelApprovalStatus"}},
    {kMonitoringExecution, "SageMaker Model Monitor Execution State Change", {"MonitoringExecutionStatus"}},
};

constexpr std::string_view kDeploymentChange = "SageMaker Endpoint Deployment State Change";

const EventKind* event_kind(std::string_view kind) {
  for (const EventKind& event : kEventKinds)
    if (event.entity.kind == kind) return &event;
  return nullptr;
}

// Nothing when the bus has no event for it: of what is removed only endpoints have a last one.
Json event_of_change(const EventKind& kind, const Jobs::Change& change) {
  Json detail = described(change.document);
  if (change.removed) {
    if (change.kind != kEndpoint.kind) return Json();
    detail["EndpointStatus"] = "Deleting";
  }
  Json event = {{"Source", "aws.sagemaker"},
                {"DetailType", kind.detail_type},
                {"Resources", Json::array({text_in(change.document, arn_field(kind.entity))})}};
  const auto time = detail.find("LastModifiedTime");
  if (time != detail.end() && time->is_number() && !change.removed)
    event["Time"] = time->get<double>() / 1000;
  event["Detail"] = std::move(detail);
  return event;
}

// A step of an endpoint's deployment, its end included.
bool of_deployment(const Jobs::Change& change) {
  if (change.kind != kEndpoint.kind || change.removed) return false;
  if (change.document.contains("PendingDeploymentSummary")) return true;
  const Json notes = change.document.value(kNotes, Json::object());
  const auto ended = notes.find("DeploymentEnded");
  return ended != notes.end() && *ended == change.document.value("LastModifiedTime", Json());
}

}  // namespace

std::string state_of_record(std::string_view kind, const Json& document) {
  const EventKind* event = event_kind(kind);
  if (!event) return {};
  std::string state = "=";
  for (const std::string_view member : event->state) {
    const auto found = document.find(std::string(member));
    if (found != document.end()) state.append(to_payload(*found).text());
    state += '/';
  }
  return state;
}

void StateChanges::begin() {
  thread_ = std::jthread([this] { work(); });
}

StateChanges::~StateChanges() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
}

void StateChanges::wake() {
  {
    const std::lock_guard lock(mutex_);
    woken_ = true;
  }
  wake_.notify_one();
}

void StateChanges::work() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    wake_.wait(lock, [this] { return woken_ || stopping_; });
    if (stopping_) return;
    woken_ = false;
    lock.unlock();
    const bool told = tell_all();
    lock.lock();
    if (told) continue;
    wake_.wait_for(lock, kTellAgain, [this] { return stopping_; });
    woken_ = true;
  }
}

bool StateChanges::stopping() {
  const std::lock_guard lock(mutex_);
  return stopping_;
}

bool StateChanges::tell_all() {
  while (!stopping()) {
    const auto changes = jobs_.changes(kChangesAtOnce);
    if (!changes) return failed_to_tell("tasks.db", changes.error());
    if (changes->empty()) break;
    for (const Jobs::Change& change : *changes) {
      if (stopping()) return true;
      const Status told = tell(change);
      if (!told) return failed_to_tell(change.kind + " " + change.name, told.error());
      complained_ = false;
    }
  }
  return true;
}

// Says so once; it is tried again and again.
bool StateChanges::failed_to_tell(const std::string& what, const Error& error) {
  if (!std::exchange(complained_, true))
    log::error("a change of state can't be put on the event bus; it is kept and tried again",
               {{"what", what}, {"why", error.message}});
  return false;
}

Status StateChanges::tell(const Jobs::Change& change) {
  MR_DO(keep_job_component(jobs_, change));
  MR_DO(follow_monitoring_job(jobs_, change));
  const EventKind* kind = event_kind(change.kind);
  Json event = kind ? event_of_change(*kind, change) : Json();
  if (!event.is_null()) {
    Json events = Json::array({event});
    if (of_deployment(change)) {
      event["DetailType"] = kDeploymentChange;
      events.push_back(std::move(event));
    }
    MR_TRY(bus, integrations_.events());
    // The creation's time tells this home's changes from those of another tasks.db beside the same events.db.
    const std::string name = "aws.sagemaker change " + std::to_string(change.number) + " of " + change.name +
                             " " + std::to_string(change.document.value("CreationTime", std::int64_t{0}));
    MR_TRY(answer, bus->put(Json{{"Entries", std::move(events)}}, name, {}, true));
    if (answer.value("FailedEntryCount", 0) > 0)  // it would not be taken the next time either
      log::error("an event was refused", {{"name", name}, {"why", std::string(to_payload(answer).text())}});
  }
  return jobs_.forget_change(change.number);
}

}  // namespace millrace::tasks
