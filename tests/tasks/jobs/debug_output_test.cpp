#include "tasks/jobs/debug_output.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "tasks/jobs/xgboost_report.h"
#include "tests/tasks/jobs/task_driver.h"
#include "tests/tasks/jobs/temporary_home.h"
#include "tests/tasks/support/temporary_store.h"
#include "tests/tasks/training/sample_data.h"

using namespace millrace;
using namespace millrace::tasks;

namespace {

constexpr std::string_view kShownByMlp = "weights|biases|gradients|losses|relu_output";

Json debug_hook(Json collections, Json parameters = Json::object()) {
  return {{"TrainingJobName", "t"},
          {"DebugHookConfig",
           {{"S3OutputPath", "s3://b/debug"},
            {"HookParameters", parameters},
            {"CollectionConfigurations", collections}}}};
}
Json hook_collection(const std::string& name, Json parameters = Json::object()) {
  return {{"CollectionName", name}, {"CollectionParameters", std::move(parameters)}};
}
DebugOutput output_of(const Json& request) {
  auto output = DebugOutput::parse(request, kShownByMlp);
  REQUIRE_MESSAGE(output.has_value(), (output ? "" : output.error().message));
  return std::move(*output);
}
std::string hook_refusal(const Json& request) {
  const auto output = DebugOutput::parse(request, kShownByMlp);
  return output ? "accepted" : output.error().message;
}
std::vector<std::int64_t> wanted_steps(const DebugOutput& output, std::int64_t until) {
  std::vector<std::int64_t> steps;
  for (std::int64_t step = 0; step < until; ++step)
    if (output.wants(step)) steps.push_back(step);
  return steps;
}

std::string sample_rows_csv(SampleTask task, std::size_t n, std::uint64_t seed) {
  const Dataset data = sample_data(task, n, 4, seed);
  std::string text = "y,x0,x1,x2,x3\n";
  for (std::size_t i = 0; i < n; ++i) {
    text += std::to_string(data.y[i]);
    for (std::size_t j = 0; j < 4; ++j) text += "," + std::to_string(data.X.at(i, j));
    text += "\n";
  }
  return text;
}

Json debug_job_request(const std::string& name, const std::string& algorithm, Json parameters) {
  return {{"TrainingJobName", name},
          {"AlgorithmSpecification", {{"TrainingImage", algorithm}}},
          {"HyperParameters", std::move(parameters)},
          {"InputDataConfig",
           {{{"ChannelName", "train"},
             {"ContentType", "text/csv"},
             {"DataSource", {{"S3DataSource", {{"S3Uri", "s3://b/train"}}}}}}}},
          {"OutputDataConfig", {{"S3OutputPath", "s3://b/models"}}}};
}

Json described_job(TaskDriver& driver, const std::string& name) {
  return Json::parse(
      driver.run("aws-sdk:sagemaker:describeTrainingJob", Json{{"TrainingJobName", name}}.dump()));
}

}  // namespace

TEST_CASE("debug output: which steps are saved") {
  CHECK(wanted_steps(output_of(debug_hook(Json::array())), 2000).empty());
  CHECK(wanted_steps(output_of(debug_hook({hook_collection("weights")})), 1200) ==
        std::vector<std::int64_t>{0, 500, 1000});
  CHECK(wanted_steps(output_of(debug_hook({hook_collection(
                         "weights", {{"save_interval", "3"}, {"start_step", "4"}, {"end_step", 12}})})),
                     100) == std::vector<std::int64_t>{6, 9});
  CHECK(wanted_steps(output_of(debug_hook({hook_collection("weights")}, {{"train.save_interval", "400"}})),
                     900) == std::vector<std::int64_t>{0, 400, 800});
  CHECK(wanted_steps(output_of(debug_hook({hook_collection("weights", {{"save_interval", "40"}}),
                                           hook_collection("losses", {{"save_interval", "30"}})})),
                     100) == std::vector<std::int64_t>{0, 30, 40, 60, 80, 90});
  // Less and less often: 500 of the first 500, then 250 of twice as many each.
  const DebugOutput every = output_of(debug_hook({hook_collection("weights", {{"save_interval", "1"}})}));
  CHECK(wanted_steps(every, 500).size() == 500);
  CHECK(wanted_steps(every, 8000).size() == 500 + 4 * 250);
  CHECK(output_of(debug_hook({hook_collection("metrics")})).unknown() == std::vector<std::string>{"metrics"});
}

