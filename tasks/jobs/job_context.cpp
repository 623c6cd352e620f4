#include "tasks/jobs/job_context.h"

#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "base/cpu_meter.h"
#include "base/time.h"
#include "tasks/jobs/entities.h"

namespace millrace::tasks {
namespace {

// Each write of a record is a synced transaction, so progress reaches the disk at most this often.
constexpr Millis kRecordInterval{1000};
constexpr Millis kMemoryInterval{50};  // between looks at what the process holds

// How far it is, as the message of the secondary status that lasts.
void tell_progress(const Progress& progress, Json& record) {
  const std::string words = progress_words(progress);
  if (words.empty() || !record.contains("SecondaryStatusTransitions")) return;
  Json& transitions = record["SecondaryStatusTransitions"];
  if (!transitions.empty() && !transitions.back().contains("EndTime"))
    transitions.back()["StatusMessage"] = words;
}

}  // namespace

JobContext::JobContext(TaskCall& call, const Jobs::Claim& claim, std::string kind, std::string name,
                       Millis runtime_max, std::int64_t created_ms)
    : call_(call),
      outer_(call.context),
      claim_(claim),
      kind_(std::move(kind)),
      name_(std::move(name)),
      begun_(outer_.clock().uptime()),
      runtime_max_(runtime_max),
      created_ms_(created_ms) {
  const std::filesystem::path path = outer_.jobs().log_path(kind_, name_);
  std::error_code
      ignored;  // without a log file the job still runs; its lines are lost, which the engine's log says
  std::filesystem::create_directories(path.parent_path(), ignored);
  log_ = std::fopen(path.c_str(), "ae");
  if (!log_) outer_.log("can't write the job's log " + path.string());
}

JobContext::~JobContext() {
  if (log_) std::fclose(log_);
}

bool JobContext::timed_out() const {
  return runtime_max_.count() > 0 && outer_.clock().uptime() - begun_ >= runtime_max_;
}

bool JobContext::cancelled() const {
  return outer_.cancelled() || claim_.stop_requested() || timed_out();
}

void JobContext::log(std::string_view line) {
  log_of({}, line);
}

void JobContext::log_of(std::string_view host, std::string_view line) {
  if (call_.log_line) call_.log_line(kind_, name_, created_ms_, host, line);
  const std::lock_guard lock(mutex_);
  if (!log_) return;
  const std::string who = host.empty() ? std::string() : "[" + std::string(host) + "] ";
  const std::string text = format_rfc3339(clock().now()) + " " + who + std::string(line) + "\n";
  std::fwrite(text.data(), 1, text.size(), log_);
  std::fflush(log_);  // people follow it while the job runs
}

void JobContext::progress(const Progress& progress) {
  outer_.progress(progress);
  const std::lock_guard lock(mutex_);
  if (clock().uptime() - sampled_ >= kMemoryInterval) {
    sampled_ = clock().uptime();
    memory_peak_ = std::max(memory_peak_, resident_bytes());
  }
  const bool new_phase = !progress.phase.empty() && progress.phase != phase_;
  if (!new_phase && clock().uptime() - written_ < kRecordInterval) return;
  if (new_phase) phase_ = progress.phase;
  written_ = clock().uptime();
  write_record(progress, new_phase);
}

const Json* JobContext::provenance() const {
  return provenance_.get();
}

void JobContext::set_provenance(const Json& record) {
  provenance_ = std::make_unique<const Json>(record);
}

void JobContext::used(double cpu_seconds, std::int64_t memory_bytes) {
  const std::lock_guard lock(mutex_);
  cpu_seconds_ += cpu_seconds;
  program_memory_peak_ = std::max(program_memory_peak_, memory_bytes);
}

void JobContext::holds(std::int64_t memory_bytes) {
  const std::lock_guard lock(mutex_);
  memory_peak_ = std::max(memory_peak_, memory_bytes);
}

double JobContext::program_cpu_seconds() const {
  const std::lock_guard lock(mutex_);
  return cpu_seconds_;
}

std::int64_t JobContext::memory_peak_bytes() const {
  const std::lock_guard lock(mutex_);
  return program_memory_peak_ > 0 ? program_memory_peak_ : memory_peak_;
}

void JobContext::write_record(const Progress& progress, bool new_phase) {
  const std::int64_t now = to_millis(clock().now());
  const auto written = jobs().modify(kind_, name_, [&](Json& record) -> Status {
    if (!new_phase) tell_progress(progress, record);
    record[kNotes]["Progress"] = to_json(progress);
    record["LastModifiedTime"] = now;
    if (new_phase && record.contains("SecondaryStatusTransitions"))
      begin_secondary_status(record, progress.phase, progress.message, now);
    return {};
  });
  if (!written)
    outer_.log("progress of " + kind_ + " " + name_ + " was not recorded: " + written.error().message);
}

std::string progress_words(const Progress& progress) {
  std::string words;
  const auto add = [&](const char* format, double value, const std::string& before = {}) {
    char text[48];
    std::snprintf(text, sizeof text, format, value);
    words.append(words.empty() ? "" : ", ").append(before).append(text);
  };
  if (progress.round >= 0) add("round %.0f", static_cast<double>(progress.round));
  if (progress.round >= 0 && progress.rounds >= 0) words += " of " + std::to_string(progress.rounds);
  if (progress.rows >= 0) add("%.0f rows", static_cast<double>(progress.rows));
  if (!progress.metric.empty()) add(" %.6g", progress.value, progress.metric);
  if (progress.eta_s >= 0) add("about %.0f s left", std::ceil(progress.eta_s));
  return words;
}

Json to_json(const Progress& progress) {
  Json json = Json::object();
  if (!progress.phase.empty()) json["phase"] = progress.phase;
  if (progress.fraction >= 0) json["fraction"] = progress.fraction;
  if (progress.rows >= 0) json["rows"] = progress.rows;
  if (progress.rows_per_s >= 0) json["rowsPerSecond"] = progress.rows_per_s;
  if (progress.round >= 0) json["round"] = progress.round;
  if (progress.rounds >= 0) json["rounds"] = progress.rounds;
  if (!progress.metric.empty()) {
    json["metric"] = progress.metric;
    json["value"] = progress.value;
  }
  if (progress.eta_s >= 0) json["etaSeconds"] = progress.eta_s;
  return json;
}

void begin_secondary_status(Json& record, const std::string& status, const std::string& message,
                            std::int64_t now_ms) {
  Json& transitions = record["SecondaryStatusTransitions"];
  if (!transitions.empty() && !transitions.back().contains("EndTime")) transitions.back()["EndTime"] = now_ms;
  Json transition = {{"Status", status}, {"StartTime", now_ms}};
  if (!message.empty()) transition["StatusMessage"] = message;
  transitions.push_back(std::move(transition));
  record["SecondaryStatus"] = status;
}

}  // namespace millrace::tasks
