#include "tasks/automl/leaderboard.h"

#include <doctest/doctest.h>

#include <cmath>
#include <nlohmann/json.hpp>

using namespace millrace;
using namespace millrace::tasks;

namespace {

Candidate candidate_of(const char* name, double f1, double loss, double deviation, std::size_t members = 1) {
  Candidate candidate;
  candidate.name = name;
  candidate.members.assign(members, {"xgboost", {{"eta", "0.1"}}, 1.0 / static_cast<double>(members)});
  candidate.metrics = {{"validation:f1", f1}, {"validation:logloss", loss}};
  candidate.deviations = {{"validation:f1", deviation}};
  candidate.model_uri = std::string("s3://b/") + name;
  return candidate;
}

BoardRules f1_rules() {
  return {Problem::Binary, *objective_for("", Problem::Binary), "job-prepare"};
}

}  // namespace

TEST_CASE("leaderboard: by the objective, then by the loss; what did not complete is left out") {
  std::vector<Candidate> candidates = {candidate_of("a", 0.8, 0.4, 0.01), candidate_of("b", 0.9, 0.3, 0.01),
                                       candidate_of("c", 0.8, 0.2, 0.01), candidate_of("d", 0.95, 0.1, 0.01),
                                       candidate_of("e", std::nan(""), 0.1, 0.01)};
  candidates[3].status = "Failed";
  CHECK(rank_candidates(f1_rules(), candidates) == std::vector<std::size_t>{1, 2, 0});
  CHECK(winner_of(f1_rules(), candidates) == std::size_t{1});
  BoardRules loss = f1_rules();
  loss.objective = *objective_for("LogLoss", Problem::Binary);
  CHECK(rank_candidates(loss, candidates) == std::vector<std::size_t>{4, 2, 1, 0});
  CHECK(!winner_of(f1_rules(), {}));
}

TEST_CASE("leaderboard: the ensemble wins unless a candidate is ahead by more than its standard error") {
  std::vector<Candidate> candidates = {candidate_of("a", 0.80, 0.4, 0.01),
                                       candidate_of("ensemble", 0.795, 0.35, 0.01, 3)};
  CHECK(winner_of(f1_rules(), candidates) == std::size_t{1});
  candidates[0].metrics["validation:f1"] = 0.81;
  CHECK(winner_of(f1_rules(), candidates) == std::size_t{0});
}

TEST_CASE("leaderboard: documents are SageMaker's, the page names everyone") {
  std::vector<Candidate> candidates = {candidate_of("a", 0.8, 0.4, 0.01), candidate_of("b", 0.7, 0.5, 0.02)};
  candidates[1].status = "Failed", candidates[1].failure = "out of luck";
  const Json good = candidate_document(f1_rules(), candidates[0]);
  CHECK(
      good["FinalAutoMLJobObjectiveMetric"] ==
      Json::parse(
          R"({"Type": "Maximize", "MetricName": "validation:f1", "StandardMetricName": "F1", "Value": 0.8})"));
  CHECK(good["ObjectiveStatus"] == "Succeeded");
  CHECK(good["CandidateSteps"][0]["CandidateStepType"] == "AWS::SageMaker::ProcessingJob");
  CHECK(good["CandidateSteps"][1]["CandidateStepName"] == "a");
  CHECK(good["InferenceContainers"][0]["ModelDataUrl"] == "s3://b/a");
  CHECK(good["CandidateProperties"]["CandidateMetrics"][0]["StandardDeviation"] == 0.01);
  const Json bad = candidate_document(f1_rules(), candidates[1]);
  CHECK(bad["ObjectiveStatus"] == "Failed");
  CHECK(bad["FailureReason"] == "out of luck");
  CHECK(!bad.contains("InferenceContainers"));
  AutoMLSpec spec;
  spec.job_name = "job";
  const std::string page = leaderboard_page(spec, f1_rules(), candidates, 0);
  for (const char* text : {"out of luck", "0.7804 … 0.8196", "xgboost eta 0.1"})
    CHECK(page.find(text) != std::string::npos);
}

TEST_CASE("leaderboard: the workflow's jobs write below their execution, and read what it wrote") {
  const Json processing =
      Json::parse(R"({"ProcessingJobName": "job-x", "AppSpecification": {"ImageUri": "prepare"},
    "ProcessingInputs": [{"InputName": "train", "S3Input": {"S3Uri": "s3://b/out/job/raw/train"}}],
    "ProcessingOutputConfig": {"Outputs": [{"OutputName": "rows", "S3Output": {"S3Uri": "s3://b/out/job/PLACE"}}]}})");
  const auto with_output = [&](const char* place) {
    Json json = processing;
    json["ProcessingOutputConfig"]["Outputs"][0]["S3Output"]["S3Uri"] =
        std::string("s3://b/out/job/") + place;
    return json;
  };
  WinningJobs jobs;
  jobs.prepare = with_output("prepared");
  jobs.train = Json::parse(R"({"TrainingJobName": "job-c01", "HyperParameters": {"folds": "5"},
    "InputDataConfig": [{"ChannelName": "train", "DataSource": {"S3DataSource": {"S3Uri": "s3://b/out/job/prepared/train"}}}],
    "OutputDataConfig": {"S3OutputPath": "s3://b/out/job/models"}})");
  Json workflow = winning_workflow(jobs, "s3://b/out/job/workflow", "why");
  CHECK(workflow["StartAt"] == "Prepare");
  const Json& train = workflow["States"]["Train"]["Parameters"];
  CHECK(train["TrainingJobName.$"] == "States.Format('{}-train', $$.Execution.Name)");
  CHECK(!train.contains("TrainingJobName"));
  CHECK(train["InputDataConfig"][0]["DataSource"]["S3DataSource"]["S3Uri.$"] ==
        "States.Format('s3://b/out/job/workflow/{}/prepared/train', $$.Execution.Name)");
  CHECK(train["OutputDataConfig"]["S3OutputPath.$"] ==
        "States.Format('s3://b/out/job/workflow/{}/models', $$.Execution.Name)");
  // Without a split the raw rows are the request's own.
  CHECK(workflow["States"]["Prepare"]["Parameters"]["ProcessingInputs"][0]["S3Input"]["S3Uri"] ==
        "s3://b/out/job/raw/train");
  jobs.split = with_output("raw");
  workflow = winning_workflow(jobs, "s3://b/out/job/workflow", "why");
  CHECK(workflow["StartAt"] == "Split");
  CHECK(workflow["States"]["Prepare"]["Parameters"]["ProcessingInputs"][0]["S3Input"]["S3Uri.$"] ==
        "States.Format('s3://b/out/job/workflow/{}/raw/train', $$.Execution.Name)");
}
