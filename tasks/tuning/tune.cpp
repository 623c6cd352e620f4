#include "tasks/tuning/tune.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/cpu_meter.h"
#include "tasks/tuning/gaussian_process.h"
#include "tasks/tuning/results.h"
#include "tasks/tuning/tpe.h"

namespace millrace::tasks {

namespace {

constexpr std::size_t kMedianTrials = 5;  // the median rule's least number of completed trials
constexpr int kRedraws = 20;              // tries for a point that has not been tried before

double loss_of(const TuningSpec& spec, double value) {
  return spec.maximize ? -value : value;
}

// The median rule for one trial: averages[k][r] is the mean of trial k's first r + 1 values.
class MedianRule {
 public:
  MedianRule(const TuningSpec& spec, std::span<const TrialRecord> known) : maximize_(spec.maximize) {
    for (const TrialRecord& record : known) {
      if (record.outcome.status != TrialStatus::Completed || record.curve.empty()) continue;
      std::vector<double> averages;
      double sum = 0;
      for (const double value : record.curve) {
        sum += value;
        averages.push_back(sum / static_cast<double>(averages.size() + 1));
      }
      averages_.push_back(std::move(averages));
    }
  }

  bool stops(std::size_t round, double value) const {
    std::vector<double> at_round;
    for (const auto& averages : averages_) {
      if (round < averages.size()) at_round.push_back(averages[round]);
    }
    if (at_round.size() < kMedianTrials) return false;
    std::ranges::sort(at_round);
    const std::size_t n = at_round.size();
    const double median = n % 2 == 1 ? at_round[n / 2] : (at_round[n / 2 - 1] + at_round[n / 2]) / 2;
    return maximize_ ? value < median : value > median;
  }

 private:
  bool maximize_;
  std::vector<std::vector<double>> averages_;
};

// When Hyperband ends a trial.
class HalvingRule {
 public:
  HalvingRule(const TuningSpec& spec, std::span<const TrialRecord> known, std::size_t index)
      : spec_(spec), bracket_(bracket_of(spec.halving, index)) {
    for (std::size_t i = 0; i < known.size(); ++i) {
      if (bracket_of(spec.halving, i) == bracket_ && known[i].outcome.status != TrialStatus::Failed)
        others_.push_back(known[i].curve);
    }
  }
  bool stops(const std::vector<double>& curve) const {
    return halving_stops(spec_.halving, bracket_, curve, others_, spec_.maximize);
  }

 private:
  const TuningSpec& spec_;
  const int bracket_;
  std::vector<std::vector<double>> others_;
};

// What was learnt elsewhere, as points of this space.
std::vector<Observation> observations_of(const TuningSpec& spec, const std::vector<Experience>& experience) {
  std::vector<Observation> out;
  for (const Experience& one : experience) {
    auto point = point_of(spec.space, one.parameters);
    if (point && std::isfinite(one.value)) out.push_back({std::move(*point), loss_of(spec, one.value)});
  }
  return out;
}

// Suggests trial after trial from what it may know.
class Suggester {
 public:
  Suggester(const TuningSpec& spec, std::vector<Observation> before)
      : spec_(spec), before_(std::move(before)) {}

  // `known`: the first trials' records, in order. Called once for each trial, in order.
  Trial next(std::span<const TrialRecord> known) {
    const std::size_t index = points_.size();
    Random random = Random(spec_.seed).derive("trial", index);
    Point point = draw(index, known, random);
    for (int i = 0; i < kRedraws && spec_.strategy != TuningSpec::Strategy::Grid && tried(point); ++i) {
      point = random_point(spec_.space, random);
    }
    Trial trial;
    trial.parameters = values_of(spec_.space, point);
    points_.push_back(std::move(point));
    trial.number = static_cast<std::int64_t>(index) + 1;
    trial.job_name = job_name(trial.number);
    return trial;
  }

 private:
  Point draw(std::size_t index, std::span<const TrialRecord> known, Random& random) const {
    if (spec_.strategy == TuningSpec::Strategy::Grid) return grid_point(spec_.space, index);
    if (spec_.strategy == TuningSpec::Strategy::Random) return random_point(spec_.space, random);
    std::vector<Observation> observations = before_;
    for (std::size_t i = 0; i < known.size(); ++i) {
      const auto found = known[i].outcome.metrics.find(spec_.metric);
      if (known[i].outcome.status == TrialStatus::Failed || found == known[i].outcome.metrics.end()) continue;
      observations.push_back({points_[i], loss_of(spec_, found->second)});
    }
    return spec_.surrogate == TuningSpec::Surrogate::GaussianProcess
               ? suggest_gaussian_process(spec_.space, observations, random)
               : suggest_tpe(spec_.space, observations, random);
  }

