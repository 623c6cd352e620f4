// The host's programs and lines: what stands behind a variant is made here, kept while it is used, and
// tended.

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "tasks/deployment/deployments.h"
#include "tasks/deployment/endpoint_host.h"
#include "tasks/deployment/serving_line.h"
#include "tasks/jobs/entities.h"

namespace millrace::tasks {
namespace {

constexpr Millis kTendEvery{250}, kScriptUnwanted{30'000};

}  // namespace

// What its configuration says of a variant's workers; an empty object of records that are older.
Json limits_of(const Json& fields, const std::string& variant) {
  const Json all = fields.at(kNotes).value("Limits", Json::object());
  return all.value(variant, Json::object());
}

// Directories of programs whose process is gone.
void EndpointHost::remove_left_programs() const {
  const std::filesystem::path folder = jobs_.scratch_path(kEndpoint.kind, "x").parent_path();
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(folder, ignored)) {
    const pid_t owner = static_cast<pid_t>(std::atol(entry.path().filename().c_str()));
    if (owner > 0 && owner != ::getpid() && ::kill(owner, 0) != 0)
      std::filesystem::remove_all(entry.path(), ignored);
  }
}

void EndpointHost::stop_programs() {
  const std::lock_guard lock(scripts_mutex_);
  programs_stopped_ = true;
  for (auto& [key, script] : scripts_) script.model->stop();
}

WorkerPool& EndpointHost::script_pool() {
  const std::lock_guard lock(mutex_);
  if (!script_pool_)
    script_pool_ = std::make_unique<WorkerPool>(std::max(1, settings_.script_threads), settings_.waiting_max);
  return *script_pool_;
}

// The program behind a container; the same one as long as that fleet is served.
Result<std::shared_ptr<ScriptModel>> EndpointHost::script_of(const std::string& endpoint,
                                                             const std::string& fleet,
                                                             const std::string& variant, std::size_t position,
                                                             const Json& container, const Json& limits) {
  const std::string key = endpoint + "/" + fleet + "/" + variant + "/" + std::to_string(position);
  const std::lock_guard lock(scripts_mutex_);
  if (const auto known = scripts_.find(key); known != scripts_.end()) {
    known->second.wanted = clock_.uptime();
    return known->second.model;
  }
  if (programs_stopped_) return fail(ErrorCode::Unavailable, "the endpoint's host is shutting down");
  ScriptLimits script;
  script.workers_min = std::min(limits.value("WorkersMin", 1), settings_.script_workers_max);
  script.workers_max = std::clamp(limits.value("WorkersMax", 1), 1, settings_.script_workers_max);
  script.startup_max = Millis(limits.value("StartupMs", std::int64_t{60'000}));
  script.idle_max = settings_.script_idle_max;
  script.waiting_max = settings_.waiting_max;
  ScriptModel::Place place;
  place.name = endpoint + "/" + variant;
  place.scratch =
      jobs_.scratch_path(kEndpoint.kind, std::to_string(::getpid()) + "-" + std::to_string(++last_script_));
  if (!settings_.logs.empty()) place.log = settings_.logs / kEndpoint.kind / endpoint / (variant + ".log");
  place.environments = settings_.environments;
  MR_TRY(model, ScriptModel::make(objects_, ScriptContainer::from_json(container), script, std::move(place),
                                  clock_));
  Script& kept = scripts_[key];
  kept.model = model;
  kept.wanted = clock_.uptime();
  if (registry_)
    kept.workers = &registry_->gauge("millrace_endpoint_workers", "Processes that serve a variant's program",
                                     {{"endpoint", endpoint}, {"variant", variant}});
  if (!tending_.joinable()) tending_ = std::jthread([this] { tend_all(); });
  return model;
}

Result<ServingLine> EndpointHost::load_line(const std::string& endpoint, const std::string& fleet,
                                            const std::string& variant, const Json& fields) {
  const Json limits = limits_of(fields, variant);
  const bool lazy = limits.value("Lazy", false);
  if (lazy) {
    const std::lock_guard lock(scripts_mutex_);
    if (!tending_.joinable()) tending_ = std::jthread([this] { tend_all(); });
  }
  return ServingLine::load(objects_, fields.at(kNotes).at("Artifacts").at(variant), lazy, models_,
                           [&](std::size_t position, const Json& container) {
                             return script_of(endpoint, fleet, variant, position, container, limits);
                           });
}

Status EndpointHost::prepare(const std::string& endpoint, const Json& fields) {
  const std::string fleet = fleet_of(fields);
  for (const auto& [variant, containers] : fields.at(kNotes).at("Artifacts").items()) {
    MR_TRY(line, load_line(endpoint, fleet, variant, fields));
    for (const auto& script : line.scripts()) {
      const Status warm = script->warm_up();
      // What a program does wrong is the caller's to mend.
      if (!warm)
        return invalid("VariantName \"" + variant + "\": " + warm.error().message, warm.error().hint);
    }
  }
  return {};
}

Status EndpointHost::can_serve(const std::string& endpoint, const Json& record) {
  for (const auto& [variant, containers] : record.at(kNotes).at("Artifacts").items())
    MR_DO(load_line(endpoint, fleet_of(record), variant, record));
  return {};
}

// Keeps programs at the number of workers they should have, and lets go of what nobody uses any more.
void EndpointHost::tend_all() {
  std::unique_lock lock(tending_mutex_);
  while (!stopping_) {
    tending_wake_.wait_for(lock, kTendEvery, [this] { return stopping_; });
    if (stopping_) return;
    lock.unlock();
    tend_scripts();
    models_.tend();
    lock.lock();
  }
}

void EndpointHost::tend_scripts() {
  std::vector<std::shared_ptr<ScriptModel>> unwanted;  // ended outside the lock
  const std::lock_guard lock(scripts_mutex_);
  const Millis now = clock_.uptime();
  for (auto at = scripts_.begin(); at != scripts_.end();) {
    Script& script = at->second;
    if (script.workers) script.workers->set(script.model->workers());
    if (script.model.use_count() > 1) script.wanted = now;
    if (now - script.wanted > kScriptUnwanted) {
      if (script.workers) script.workers->set(0);
      unwanted.push_back(std::move(script.model));
      at = scripts_.erase(at);
      continue;
    }
    // A start may take long, so it is done elsewhere; one at a time of each.
    if (!script.tended->exchange(true)) {
      const bool taken = script_pool().submit([model = script.model, tended = script.tended] {
        model->tend();
        tended->store(false);
      });
      if (!taken) script.tended->store(false);
    }
    ++at;
  }
}

}  // namespace millrace::tasks