TEST_CASE("debug output: what is wrong with a DebugHookConfig") {
  CHECK(hook_refusal({{"TrainingJobName", "t"}}) == "accepted");
  CHECK(hook_refusal({{"DebugHookConfig", {{"LocalPath", "/opt"}}}}).find("DebugHookConfig.S3OutputPath") !=
        std::string::npos);
  CHECK(hook_refusal({{"DebugHookConfig", {{"S3OutputPath", "b/c"}}}}).find("is not an S3 URI") !=
        std::string::npos);
  CHECK(hook_refusal(debug_hook({hook_collection("weights", {{"save_interval", "0"}})}))
            .find("save_interval is '0': expected a whole number of at least 1") != std::string::npos);
  CHECK(hook_refusal(debug_hook({hook_collection("weights", {{"save_interval", "x"}})}))
            .find("save_interval") != std::string::npos);
  CHECK(hook_refusal(debug_hook({hook_collection("mine", {{"include_regex", "("}})})).find("include_regex") !=
        std::string::npos);
  CHECK(hook_refusal(debug_hook({hook_collection("weights"), hook_collection("weights")}))
            .find("two collections") != std::string::npos);
  CHECK(hook_refusal(debug_hook({hook_collection("../weights")})) != "accepted");
  CHECK(hook_refusal(debug_hook({{{"CollectionParameters", Json::object()}}})).find("CollectionName") !=
        std::string::npos);
}

TEST_CASE("debug output: an object for each step and collection") {
  const TemporaryStore store;
  const DebugOutput output =
      output_of(debug_hook({hook_collection("weights", {{"save_interval", "2"}}),
                            hook_collection("mine", {{"save_interval", "2"}, {"include_regex", ".*relu"}}),
                            hook_collection("all", {{"save_interval", "4"}})}));
  const std::vector<float> values = {1, 2, 3, 4};
  const Tensor tensors[] = {{"weights", "layer0_weight", values, 2},
                            {"relu_output", "layer0_relu_output", values, 4}};
  for (const std::int64_t step : {0, 1, 2}) REQUIRE(output.save(step, tensors, store.objects));
  const auto names = [&](const std::string& uri) {
    std::string out;
    const auto listed = store.objects.list(uri);
    for (const ObjectInfo& info : listed ? *listed : std::vector<ObjectInfo>()) out += info.key + " ";
    return out;
  };
  CHECK(names("s3://b/debug/") ==
        "debug/t/debug-output/all/000000000000.json debug/t/debug-output/mine/000000000000.json "
        "debug/t/debug-output/mine/000000000002.json debug/t/debug-output/weights/000000000000.json "
        "debug/t/debug-output/weights/000000000002.json ");
  const Json saved =
      Json::parse(*store.objects.read("s3://b/debug/t/debug-output/weights/000000000002.json"));
  CHECK(saved["step"] == 2);
  CHECK(saved["tensors"].size() == 1);
  CHECK(saved["tensors"][0]["mean"] == 2.5);
  CHECK(saved["tensors"][0]["shape"] == Json{2, 2});
  CHECK(Json::parse(*store.objects.read("s3://b/debug/t/debug-output/all/000000000000.json"))["tensors"]
            .size() == 2);
}

TEST_CASE("training jobs: a rule about tensors stops mlp; tensors are saved; the model is as without") {
  const TemporaryHome home;
  home.write("objects/b/train/rows.csv", sample_rows_csv(SampleTask::Binary, 300, 71));
  TaskDriver driver(home.path());
  REQUIRE(driver.runner);
  const Json healthy = {{"predictor_type", "binary_classifier"}, {"hidden_layers", "8"}, {"epochs", "6"}};
  const Json plain = debug_job_request("plain", "mlp", healthy);
  driver.run("sagemaker:createTrainingJob.sync", plain.dump());
  Json saving = debug_job_request("plain-2", "mlp", healthy);
  saving["DebugHookConfig"] =
      debug_hook({hook_collection("losses", {{"save_interval", "4"}})})["DebugHookConfig"];
  saving["DebugRuleConfigurations"] = {{{"RuleConfigurationName", "ExplodingTensor"}}};
  driver.run("sagemaker:createTrainingJob.sync", saving.dump());
  const Json one = described_job(driver, "plain"), two = described_job(driver, "plain-2");
  REQUIRE_MESSAGE(two["TrainingJobStatus"] == "Completed", two.dump());
  CHECK(two["DebugRuleEvaluationStatuses"][0]["RuleEvaluationStatus"] == "NoIssuesFound");
  const auto metric = [](const Json& job) { return job["FinalMetricDataList"][0]["Value"]; };
  CHECK(metric(one) == metric(two));
  const std::string loss = home.read("objects/b/debug/plain-2/debug-output/losses/000000000004.json");
  CHECK(Json::parse(loss)["tensors"][0]["name"] == "loss");

  // The same run once more: nothing in it is different.
  saving["TrainingJobName"] = "again";
  saving["DebugRuleConfigurations"] = {
      {{"RuleConfigurationName", "SimilarAcrossRuns"}, {"RuleParameters", {{"other_trials", "plain-2"}}}}};
  saving["HyperParameters"]["seed"] = "4";
  driver.run("sagemaker:createTrainingJob.sync", saving.dump());
  CHECK(described_job(driver, "again")["DebugRuleEvaluationStatuses"][0]["RuleEvaluationStatus"] ==
        "NoIssuesFound");
  saving["TrainingJobName"] = "once-more";
  saving["DebugRuleConfigurations"][0]["RuleParameters"]["other_trials"] = "again";
  driver.run("sagemaker:createTrainingJob.sync", saving.dump());
  CHECK(described_job(driver, "once-more")["DebugRuleEvaluationStatuses"][0]["RuleEvaluationStatus"] ==
        "IssuesFound");

  Json bad = debug_job_request("bad", "mlp",
                               {{"predictor_type", "regressor"},
                                {"hidden_layers", "16"},
                                {"optimizer", "sgd"},
                                {"learning_rate", "1000"},
                                {"mini_batch_size", "20"}});
  bad["DebugRuleConfigurations"] = {
      {{"RuleConfigurationName", "explosion"},
       {"RuleParameters",
        {{"rule_to_invoke", "ExplodingTensor"}, {"action_json", R"({"name": "StopTraining"})"}}}}};
  driver.run("sagemaker:createTrainingJob.sync", bad.dump());
  const Json stopped = described_job(driver, "bad");
  CHECK_MESSAGE(stopped["TrainingJobStatus"] == "Stopped", stopped.dump());
  CHECK(stopped["DebugRuleEvaluationStatuses"][0]["RuleEvaluationStatus"] == "IssuesFound");
  CHECK(home.read("logs/TrainingJob/bad.log").find("rule explosion: IssuesFound in step") !=
        std::string::npos);
  bad["TrainingJobName"] = "bad-alone", bad.erase("DebugRuleConfigurations");
  driver.run("sagemaker:createTrainingJob.sync", bad.dump());
  CHECK(described_job(driver, "bad-alone")["TrainingJobStatus"] == "Failed");
}