  bool tried(const Point& point) const {
    return std::ranges::find(points_, point) != points_.end() ||
           (spec_.identical && std::ranges::find(before_, point, &Observation::point) != before_.end());
  }

  std::string job_name(std::int64_t number) const {
    char text[32];
    std::snprintf(text, sizeof text, "-%03lld-%08llx", static_cast<long long>(number),
                  static_cast<unsigned long long>(hash64(spec_.job_name, static_cast<std::uint64_t>(number)) &
                                                  0xffffffffu));
    return spec_.job_name + text;
  }

  const TuningSpec& spec_;
  const std::vector<Observation> before_;  // of other jobs
  std::vector<Point> points_;
};

class Search {
 public:
  Search(const TuningSpec& spec, const std::vector<TrialRecord>& finished, const RunTrial& run_trial,
         TaskContext& context, const std::vector<Experience>& experience, std::optional<Instant> begin)
      : spec_(spec),
        run_trial_(run_trial),
        context_(context),
        suggester_(spec, observations_of(spec, experience)),
        begun_(context.clock().uptime()) {
    if (spec.runtime_max_s > 0)
      deadline_ = begin.value_or(context.clock().now()) + std::chrono::seconds(spec.runtime_max_s);
    for (const TrialRecord& record : finished) finished_[record.trial.number] = record;
    slots_.resize(static_cast<std::size_t>(spec.trials_max));
  }

  Result<std::vector<TrialRecord>> run() {
    {
      std::vector<std::jthread> threads;
      for (std::int64_t i = 0; i < spec_.parallel_max; ++i)
        threads.emplace_back([this, meter = CpuMeter::current()] {
          const CpuScope scope(meter);
          work();
        });
    }
    if (error_) return tl::make_unexpected(std::move(*error_));
    return std::move(done_);
  }

 private:
  void work() {
    while (true) {
      std::unique_lock lock(mutex_);
      const auto claimed = claim(lock);
      if (!claimed) return;
      const std::size_t index = static_cast<std::size_t>(claimed->number) - 1;
      // What this trial may know is a prefix that does not change any more; done_ may grow behind it, so it
      // is copied.
      const std::vector<TrialRecord> known(done_.begin(),
                                           done_.begin() + static_cast<std::ptrdiff_t>(known_count(index)));
      lock.unlock();
      auto record = run_one(*claimed, known);
      lock.lock();
      if (!record) {
        if (!error_) error_ = std::move(record).error();
      } else {
        slots_[index] = std::move(*record);
        settle();
      }
      changed_.notify_all();
    }
  }

  // How many of the first trials are known to the trial of this index.
  std::size_t known_count(std::size_t index) const {
    const auto window = static_cast<std::size_t>(spec_.parallel_max);
    return index + 1 > window ? index + 1 - window : 0;
  }

  // The next trial, once what it may know has ended; nothing when there is none left.
  std::optional<Trial> claim(std::unique_lock<std::mutex>& lock) {
    while (true) {
      if (error_ || next_ >= slots_.size()) return std::nullopt;
      if (context_.cancelled()) {
        error_ = Error{ErrorCode::Cancelled, "tuning was stopped"};
        return std::nullopt;
      }
      const std::size_t known = known_count(next_);
      if (done_.size() >= known) {
        if (reached_target(known) || no_longer_improves(known) || time_is_up()) return std::nullopt;
        ++next_;
        return suggester_.next(std::span(done_).first(known));
      }
      changed_.wait_for(lock, std::chrono::milliseconds(200));
    }
  }

  bool reached_target(std::size_t known) const {
    return spec_.target_value &&
           std::any_of(
               done_.begin(), done_.begin() + static_cast<std::ptrdiff_t>(known), [&](const TrialRecord& r) {
                 const auto found = r.outcome.metrics.find(spec_.metric);
                 return r.outcome.status == TrialStatus::Completed && found != r.outcome.metrics.end() &&
                        loss_of(spec_, found->second) <= loss_of(spec_, *spec_.target_value);
               });
  }

  // So many trials in a row are no more than 1 % better than the best before them, as SageMaker counts.
  bool no_longer_improves(std::size_t known) const {
    if (spec_.not_improving_max == 0) return false;
    std::optional<double> best;
    std::int64_t idle = 0;
    for (std::size_t i = 0; i < known; ++i) {
      const auto found = done_[i].outcome.metrics.find(spec_.metric);
      if (done_[i].outcome.status != TrialStatus::Completed || found == done_[i].outcome.metrics.end()) {
        ++idle;
        continue;
      }
      const double loss = loss_of(spec_, found->second);
      const bool better = !best || loss < *best - std::abs(*best) / 100;
      idle = better ? 0 : idle + 1;
      if (!best || loss < *best) best = loss;
    }
    return idle >= spec_.not_improving_max;
  }

