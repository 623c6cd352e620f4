#include "tasks/steps/step_run.h"

#include <nlohmann/json.hpp>

#include "base/time.h"
#include "tasks/arguments.h"
#include "tasks/jobs/job_context.h"
#include "tasks/steps/step_cache.h"

namespace millrace::tasks {
namespace {

std::uint64_t input_bytes(const Json& step) {
  std::uint64_t bytes = 0;
  for (const Json& input : step.value("Inputs", Json::array()))
    bytes += input.value("Bytes", std::uint64_t{0});
  return bytes;
}

// Whether what was read is still what it was; checkpoints are the job's own to change.
bool same_bytes(const StepPlan& plan, const Json& before, const Json& now) {
  if (text_at(before, {"Code", "Sha256"}) != text_at(now, {"Code", "Sha256"})) return false;
  for (std::size_t i = 0; i < plan.inputs.size(); ++i)
    if (!plan.inputs[i].optional &&
        text_in(before.at("Inputs")[i], "Sha256") != text_in(now.at("Inputs")[i], "Sha256"))
      return false;
  return true;
}

}  // namespace

StepRun::StepRun(const JobKind& kind, const std::string& name, const Json& request, const Json& record,
                 bool first_run, JobContext& context)
    : kind_(kind),
      name_(name),
      request_(request),
      context_(context),
      begin_{record.value(std::string(kind.entity.kind.substr(0, kind.entity.kind.size() - 3)) + "StartTime",
                          record.value("CreationTime", std::int64_t{0})),
             first_run ? std::optional(context.objects().sent().count()) : std::nullopt} {}

StepTools StepRun::tools() const {
  return {context_.objects(), *context_.call().hashes, [this] { return context_.cancelled(); }};
}

void StepRun::describe() {
  if (!context_.call().hashes) return;
  auto plan = plan_step(kind_.entity, request_, context_.jobs());
  if (!plan || !*plan) return;  // what is wrong with the request the work says in its own words
  auto step = describe_step(kind_.entity, **plan, tools());
  if (!step) return;
  plan_ = std::move(*plan);
  step_ = std::move(*step);
  context_.set_provenance(provenance_of(step_));
}

// Nothing: the work is to be done. An error: the result could not be put where it belongs.
Result<std::optional<Json>> StepRun::reuse() {
  const auto policy = cache_policy_of(request_, context_.call().cache);
  if (!policy || step_.is_null()) return std::optional<Json>();
  const CacheQuestion question{
      kind_.entity, name_, step_, *policy, to_millis(context_.clock().now()), [this](const Json& source) {
        return !kind_.reuse || kind_.reuse(source, false).has_value();
      }};
  CacheAnswer answer = ask_step_cache(question, context_.jobs(), tools());
  cache_ = {{"Policy", policy->text}, {"Result", !policy->on ? "off" : answer.source ? "hit" : "miss"}};
  cache_["Why"] = answer.why;
  if (!answer.source) {
    if (policy->on) {
      context_.log("step cache: no earlier result can be used");
      for (const std::string& line : answer.why) context_.log("  " + line);
    }
    return std::optional<Json>();
  }
  const Json& source = *answer.source;
  const Json& step = source.at(kNotes).at(kStep);
  source_ = text_in(source, name_field(kind_.entity));
  cache_["Source"] = text_in(source, arn_field(kind_.entity));
  Json fields = Json::object();
  for (const Json& field : step.value("Fields", Json::array()))
    if (source.contains(field.get<std::string>()))
      fields[field.get<std::string>()] = source[field.get<std::string>()];
  MR_TRY(outputs, reuse_outputs(*plan_, step, fields, tools()));
  results_ = {{"Fields", step.value("Fields", Json::array())}, {"Outputs", std::move(outputs)}};
  Json extra = kind_.reuse ? *kind_.reuse(source, true) : Json::object();
  if (source.at(kNotes).contains(kCourse)) extra[kCourse] = source.at(kNotes).at(kCourse);
  if (kind_.entity.kind == kProcessingJob.kind && !fields.contains("ExitMessage"))
    fields["ExitMessage"] = cached_words();
  if (!extra.empty()) fields[kNotes] = extra;
  context_.log(cached_words());
  for (const std::string& line : answer.why) context_.log("  " + line);
  return std::optional<Json>(std::move(fields));
}

// What the job left, as far as it is certain which bytes it was made of.
void StepRun::describe_results(const Json& fields) {
  if (step_.is_null()) return;
  const auto again = describe_step(kind_.entity, *plan_, tools());
  if (!again || !same_bytes(*plan_, step_, *again)) {
    // It may have read the one or the other: its result is nobody else's.
    context_.log("what the job read changed while it ran; its result is not kept for others");
    step_.erase("Key");
    return;
  }
  bool whole = false;
  auto outputs = describe_outputs(*plan_, begin_, tools(), whole);
  if (!outputs) return;
  results_ = {{"Fields", Json::array()}};
  for (const auto& [name, value] : fields.items())
    if (name != kNotes) results_["Fields"].push_back(name);
  results_[whole ? "Outputs" : "PartOfOutputs"] = std::move(*outputs);
}

// Records may be older than this program, or of somebody else's making: what is wrong with them costs the
// record, not the job.
void StepRun::guarded(const std::function<void()>& part) {
  try {
    part();
  } catch (const std::exception& error) {
    context_.log(std::string("the step can't be recorded: ") + error.what());
    step_ = Json();
    source_.clear();
  }
}

Result<Json> StepRun::run(const std::function<Result<Json>()>& work) {
  const CpuScope scope(&meter_);
  began_ = context_.clock().uptime();
  context_.holds(resident_bytes());
  guarded([this] { describe(); });
  Result<std::optional<Json>> reused = std::optional<Json>();
  guarded([&] { reused = reuse(); });
  if (!reused) {
    context_.log("the earlier result can't be put in place: " + reused.error().message);
    source_.clear(), results_ = Json(), cache_["Result"] = "miss";
    reused = std::optional<Json>();
  }
  const Result<Json> result = *reused ? Result<Json>(**reused) : work();
  if (result && source_.empty()) guarded([&] { describe_results(*result); });
  context_.holds(resident_bytes());
  ended_ = context_.clock().uptime();
  return result;
}

Json StepRun::usage() const {
  const double seconds = static_cast<double>((ended_ - began_).count()) / 1000;
  const auto rounded = [](double value) {
    return static_cast<double>(static_cast<std::int64_t>(value * 1000 + 0.5)) / 1000;
  };
  Json usage = {{"Seconds", seconds},
                {"CpuSeconds", rounded(meter_.seconds() + context_.program_cpu_seconds())},
                {"MemoryPeakBytes", context_.memory_peak_bytes()},
                {"BytesRead", source_.empty() && !step_.is_null() ? input_bytes(step_) : 0}};
  const std::int64_t price = context_.call().cents_per_hour;
  if (price > 0) {
    usage["CentsPerHour"] = price;
    usage["EstimatedCost"] = source_.empty() ? static_cast<double>(price) / 100 * seconds / 3600 : 0.0;
  }
  return usage;
}

Json StepRun::notes(bool completed) const {
  Json step = step_.is_null() ? Json::object() : step_;
  step["Usage"] = usage();
  if (!cache_.is_null()) step["Cache"] = cache_;
  if (completed && !results_.is_null()) step.update(results_);
  return step;
}

std::string StepRun::cached_words() const {
  return source_.empty() ? "" : "Cached: the result of " + std::string(kind_.entity.kind) + " " + source_;
}

}  // namespace millrace::tasks
