#include "tasks/automl/leaderboard.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "tasks/arguments.h"
#include "tasks/artifacts/object_store.h"
#include "tasks/automl/candidates.h"
#include "tasks/evaluation/html_report.h"
#include "tasks/evaluation/svg_rows.h"
#include "tasks/jobs/entities.h"

namespace millrace::tasks {

namespace {

constexpr double kInterval95 = 1.96;

double value_of(const Candidate& candidate, std::string_view metric) {
  const auto found = candidate.metrics.find(std::string(metric));
  return found == candidate.metrics.end() ? std::nan("") : found->second;
}

double deviation_of(const Candidate& candidate, std::string_view metric) {
  const auto found = candidate.deviations.find(std::string(metric));
  return found == candidate.deviations.end() ? 0 : found->second;
}

std::string members_text(const Candidate& candidate) {
  std::string out;
  for (const EnsembleMember& member : candidate.members) {
    if (!out.empty()) out += " + ";
    if (candidate.is_ensemble() && member.weight)
      out += short_number(std::round(*member.weight * 100) / 100) + " ";
    out += describe_member(member);
  }
  return out;
}

// A text with the execution's name in it.
std::string with_execution(const std::string& before, const std::string& after) {
  const auto literal = [](const std::string& text) {
    std::string out;
    for (const char c : text) {
      if (c == '\'' || c == '{' || c == '}' || c == '\\') out += '\\';
      out += c;
    }
    return out;
  };
  return "States.Format('" + literal(before) + "{}" + literal(after) + "', $$.Execution.Name)";
}

// Requests as the Parameters of a Task state: the job's name and what it writes are the execution's own, and
// so are inputs that an earlier state wrote.
class WorkflowParts {
 public:
  explicit WorkflowParts(std::string place) : place_(std::move(place)) {}

  // `uri` -> place/EXECUTION/name from now on.
  void moves(const std::string& uri, const std::string& name) { moved_.emplace_back(uri, "/" + name); }

  Json moved(Json value) const {
    if (value.is_array())
      for (Json& item : value) item = moved(std::move(item));
    if (!value.is_object()) return value;
    Json out = Json::object();
    for (auto& [key, member] : value.items()) {
      const std::string* after = member.is_string() ? find(member.get<std::string>()) : nullptr;
      if (after != nullptr)
        out[key + ".$"] = with_execution(place_, *after);
      else
        out[key] = moved(std::move(member));
    }
    return out;
  }

  Json state(const Json& request, const std::string& operation, const std::string& name_field,
             const std::string& suffix) const {
    Json parameters = moved(request);
    parameters.erase(name_field);
    parameters.erase("AutoMLJobArn");
    parameters[name_field + ".$"] = with_execution("", suffix);
    return {{"Type", "Task"},
            {"Resource", "arn:aws:states:::sagemaker:" + operation},
            {"Parameters", std::move(parameters)}};
  }

 private:
  const std::string* find(const std::string& uri) const {
    for (const auto& [from, after] : moved_)
      if (from == uri) return &after;
    return nullptr;
  }

  std::string place_;
  std::vector<std::pair<std::string, std::string>> moved_;
};

}  // namespace

std::string_view BoardRules::loss_metric() const {
  return problem == Problem::Binary       ? "validation:logloss"
         : problem == Problem::Classes    ? "validation:mlogloss"
         : problem == Problem::Regression ? "validation:rmse"
                                          : "test:mean_wQuantileLoss";
}

std::vector<std::size_t> rank_candidates(const BoardRules& rules, const std::vector<Candidate>& candidates) {
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    if (candidates[i].status == "Completed" && std::isfinite(value_of(candidates[i], rules.objective.metric)))
      order.push_back(i);
  }
  std::ranges::stable_sort(order, [&](std::size_t a, std::size_t b) {
    const double x = value_of(candidates[a], rules.objective.metric),
                 y = value_of(candidates[b], rules.objective.metric);
    if (x != y) return rules.objective.maximize ? x > y : x < y;
    return value_of(candidates[a], rules.loss_metric()) < value_of(candidates[b], rules.loss_metric());
  });
  return order;
}

