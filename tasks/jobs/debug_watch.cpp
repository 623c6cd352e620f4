#include "tasks/jobs/debug_watch.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/time.h"
#include "tasks/arguments.h"
#include "tasks/jobs/entities.h"
#include "tasks/jobs/xgboost_report.h"

namespace millrace::tasks {
namespace {

constexpr std::chrono::milliseconds kLookAtClock{500};
constexpr const char* kStatuses = "DebugRuleEvaluationStatuses";
constexpr std::string_view kIssuesFound = "IssuesFound";
constexpr std::size_t kCoursePointsMax = 200'000;  // of a report; later ones are not in its curves

}  // namespace

DebugWatch::DebugWatch(DebugRules rules, DebugOutput output, std::string task, const Json& request,
                       JobContext& context)
    : context_(context),
      task_(std::move(task)),
      request_(request),
      output_(std::move(output)),
      rules_(std::move(rules)),
      changed_ms_(rules_.rules().size(), to_millis(context.clock().now())),
      last_report_(context.clock().uptime()) {
  for (const std::string& name : output_.unknown())
    context_.log("DebugHookConfig: there are no tensors of the collection '" + name +
                 "'; nothing is saved of it");
  rules_.look_up_others([this](const std::string& job, const Tensor& tensor, std::int64_t step) {
    const auto record = context_.jobs().find(kTrainingJob.kind, job);
    return record ? DebugOutput::saved_sha256(*record, tensor, step, context_.objects()) : std::string();
  });
  begin();
  if (rules_.watches_time()) clock_.emplace([this] { watch_time(); });
}

DebugWatch::~DebugWatch() {
  {
    const std::lock_guard lock(mutex_);
    over_ = true;
  }
  ended_.notify_all();
}

// What an interrupted run had found is kept.
void DebugWatch::begin() {
  const auto record = context_.jobs().find(kTrainingJob.kind, context_.name());
  if (record && record->contains(kStatuses)) {
    for (const Json& status : record->at(kStatuses)) {
      const auto known =
          std::ranges::find(rules_.rules(), text_at(status, {"RuleConfigurationName"}), &DebugRule::name);
      if (known == rules_.rules().end() || text_at(status, {"RuleEvaluationStatus"}) != kIssuesFound)
        continue;
      const auto place = static_cast<std::size_t>(known - rules_.rules().begin());
      rules_.take_issue(place, text_at(status, {"StatusDetails"}));
      changed_ms_[place] = status.value("LastModifiedTime", changed_ms_[place]);
    }
  }
  write("InProgress");
}

void DebugWatch::write(const std::string& of_the_others) {
  if (rules_.rules().empty()) return;
  Json statuses = Json::array();
  for (std::size_t k = 0; k < rules_.rules().size(); ++k) {
    const DebugRule& rule = rules_.rules()[k];
    Json status = {{"RuleConfigurationName", rule.name},
                   {"RuleEvaluationStatus", rule.issue.empty() ? of_the_others : std::string(kIssuesFound)},
                   {"LastModifiedTime", changed_ms_[k]}};
    if (!rule.issue.empty()) status["StatusDetails"] = rule.issue;
    statuses.push_back(std::move(status));
  }
  const auto written =
      context_.jobs().modify(kTrainingJob.kind, context_.name(), [&](Json& record) -> Status {
        record[kStatuses] = statuses;
        record["LastModifiedTime"] = to_millis(context_.clock().now());
        return {};
      });
  if (!written) context_.log("the rules' statuses were not recorded: " + written.error().message);
}

// With the lock held.
void DebugWatch::met(const std::vector<std::size_t>& rules, const std::string& when) {
  bool stops = false;
  for (const std::size_t k : rules) {
    const DebugRule& rule = rules_.rules()[k];
    changed_ms_[k] = to_millis(context_.clock().now());
    context_.log("rule " + rule.name + ": IssuesFound" + when + ": " + rule.issue +
                 (rule.stops ? "; the job is stopped" : ""));
    stops |= rule.stops;
  }
  if (rules.empty()) return;
  write("InProgress");
  if (!stops || stop_) return;
  stop_ = true;
  // Trainers of ours are asked at the next metric; whoever reports none is stopped.
  if (task_.empty() || !(when.starts_with(" in round") || when.starts_with(" in step")))
    context_.jobs().request_stop(kTrainingJob.kind, context_.name());
}

TrainHooks DebugWatch::hooks(const TrainHooks& outer) {
  TrainHooks own = outer;
  own.metric = [this, &outer](const MetricPoint& point) {
    if (outer.metric) outer.metric(point);
    if (course_.size() < kCoursePointsMax && !rules_.reports().empty()) course_.push_back(point);
    const std::lock_guard lock(mutex_);
    last_report_ = context_.clock().uptime();
    met(rules_.on_metric(point), " in round " + std::to_string(point.round));
  };
  own.stop_early = [this, &outer](const MetricPoint& point) {
    const bool outer_stops = outer.stop_early && outer.stop_early(point);
    const std::lock_guard lock(mutex_);
    return stop_ || outer_stops;
  };
  own.data = [this, &outer](const Dataset& train) {
    if (outer.data) outer.data(train);
    const std::lock_guard lock(mutex_);
    met(rules_.on_data(train, task_), " in the data");
  };
  own.model = [this, &outer](const Model& model, const Dataset* train, const Dataset* validation) {
    if (outer.model) outer.model(model, train, validation);
    write_reports(model, train, validation);
    const std::lock_guard lock(mutex_);
    met(rules_.on_model(model), " in the model");
  };
  own.tensors.wants = [this](std::int64_t step, bool begins_round) {
    if (output_.wants(step)) return true;
    const std::lock_guard lock(mutex_);
    return rules_.wants_tensors(step, begins_round);
  };
  own.tensors.show = [this](std::int64_t step, std::span<const Tensor> tensors) {
    save_tensors(step, tensors);
    const std::lock_guard lock(mutex_);
    last_report_ = context_.clock().uptime();
    met(rules_.on_tensors(step, tensors), " in step " + std::to_string(step));
  };
  return own;
}

// What can't be saved costs no training.
void DebugWatch::save_tensors(std::int64_t step, std::span<const Tensor> tensors) {
  if (output_failed_) return;
  const Status saved = output_.save(step, tensors, context_.objects());
  if (saved) return;
  output_failed_ = true;
  context_.log("tensors are not saved any more: " + saved.error().message);
}

void DebugWatch::write_reports(const Model& model, const Dataset* train, const Dataset* validation) {
  const std::vector<std::string> names = rules_.reports();
  if (names.empty()) return;
  HyperParameters parameters;
  if (auto given = Arguments(request_).text_map("HyperParameters")) parameters = std::move(*given);
  const auto page = xgboost_report({context_.name(), task_, model, train, validation, course_, parameters});
  if (!page) return context_.log("the report was not written: " + page.error().message);
  const std::string place = join_uri(
      join_uri(text_at(request_, {"OutputDataConfig", "S3OutputPath"}), context_.name()), "rule-output");
  for (const std::string& name : names) {
    const std::string uri = join_uri(join_uri(place, name), "xgboost_report.html");
    const Status written = context_.objects().write(uri, *page);
    context_.log(written ? "rule " + name + ": " + uri
                         : "the report was not written: " + written.error().message);
  }
}

bool DebugWatch::stops() const {
  const std::lock_guard lock(mutex_);
  return stop_;
}

void DebugWatch::watch_time() {
  std::unique_lock lock(mutex_);
  while (!ended_.wait_for(lock, kLookAtClock, [this] { return over_; })) {
    const Millis since = context_.clock().uptime() - last_report_;
    met(rules_.on_silence(since), "");
  }
}

void DebugWatch::end(bool completed) {
  const std::lock_guard lock(mutex_);
  over_ = true;
  ended_.notify_all();
  const std::int64_t now = to_millis(context_.clock().now());
  for (std::size_t k = 0; k < changed_ms_.size(); ++k) {
    if (rules_.rules()[k].issue.empty()) changed_ms_[k] = now;
  }
  write(completed ? "NoIssuesFound" : "Stopped");
}

}  // namespace millrace::tasks
