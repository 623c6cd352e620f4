#include "tasks/deployment/deployments.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/log.h"
#include "tasks/deployment/endpoint_host.h"
#include "tasks/jobs/entities.h"

namespace millrace::tasks {
namespace {

constexpr const char *kDeployment = "Deployment", *kFleet = "Fleet";
constexpr std::size_t kEndpointRecordsMax = 10'000;  // that are looked at when a process begins
constexpr Millis kSoon{50};

std::string traffic(double share) {
  return std::to_string(static_cast<int>(share * 100 + 0.5)) + " % of the traffic";
}

Json variant_status(const Deployment& deployment, Instant now) {
  const double share = share_of(deployment.plan, deployment.state);
  std::string status = "Baking", message = traffic(share);
  switch (deployment.state.phase) {
    case RolloutPhase::Shifting:
      break;
    case RolloutPhase::Terminating:
      message += "; the old fleet is still warm";
      break;
    case RolloutPhase::RollingBack:
      status = "Deleting";
      message = "all traffic is back on the old fleet";
      break;
    case RolloutPhase::Failed:
      message += "; the old fleet can't take it back";
      break;
  }
  return Json{{"Status", status}, {"StatusMessage", message}, {"StartTime", to_millis(now)}};
}

Json pending_summary(const Deployment& deployment, Instant now) {
  Json summary = {{"EndpointConfigName", deployment.next.at("EndpointConfigName")},
                  {"StartTime", deployment.begun_ms}};
  for (const char* list : {"ProductionVariants", "ShadowProductionVariants"}) {
    if (!deployment.next.contains(list)) continue;
    summary[list] = deployment.next[list];
    for (Json& variant : summary[list])
      variant["VariantStatus"] = Json::array({variant_status(deployment, now)});
  }
  return summary;
}

std::string_view status_of_phase(RolloutPhase phase) {
  switch (phase) {
    case RolloutPhase::RollingBack:
      return "RollingBack";
    case RolloutPhase::Failed:
      return "UpdateRollbackFailed";
    case RolloutPhase::Shifting:
    case RolloutPhase::Terminating:
      break;
  }
  return "Updating";
}

}  // namespace

std::string fleet_of(const Json& record) {
  const std::string fleet = text_in(record.value(kNotes, Json::object()), kFleet);
  return fleet.empty() ? text_in(record, "EndpointConfigName") : fleet;
}

void name_fleet(Json& record, Instant now) {
  record[kNotes][kFleet] = text_in(record, "EndpointConfigName") + "/" + std::to_string(to_millis(now));
}

std::optional<Deployment> Deployment::of(const Json& record) {
  const auto notes = record.find(kNotes);
  if (notes == record.end() || !notes->contains(kDeployment)) return std::nullopt;
  const Json& kept = notes->at(kDeployment);
  Deployment deployment;
  deployment.id = text_in(kept, "Id");
  deployment.key = text_in(kept, "Key");
  deployment.config = kept.at("Config");
  deployment.next = kept.at("Next");
  deployment.instances = kept.value("Instances", std::int64_t{1});
  deployment.begun_ms = kept.value("Begun", std::int64_t{0});
  auto plan = RolloutPlan::read(deployment.config, deployment.instances);
  if (!plan) {  // another version of this program took it
    log::error("a deployment can't be read; its endpoint stays as it is", {{"why", plan.error().message}});
    return std::nullopt;
  }
  deployment.plan = *std::move(plan);
  const std::size_t step = kept.value("Step", std::size_t{0});
  deployment.state = {phase_of(text_in(kept, "Phase")).value_or(RolloutPhase::RollingBack),
                      std::min(step, deployment.plan.shares.size() - 1),
                      from_millis(kept.value("Due", std::int64_t{0})),
                      from_millis(kept.value("Deadline", std::int64_t{0}))};
  return deployment;
}

void Deployment::write(Json& record, Instant now) const {
  record[kNotes][kDeployment] = {{"Id", id},
                                 {"Key", key},
                                 {"Config", config},
                                 {"Next", next},
                                 {"Instances", instances},
                                 {"Begun", begun_ms},
                                 {"Phase", std::string(tasks::name_of(state.phase))},
                                 {"Step", state.step},
                                 {"Due", to_millis(state.due)},
                                 {"Deadline", to_millis(state.deadline)}};
  record["EndpointStatus"] = status_of_phase(state.phase);
  record["PendingDeploymentSummary"] = pending_summary(*this, now);
}

void Deployment::complete(Json& record, Instant now) const {
  record.erase("ShadowProductionVariants");  // of the configuration before
  record.erase("DataCaptureConfig");
  record.erase("AsyncInferenceConfig");
  record.erase("PendingDeploymentSummary");
  record[kNotes].erase(kDeployment);
  for (const auto& [key_of, value] : next.items()) {
    if (key_of == kNotes)
      record[kNotes].update(value);
    else
      record[key_of] = value;
  }
  record[kNotes][kFleet] = id;
  record[kNotes]["DeploymentEnded"] = to_millis(now);
  record["EndpointStatus"] = "InService";
  record["LastDeploymentConfig"] = config;
  record["LastModifiedTime"] = to_millis(now);
}

void Deployment::rolled_back(Json& record, Instant now) const {
  record.erase("PendingDeploymentSummary");
  record[kNotes].erase(kDeployment);
  record[kNotes]["DeploymentEnded"] = to_millis(now);
  record["EndpointStatus"] = "InService";
  record["LastModifiedTime"] = to_millis(now);
}

Deployments::Deployments(Jobs& jobs, EndpointHost& host, const Clock& clock, Settings settings)
    : jobs_(jobs), host_(host), clock_(clock), settings_(std::move(settings)) {}

Deployments::~Deployments() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
}

