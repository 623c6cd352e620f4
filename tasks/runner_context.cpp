#include "tasks/runner_context.h"

#include <nlohmann/json.hpp>

#include "base/log.h"
#include "base/random.h"
#include "tasks/jobs/job_context.h"

namespace millrace::tasks {
namespace {

// A task without news is heard from this often, as long as it asks whether to stop.
constexpr Millis kSilenceMax{1000};

}  // namespace

RunnerContext::RunnerContext(Surroundings surroundings, std::string name, Beat beat)
    : around_(surroundings), name_(std::move(name)), beat_(std::move(beat)) {}

bool RunnerContext::due(Millis interval) const {
  const Millis now = around_.clock.uptime();
  if (now - beaten_ < interval) return false;
  beaten_ = now;
  return true;
}

// Work that asks whether to stop is alive, so asking also counts as a heartbeat.
bool RunnerContext::cancelled() const {
  if (beat_) {
    const std::lock_guard lock(mutex_);
    if (due(kSilenceMax)) beat_(last_);
  }
  const bool cancelled = around_.cancelled && around_.cancelled->load(std::memory_order_relaxed);
  return cancelled || around_.suspended.load(std::memory_order_relaxed);
}

void RunnerContext::progress(const Progress& progress) {
  if (!beat_) return;
  const std::lock_guard lock(mutex_);
  if (!due(around_.heartbeat_interval)) return;
  last_ = to_payload(to_json(progress));
  beat_(last_);
}

void RunnerContext::log(std::string_view line) {
  log::info(line, {{"task", name_}});
}

std::uint64_t RunnerContext::seed() const {
  return hash64(name_);
}

}  // namespace millrace::tasks
