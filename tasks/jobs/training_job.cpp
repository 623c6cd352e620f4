// TrainingJob: a built-in algorithm, or a program of the user's.

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <vector>

#include "base/time.h"
#include "tasks/arguments.h"
#include "tasks/jobs/debug_watch.h"
#include "tasks/jobs/job_context.h"
#include "tasks/jobs/job_kinds.h"
#include "tasks/jobs/rank_job.h"
#include "tasks/script/run_script.h"
#include "tasks/script/train_script.h"
#include "tasks/training/train.h"

namespace millrace::tasks {
namespace {

bool is_script(const Json& request) {
  return names_program(request) || text_at(request, {"AlgorithmSpecification", "TrainingImage"}) == "script";
}

// The values of every metric as they came, of many every second, fourth, … one; and what all of them come to.
class MetricCourse {
 public:
  void add(const MetricPoint& point) {
    Series& series = series_[point.name];
    series.count_in(point.value);
    if (series.count++ % series.stride != 0) return;
    series.values.push_back(point.value);
    if (series.values.size() < kPointsMax) return;
    for (std::size_t i = 0; 2 * i < series.values.size(); ++i) series.values[i] = series.values[2 * i];
    series.values.resize((series.values.size() + 1) / 2);
    series.stride *= 2;
  }
  Json document() const {
    Json document = Json::object();
    for (const auto& [name, series] : series_)
      document[name] = {{"Stride", series.stride},     {"Values", series.values}, {"Count", series.count},
                        {"Min", series.min},           {"Max", series.max},       {"Avg", series.mean},
                        {"StdDev", series.deviation()}};
    return document;
  }

 private:
  static constexpr std::size_t kPointsMax = 512;  // of one metric
  struct Series {
    std::size_t count = 0, stride = 1;
    std::vector<double> values;
    double min = 0, max = 0, mean = 0, squares = 0;  // squares: of the distances from the mean (Welford 1962)