void Deployments::begin() {
  thread_ = std::jthread([this] { work(); });
}

void Deployments::changed(std::string_view endpoint) {
  {
    const std::lock_guard lock(mutex_);
    active_.emplace(endpoint);
    woken_ = true;
  }
  wake_.notify_one();
}

void Deployments::work() {
  resume_all();
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    std::optional<Millis> next;
    const std::set<std::string> endpoints = active_;
    woken_ = false;
    lock.unlock();
    std::set<std::string> done;
    for (const std::string& endpoint : endpoints) {
      const std::optional<Millis> look = look_at(endpoint);
      if (look)
        next = std::min(*look, next.value_or(*look));
      else
        done.insert(endpoint);
    }
    lock.lock();
    // What changed meanwhile is looked at again.
    if (!woken_) std::erase_if(active_, [&](const std::string& endpoint) { return done.contains(endpoint); });
    const auto woken = [this] { return woken_ || stopping_; };
    if (next)
      wake_.wait_for(lock, *next, woken);
    else
      wake_.wait(lock, woken);
  }
}

void Deployments::resume_all() {
  const auto records = jobs_.list(kEndpoint.kind, {}, kEndpointRecordsMax);
  if (!records) return log::error("endpoints can't be listed", {{"why", records.error().message}});
  for (const Json& record : *records) {
    if (!Deployment::of(record)) continue;
    const std::string name = text_in(record, "EndpointName");
    const auto resumed = jobs_.modify(kEndpoint.kind, name, [&](Json& r) -> Status {
      auto deployment = Deployment::of(r);
      if (!deployment) return {};
      const Json summary = r["PendingDeploymentSummary"];
      deployment->state = resume_rollout(deployment->plan, deployment->state, clock_.now());
      deployment->write(r, clock_.now());
      r["PendingDeploymentSummary"] = summary;  // nothing changed for the world
      return {};
    });
    if (!resumed)
      log::error("a deployment can't be resumed", {{"endpoint", name}, {"why", resumed.error().message}});
    changed(name);
  }
}