  // What runs when the time is over comes to its end, and what an earlier run had done is there. The first
  // trial begins whatever the time.
  bool time_is_up() const {
    const bool done_before = finished_.contains(static_cast<std::int64_t>(next_) + 1);
    return deadline_ && next_ > 0 && !done_before && context_.clock().now() >= *deadline_;
  }

  // Moves what has ended without a gap behind the known trials, and reports.
  void settle() {
    while (done_.size() < slots_.size() && slots_[done_.size()]) done_.push_back(*slots_[done_.size()]);
    Progress progress;
    progress.phase = "Tuning";
    progress.round = std::ranges::count_if(slots_, [](const auto& slot) { return slot.has_value(); });
    progress.rounds = spec_.trials_max;
    progress.fraction = static_cast<double>(progress.round) / static_cast<double>(progress.rounds);
    progress.eta_s = static_cast<double>((context_.clock().uptime() - begun_).count()) / 1000 *
                     (1 - progress.fraction) / progress.fraction;
    if (const auto best = best_of(spec_, done_)) {
      progress.metric = spec_.metric, progress.value = done_[*best].outcome.metrics.at(spec_.metric);
    }
    context_.progress(progress);
  }

  Result<TrialRecord> run_one(const Trial& trial, const std::vector<TrialRecord>& known) {
    const auto earlier = finished_.find(trial.number);
    if (earlier != finished_.end() && earlier->second.trial.parameters == trial.parameters)
      return earlier->second;
    TrialRecord record;
    record.trial = trial;
    const MedianRule rule(spec_, known);
    const HalvingRule halving(spec_, known, static_cast<std::size_t>(trial.number) - 1);
    const bool hyperband = spec_.strategy == TuningSpec::Strategy::Hyperband;
    TrainHooks hooks;
    hooks.metric = [&](const MetricPoint& point) {
      if (point.name == spec_.metric) record.curve.push_back(point.value);
    };
    hooks.stop_early = [&](const MetricPoint& point) {
      if (point.name != spec_.metric || record.curve.empty()) return false;
      if (hyperband) return halving.stops(record.curve);
      return spec_.stop_early && rule.stops(record.curve.size() - 1, point.value);
    };
    MR_TRY(outcome, run_trial_(trial, trial_request(spec_, trial), hooks));
    record.outcome = std::move(outcome);
    if (hyperband && record.outcome.status == TrialStatus::Stopped &&
        record.curve.size() >= static_cast<std::size_t>(spec_.halving.most))
      record.outcome.status = TrialStatus::Completed;  // it had all that there was to have
    const auto value = record.outcome.metrics.find(spec_.metric);
    if (record.outcome.status != TrialStatus::Failed &&
        (value == record.outcome.metrics.end() || !std::isfinite(value->second))) {
      record.outcome.status = TrialStatus::Failed;
      record.outcome.failure =
          "the training job gave no finite value of the objective '" + spec_.metric + "'";
    }
    context_.log("trial " + std::to_string(trial.number) + " " + describe(spec_, record));
    return record;
  }

  const TuningSpec& spec_;
  const RunTrial& run_trial_;
  TaskContext& context_;
  std::map<std::int64_t, TrialRecord> finished_;  // of an earlier run; constant
  std::mutex mutex_;                              // over what follows
  std::condition_variable changed_;
  Suggester suggester_;
  std::size_t next_ = 0;                           // index of the next trial to suggest
  std::vector<std::optional<TrialRecord>> slots_;  // by index
  std::vector<TrialRecord> done_;                  // the first trials up to the first that has not ended
  std::optional<Error> error_;
  const Millis begun_;
  std::optional<Instant> deadline_;  // no new trials from then on
};

}  // namespace

Result<TuningResult> run_tuning(const TuningSpec& spec, const std::vector<TrialRecord>& finished,
                                const RunTrial& run_trial, TaskContext& context,
                                const std::vector<Experience>& experience, std::optional<Instant> begin) {
  TuningResult result;
  Search search(spec, finished, run_trial, context, experience, begin);
  MR_TRY(trials, search.run());
  result.trials = std::move(trials);
  result.best = best_of(spec, result.trials);
  result.results_uri = spec.results_uri();
  MR_DO(write_results(spec, result.trials, context.objects(), result.results_uri));
  if (!result.best) {
    return invalid("all " + std::to_string(result.trials.size()) +
                   " training jobs failed; the first one: " + result.trials.front().outcome.failure);
  }
  return result;
}

}  // namespace millrace::tasks