TEST_CASE("training jobs: CreateXgboostReport leaves a page; profiler rules are refused") {
  const TemporaryHome home;
  home.write("objects/b/train/rows.csv", sample_rows_csv(SampleTask::Binary, 300, 72));
  TaskDriver driver(home.path());
  REQUIRE(driver.runner);
  Json request = debug_job_request("r", "xgboost", {{"num_round", "8"}, {"objective", "binary:logistic"}});
  request["DebugRuleConfigurations"] = {{{"RuleConfigurationName", "CreateXgboostReport"}}};
  request["ProfilerConfig"] = {{"S3OutputPath", "s3://b/profile"}, {"ProfilingIntervalInMilliseconds", 500}};
  driver.run("sagemaker:createTrainingJob.sync", request.dump());
  const Json job = described_job(driver, "r");
  CHECK(job["DebugRuleEvaluationStatuses"][0]["RuleEvaluationStatus"] == "NoIssuesFound");
  const std::string page =
      home.read("objects/b/models/r/rule-output/CreateXgboostReport/xgboost_report.html");
  for (const char* part : {"XGBoost training report", "Learning curves", "On the training rows",
                           "Feature importance", "Trees", "num_round", "data:image/svg+xml"})
    CHECK_MESSAGE(page.find(part) != std::string::npos, part);
  request["TrainingJobName"] = "s";
  request["ProfilerConfig"]["ProfilingIntervalInMilliseconds"] = 7;
  CHECK(driver.run("sagemaker:createTrainingJob.sync", request.dump())
            .find("ProfilingIntervalInMilliseconds") != std::string::npos);
  request.erase("ProfilerConfig");
  request["ProfilerRuleConfigurations"] = {{{"RuleConfigurationName", "ProfilerReport"}}};
  CHECK(driver.run("sagemaker:createTrainingJob.sync", request.dump()).find("are not offered") !=
        std::string::npos);
}

TEST_CASE("xgboost report: of every task, with a validation channel, of a stream, of gblinear") {
  struct Shape {
    SampleTask task;
    const char *name, *objective, *picture;
  };
  for (const Shape& shape :
       {Shape{SampleTask::Regression, "regression", "reg:squarederror", "On the validation rows"},
        Shape{SampleTask::Binary, "binary", "binary:logistic", "On the validation rows"},
        Shape{SampleTask::Classes, "multiclass", "multi:softprob", "On the validation rows"}}) {
    const Dataset train = sample_data(shape.task, 200, 4, 73),
                  validation = sample_data(shape.task, 60, 4, 74);
    HyperParameters parameters = {{"num_round", "5"}, {"objective", shape.objective}};
    if (shape.task == SampleTask::Classes) parameters["num_class"] = "3";
    for (const char* booster : {"gbtree", "gblinear"}) {
      parameters["booster"] = booster;
      const auto fitted = (*find_estimator("xgboost")->make(parameters))->fit(train, &validation, {});
      REQUIRE(fitted.has_value());
      const auto page =
          xgboost_report({"t", shape.name, *fitted->model, &train, &validation, {}, parameters});
      REQUIRE_MESSAGE(page.has_value(), (page ? "" : page.error().message));
      CHECK(page->find(shape.picture) != std::string::npos);
      CHECK((page->find(">Trees<") != std::string::npos) == (std::string(booster) == "gbtree"));
      CHECK(*xgboost_report({"t", shape.name, *fitted->model, &train, &validation, {}, parameters}) == *page);
      const auto of_stream =
          xgboost_report({"t", shape.name, *fitted->model, nullptr, nullptr, {}, parameters});
      REQUIRE(of_stream.has_value());
      CHECK(of_stream->find("a stream") != std::string::npos);
    }
  }
}