std::optional<Millis> Deployments::look_at(const std::string& endpoint) {
  const auto record = jobs_.find(kEndpoint.kind, endpoint);
  if (!record) return std::nullopt;
  const auto deployment = Deployment::of(*record);
  if (!deployment || deployment->state.phase == RolloutPhase::Failed) return std::nullopt;
  const bool back = deployment->state.phase == RolloutPhase::RollingBack;
  const Instant now = clock_.now();
  RolloutDecision decision = advance_rollout(deployment->plan, deployment->state, now,
                                             back ? "" : trouble(endpoint, *record, *deployment));
  if (decision.move == RolloutMove::Wait)
    return std::clamp(std::chrono::duration_cast<Millis>(deployment->state.due - now), kSoon,
                      settings_.interval);
  const Status moved = move(endpoint, *deployment, std::move(decision));
  if (moved) return Millis(0);
  log::error("a deployment can't go on; it is tried again",
             {{"endpoint", endpoint}, {"why", moved.error().message}});
  return settings_.interval;
}

std::string Deployments::trouble(const std::string& endpoint, const Json& record,
                                 const Deployment& deployment) const {
  if (const std::string broken = host_.broken_fleet(endpoint); !broken.empty())
    return "the new fleet can't be served: " + broken;
  for (const std::string& alarm : deployment.plan.alarms)
    if (settings_.alarm_state && settings_.alarm_state(alarm) == "ALARM")
      return "the alarm \"" + alarm + "\" is in the state ALARM";
  if (deployment.plan.guards.empty()) return {};
  const std::string old_fleet = fleet_of(record);
  FleetSeen before = host_.seen_of(endpoint, old_fleet), after = host_.seen_of(endpoint, deployment.id);
  const bool labels = std::any_of(deployment.plan.guards.begin(), deployment.plan.guards.end(),
                                  [](const Guard& guard) { return guard.metric == Guard::Metric::Accuracy; });
  if (labels && settings_.labels) {
    settings_.labels(endpoint, old_fleet, before);
    settings_.labels(endpoint, deployment.id, after);
  }
  for (const Guard& guard : deployment.plan.guards)
    if (const auto why = guard.fires(before, after)) return *why;
  return {};
}

Status Deployments::move(const std::string& endpoint, const Deployment& deployment,
                         RolloutDecision decision) {
  const Instant now = clock_.now();
  if (decision.move == RolloutMove::RollBack) {
    MR_TRY(record, jobs_.find(kEndpoint.kind, endpoint));
    if (const Status fit = host_.can_serve(endpoint, record); !fit) {
      decision.next.phase = RolloutPhase::Failed;
      decision.reason += "; and the old fleet can't be served any more: " + fit.error().message;
    }
    decision.reason = "The deployment of " + text_in(deployment.next, "EndpointConfigName") +
                      " was rolled back: " + decision.reason;
    if (decision.next.phase == RolloutPhase::Failed)
      decision.reason.replace(decision.reason.find("was rolled back"), 15, "could not be rolled back");
    log::warning("a deployment is rolled back", {{"endpoint", endpoint}, {"why", decision.reason}});
  }
  const auto written = jobs_.modify(kEndpoint.kind, endpoint, [&](Json& r) -> Status {
    auto current = Deployment::of(r);
    if (!current || current->id != deployment.id || !(current->state == deployment.state)) return {};
    if (decision.move == RolloutMove::Complete) {
      current->complete(r, now);
      return {};
    }
    if (decision.move == RolloutMove::RolledBack) {
      current->rolled_back(r, now);
      return {};
    }
    current->state = decision.next;
    current->write(r, now);
    if (!decision.reason.empty()) r["FailureReason"] = decision.reason;
    r["LastModifiedTime"] = to_millis(now);
    return {};
  });
  if (!written) return fail(written.error());
  return {};
}

}  // namespace millrace::tasks