std::optional<std::size_t> winner_of(const BoardRules& rules, const std::vector<Candidate>& candidates) {
  const std::vector<std::size_t> order = rank_candidates(rules, candidates);
  if (order.empty()) return std::nullopt;
  const Candidate& first = candidates[order[0]];
  for (const std::size_t i : order) {
    if (!candidates[i].is_ensemble()) continue;
    const double behind =
        std::abs(value_of(first, rules.objective.metric) - value_of(candidates[i], rules.objective.metric));
    if (behind <= deviation_of(candidates[i], rules.objective.metric)) return i;
  }
  return order[0];
}

Json candidate_document(const BoardRules& rules, const Candidate& candidate) {
  Json steps = Json::array();
  const auto step = [&](const EntityKind& kind, const std::string& name) {
    steps.push_back({{"CandidateStepType", "AWS::SageMaker::" + std::string(kind.kind)},
                     {"CandidateStepArn", entity_arn(kind, name)},
                     {"CandidateStepName", name}});
  };
  if (!rules.prepare_job.empty()) step(kProcessingJob, rules.prepare_job);
  step(kTrainingJob, candidate.name);
  Json out = {{"CandidateName", candidate.name},
              {"CandidateStatus", candidate.status},
              {"Description", members_text(candidate)},
              {"CandidateSteps", steps},
              {"CreationTime", candidate.created_ms},
              {"LastModifiedTime", std::max(candidate.created_ms, candidate.ended_ms)}};
  if (candidate.ended_ms > 0) out["EndTime"] = candidate.ended_ms;
  if (!candidate.failure.empty()) out["FailureReason"] = candidate.failure;
  const double value = value_of(candidate, rules.objective.metric);
  const bool scored = candidate.status == "Completed" && std::isfinite(value);
  out["ObjectiveStatus"] = scored ? "Succeeded" : candidate.status == "InProgress" ? "Pending" : "Failed";
  if (!scored) return out;
  out["FinalAutoMLJobObjectiveMetric"] = {{"Type", rules.objective.maximize ? "Maximize" : "Minimize"},
                                          {"MetricName", rules.objective.metric},
                                          {"StandardMetricName", rules.objective.name},
                                          {"Value", value}};
  out["InferenceContainers"] = Json::array(
      {{{"Image", rules.image}, {"ModelDataUrl", candidate.model_uri}, {"Environment", Json::object()}}});
  Json metrics = Json::array();
  for (const auto& [name, metric] : candidate.metrics) {
    Json entry = {{"MetricName", name},
                  {"StandardMetricName", standard_metric_name(rules.problem, name)},
                  {"Value", metric},
                  {"Set", "Validation"}};
    if (candidate.deviations.contains(name)) entry["StandardDeviation"] = candidate.deviations.at(name);
    metrics.push_back(std::move(entry));
  }
  out["CandidateProperties"]["CandidateMetrics"] = std::move(metrics);
  return out;
}