    void count_in(double value) {  // before `count` knows it
      min = count == 0 ? value : std::min(min, value);
      max = count == 0 ? value : std::max(max, value);
      const double off = value - mean;
      mean += off / static_cast<double>(count + 1);
      squares += off * (value - mean);
    }
    double deviation() const {
      return std::sqrt(squares / static_cast<double>(std::max<std::size_t>(count, 1)));
    }
  };
  std::map<std::string, Series> series_;
};

// The algorithm, what it learns and which tensors it shows; all empty of a program.
struct Trained {
  std::string algorithm, task;
  std::string_view collections;
};
Result<Trained> algorithm_of(const Json& request) {
  if (is_script(request)) return Trained();
  MR_TRY(spec, parse_training_spec(request));
  return Trained{std::string(spec.kind->name), std::string(task_of(spec)), spec.kind->collections};
}

// What jobs use of the machine is in their records anyway; rules about it are not offered.
Status check_profiler(const Arguments& request) {
  MR_TRY(profiler, request.object_or_empty("ProfilerConfig"));
  MR_DO(profiler.text_or("S3OutputPath", ""));
  MR_TRY(interval, profiler.integer_or("ProfilingIntervalInMilliseconds", 500));
  constexpr std::int64_t kIntervals[] = {100, 200, 500, 1000, 5000, 60'000};
  if (std::ranges::find(kIntervals, interval) == std::end(kIntervals))
    return profiler.wrong("ProfilingIntervalInMilliseconds",
                          "is " + std::to_string(interval) + ": expected 100, 200, 500, 1000, 5000 or 60000");
  MR_DO(profiler.boolean_or("DisableProfiler", false));
  MR_TRY(rules, request.list("ProfilerRuleConfigurations"));
  if (rules.empty()) return {};
  return request.wrong(
      "ProfilerRuleConfigurations", "rules about the use of the machine are not offered",
      "leave them out; time, processor and memory of each job are in its record: millrace jobs "
      "describe NAME");
}

// MaxWaitTimeInSeconds is the whole time of a spot job, with its interruptions.
Status check_spot(const Arguments& request) {
  MR_TRY(spot, request.boolean_or("EnableManagedSpotTraining", false));
  MR_TRY(stopping, request.object_or_empty("StoppingCondition"));
  MR_TRY(wait_s, stopping.integer_or("MaxWaitTimeInSeconds", 0));
  if (!stopping.has("MaxWaitTimeInSeconds")) return {};
  MR_TRY(runtime_s, stopping.integer_or("MaxRuntimeInSeconds", 86'400));
  if (!spot) return stopping.wrong("MaxWaitTimeInSeconds", "is for jobs with EnableManagedSpotTraining");
  if (wait_s < runtime_s)
    return stopping.wrong("MaxWaitTimeInSeconds", "must be at least MaxRuntimeInSeconds");
  return {};
}

}  // namespace

Status check_training(const Json& request, TaskContext&) {
  // What the shapes below take for granted, with the field's name when it is something else.
  MR_TRY(algorithm, Arguments(request).object("AlgorithmSpecification"));
  MR_DO(algorithm.text_or("TrainingImage", ""));
  MR_DO(Arguments(request).text_map("HyperParameters"));
  MR_DO(check_spot(Arguments(request)));
  MR_DO(check_profiler(Arguments(request)));
  if (is_script(request)) {
    MR_DO(check_script_training(request));
  } else {
    MR_DO(parse_training_spec(request));
  }
  MR_TRY(names, algorithm_of(request));
  MR_DO(DebugRules::parse(request, names.algorithm));
  MR_DO(DebugOutput::parse(request, names.collections));
  return {};
}

namespace {

Result<Json> train_unwatched(const Json& request, JobContext& context, const TrainHooks& hooks) {
  if (is_script(request)) return run_script_training(request, context, hooks);
  MR_TRY(spec, parse_training_spec(request));
  MR_TRY(ranks, rank_count(spec, hooks, context));
  MR_TRY(result, ranks > 1 ? train_in_ranks(request, spec, ranks, context, hooks)
                           : run_training(spec, context, hooks));
  Json fields = {{"ModelArtifacts", {{"S3ModelArtifacts", result.model_uri}}},
                 {"FinalMetricDataList", final_metrics(result.metrics, to_millis(context.clock().now()))}};
  if (result.stopped_early) fields[kStoppedEarly] = true;
  return fields;
}

}  // namespace

Result<Json> train_in_job(const Json& request, JobContext& context, const TrainHooks& hooks) {
  MetricCourse course;
  TrainHooks both = hooks;
  both.metric = [&](const MetricPoint& point) {
    course.add(point);
    if (hooks.metric) hooks.metric(point);
  };
  MR_TRY(algorithm, algorithm_of(request));
  MR_TRY(rules, DebugRules::parse(request, algorithm.algorithm));
  MR_TRY(output, DebugOutput::parse(request, algorithm.collections));
  const auto train = [&]() -> Result<Json> {
    if (rules.rules().empty() && output.idle()) return train_unwatched(request, context, both);
    DebugWatch watch(std::move(rules), std::move(output), algorithm.task, request, context);
    auto trained = train_unwatched(request, context, watch.hooks(both));
    watch.end(trained.has_value());
    if (trained || !watch.stops() || trained.error().code == ErrorCode::Cancelled) return trained;
    // A rule saw it coming, but there is no model yet that could be kept.
    context.log(trained.error().message);
    return fail(ErrorCode::Cancelled, "a rule stopped the job");
  };
  MR_TRY(fields, train());
  fields[kNotes] = {{kCourse, course.document()}};
  return fields;
}

const JobKind kTrainingJobKind{kTrainingJob, check_training, [](const Json& request, JobContext& context) {
                                 return train_in_job(request, context, {});
                               }};

}  // namespace millrace::tasks