std::string leaderboard_page(const AutoMLSpec& spec, const BoardRules& rules,
                             const std::vector<Candidate>& candidates, std::optional<std::size_t> winner) {
  HtmlReport page("Candidates of " + spec.job_name);
  std::vector<std::pair<std::string, std::string>> figures = {
      {"candidates", std::to_string(candidates.size())}};
  const std::string objective(rules.objective.name);
  if (winner) {
    figures.emplace_back("best " + objective,
                         short_number(value_of(candidates[*winner], rules.objective.metric)));
    figures.emplace_back("winner", candidates[*winner].name);
  }
  page.figures(figures);
  page.paragraph(
      rules.problem == Problem::Forecasting
          ? "All figures are of the last " + std::to_string(spec.forecast.horizon) +
                " steps of each series, forecast from what is before them. Then the winner is trained "
                "on all steps."
          : "All figures are of rows that the models which answered had not seen. The interval holds "
            "the true value of the same model 95 times in 100; candidates whose intervals overlap much "
            "may well be equally good.");
  const bool loss_too = rules.loss_metric() != rules.objective.metric;
  std::vector<std::string> head = {"rank", "candidate", objective, "95 % interval"};
  if (loss_too) head.emplace_back(standard_metric_name(rules.problem, rules.loss_metric()));
  head.insert(head.end(), {"seconds", "what"});
  std::vector<HtmlReport::Row> rows;
  std::vector<std::pair<std::string, double>> bars;
  for (const std::size_t i : rank_candidates(rules, candidates)) {
    const Candidate& candidate = candidates[i];
    const double value = value_of(candidate, rules.objective.metric),
                 half = kInterval95 * deviation_of(candidate, rules.objective.metric);
    HtmlReport::Row row{{std::to_string(rows.size() + 1), candidate.name, short_number(value),
                         half > 0 ? short_number(value - half) + " … " + short_number(value + half) : ""},
                        winner == i};
    if (loss_too) row.cells.push_back(short_number(value_of(candidate, rules.loss_metric())));
    const auto seconds = static_cast<double>(candidate.ended_ms - candidate.created_ms) / 1000;
    row.cells.push_back(short_number(std::max(0.0, std::round(seconds * 10) / 10)));
    row.cells.push_back(members_text(candidate));
    bars.emplace_back(candidate.name, value);
    rows.push_back(std::move(row));
  }
  page.table(head, rows);
  if (!bars.empty()) page.chart(draw_bars(objective, objective, bars));
  std::vector<HtmlReport::Row> failures;
  for (const Candidate& candidate : candidates)
    if (candidate.status != "Completed")
      failures.push_back(
          {{candidate.name, candidate.status, candidate.failure, members_text(candidate)}, false});
  if (!failures.empty()) {
    page.heading("Without a result");
    page.table({"candidate", "status", "why", "what"}, failures);
  }
  return page.finish();
}

Json winning_workflow(const WinningJobs& jobs, const std::string& place, std::string_view comment) {
  WorkflowParts parts(join_uri(place, ""));
  struct Step {
    const char* name;
    const char* operation;
    const char* name_field;
    const char* suffix;
    const Json& request;
  };
  const Step all[] = {{"Split", "createProcessingJob.sync", "ProcessingJobName", "-split", jobs.split},
                      {"Prepare", "createProcessingJob.sync", "ProcessingJobName", "-prepare", jobs.prepare},
                      {"Train", "createTrainingJob.sync", "TrainingJobName", "-train", jobs.train}};
  // What a job writes is below the execution's own place, and so is what the next one reads of it.
  for (const auto& [request, folder] : {std::pair(&jobs.split, "raw"), {&jobs.prepare, "prepared"}}) {
    if (request->is_null()) continue;
    const std::string uri = (*request)["ProcessingOutputConfig"]["Outputs"][0]["S3Output"]["S3Uri"];
    parts.moves(uri, folder);
    for (const char* part : {"train", "validation", "all"})
      parts.moves(join_uri(uri, part), std::string(folder) + "/" + part);
  }
  parts.moves(jobs.train["OutputDataConfig"]["S3OutputPath"].get<std::string>(), "models");
  Json states = Json::object();
  std::string begin, before;
  for (const Step& step : all) {
    if (step.request.is_null()) continue;
    if (begin.empty()) begin = step.name;
    if (!before.empty()) states[before]["Next"] = step.name;
    states[step.name] = parts.state(step.request, step.operation, step.name_field, step.suffix);
    if (&step.request != &jobs.train) states[step.name]["ResultPath"] = nullptr;
    before = step.name;
  }
  states["Train"].update(
      {{"ResultSelector",
        {{"model.$", "$.ModelArtifacts.S3ModelArtifacts"}, {"metrics.$", "$.FinalMetricDataList"}}},
       {"Next", "Model"}});
  states["Model"] = {{"Type", "Task"},
                     {"Resource", "arn:aws:states:::sagemaker:createModel"},
                     {"Parameters",
                      {{"ModelName.$", "$$.Execution.Name"},
                       {"PrimaryContainer",
                        {{"Image", text_at(jobs.train, {"AlgorithmSpecification", "TrainingImage"})},
                         {"ModelDataUrl.$", "$.model"}}}}},
                     {"ResultPath", "$.created"},
                     {"End", true}};
  return {{"Comment", comment}, {"StartAt", begin}, {"States", std::move(states)}};
}

}  // namespace millrace::tasks
