#include "tasks/steps/step_cache.h"

#include <doctest/doctest.h>

#include <chrono>
#include <functional>
#include <nlohmann/json.hpp>
#include <thread>

#include "tasks/artifacts/content_hashes.h"
#include "tests/tasks/jobs/task_driver.h"
#include "tests/tasks/jobs/temporary_home.h"
#include "tests/tasks/support/model_files.h"
#include "tests/tasks/support/parse.h"

using namespace millrace;
using namespace millrace::tasks;

namespace {

const std::string kTrainSync = "sagemaker:createTrainingJob.sync";
const std::string kProcessSync = "sagemaker:createProcessingJob.sync";

// A training job of the program in s3://b/code/, which notes each of its runs.
Json cached_training(const TemporaryHome& home, const std::string& name) {
  return {
      {"TrainingJobName", name},
      {"AlgorithmSpecification", {{"TrainingImage", "script"}}},
      {"HyperParameters",
       {{"sagemaker_program", "train.sh"}, {"sagemaker_submit_directory", "s3://b/code/"}, {"eta", "0.1"}}},
      {"InputDataConfig",
       {{{"ChannelName", "train"}, {"DataSource", {{"S3DataSource", {{"S3Uri", "s3://b/data/"}}}}}}}},
      {"Environment", {{"HOME_DIRECTORY", home.path()}}},
      {"OutputDataConfig", {{"S3OutputPath", "s3://b/models"}}},
      {"Tags", {{{"Key", "millrace:cache"}, {"Value", "P30D"}}}}};
}

void write_program(const TemporaryHome& home, const std::string& script) {
  home.write("objects/b/code/train.sh", script);
}
const std::string kTrainModel =
    "echo x >> $HOME_DIRECTORY/runs; cat $SM_CHANNEL_TRAIN/data.csv > $SM_MODEL_DIR/model.txt";

std::size_t program_runs(const TemporaryHome& home) {
  return home.read("runs").size() / 2;
}

Json step_notes(TaskDriver& driver, const char* kind, const std::string& name) {
  const auto record = driver.runner->jobs().find(kind, name);
  return record ? record->value("/Millrace/Step"_json_pointer, Json()) : Json();
}

// The first file that a job left: its object, and below the home.
std::string output_uri(const Json& step) {
  return step.at("Outputs")[0].at("Files")[0].at("Uri").get<std::string>();
}
std::string output_path(const Json& step) {
  return "objects/" + output_uri(step).substr(5);
}

std::string why(const Json& step) {
  std::string lines;
  for (const Json& line : step.value("/Cache/Why"_json_pointer, Json::array()))
    lines += line.get<std::string>() + "\n";
  return lines;
}

}  // namespace

TEST_CASE("Step cache: how long a result is good is an ISO 8601 duration") {
  const std::pair<const char*, std::int64_t> good[] = {
      {"P30D", 30 * 86'400}, {"PT12H", 43'200}, {"P2W", 14 * 86'400}, {"P1DT1H1M1S", 90'061}, {"on", 0}};
  for (const auto& [text, seconds] : good) {
    const auto policy = parse_cache_policy(text);
    REQUIRE_MESSAGE(policy, text);
    CHECK(policy->on);
    CHECK(policy->keep.count() == seconds * 1000);
  }
  CHECK(!parse_cache_policy("off")->on);
  CHECK(!parse_cache_policy("")->on);
  for (const char* bad : {"P", "PT", "30D", "P30", "P1M", "P1DT", "PTD", "P-1D", "P99999999D", "P0D", "yes"})
    CHECK_MESSAGE(!parse_cache_policy(bad), bad);
}

TEST_CASE("Step cache: an equal job takes over the result, and says so; what differs is run, and says why") {
  const TemporaryHome home;
  write_program(home, kTrainModel);
  home.write("objects/b/data/data.csv", "1,2\n");
  TaskDriver driver(home.path());
  const Json first = parse(driver.run(kTrainSync, cached_training(home, "first").dump()));
  REQUIRE(first["TrainingJobStatus"] == "Completed");
  CHECK(why(step_notes(driver, "TrainingJob", "first")).starts_with("no TrainingJob that completed"));

  const Json second = parse(driver.run(kTrainSync, cached_training(home, "second").dump()));
  CHECK(second["TrainingJobStatus"] == "Completed");
  CHECK(second["TrainingJobName"] == "second");
  CHECK(second["ModelArtifacts"] == first["ModelArtifacts"]);
  CHECK(second["SecondaryStatusTransitions"].back()["StatusMessage"] ==
        "Cached: the result of TrainingJob first");
  CHECK(program_runs(home) == 1);
  const Json hit = step_notes(driver, "TrainingJob", "second");
  CHECK(hit["Cache"]["Result"] == "hit");
  CHECK(hit["Cache"]["Source"] == "arn:aws:sagemaker:us-east-1:123456789012:training-job/first");
  CHECK(why(hit).find("same inputs, parameters, code and program as first (ended ") == 0);
  CHECK(home.read("logs/TrainingJob/second.log").find("Cached: the result of TrainingJob first") !=
        std::string::npos);

  struct Miss {
    const char* name;
    std::function<void(Json&)> change;
    const char* why;
  };
  const Miss misses[] = {
      {"eta", [](Json& r) { r["HyperParameters"]["eta"] = "0.2"; }, "eta 0.1 → 0.2\n"},
      {"new-parameter", [](Json& r) { r["HyperParameters"]["depth"] = "3"; }, "depth (not given) → 3\n"},
      {"environment", [](Json& r) { r["Environment"]["LEVEL"] = "2"; }, "Environment.LEVEL is new\n"},
      {"content-type", [](Json& r) { r["InputDataConfig"][0]["ContentType"] = "text/csv"; },
       "train.ContentType (not given) → text/csv\n"},
      {"data", [&](Json&) { home.write("objects/b/data/data.csv", "1,3\n"); },
       "train: data.csv changed: sha256 "},
      {"more-data", [&](Json&) { home.write("objects/b/data/more.csv", "1\n"); }, "train: more.csv is new\n"},
      {"code", [&](Json&) { write_program(home, kTrainModel + "\n# better\n"); },
       "code: train.sh changed: sha256 "},
  };
  std::size_t expected = 1;
  for (const Miss& miss : misses) {
    Json request = cached_training(home, miss.name);
    miss.change(request);
    CHECK(parse(driver.run(kTrainSync, request.dump()))["TrainingJobStatus"] == "Completed");
    CHECK_MESSAGE(program_runs(home) == ++expected, miss.name);
    const std::string reasons = why(step_notes(driver, "TrainingJob", miss.name));
    CHECK_MESSAGE(reasons.find(miss.why) != std::string::npos, reasons);
  }
  // Where things are, what they are called and who pays makes no difference.
  Json elsewhere = cached_training(home, "elsewhere");
  for (const char* file : {"data.csv", "more.csv"})
    home.write(std::string("objects/other/rows/") + file, home.read(std::string("objects/b/data/") + file));
  elsewhere["InputDataConfig"][0]["DataSource"]["S3DataSource"]["S3Uri"] = "s3://other/rows/";
  elsewhere["OutputDataConfig"]["S3OutputPath"] = "s3://other/models";
  elsewhere["RoleArn"] = "arn:aws:iam::123456789012:role/x";
  driver.run(kTrainSync, elsewhere.dump());
  CHECK(step_notes(driver, "TrainingJob", "elsewhere")["Cache"]["Result"] == "hit");
  CHECK(program_runs(home) == expected);
  Json off = elsewhere;
  off["TrainingJobName"] = "off";
  off["Tags"][0]["Value"] = "off";
  driver.run(kTrainSync, off.dump());
  CHECK(program_runs(home) == expected + 1);
  off["Tags"][0]["Value"] = "a month";
  off["TrainingJobName"] = "wrong";
  CHECK(driver.run(kTrainSync, off.dump()).find("millrace:cache: \"a month\" is no time") !=
        std::string::npos);
}

TEST_CASE("Step cache: a result that changed, is gone or has expired is not taken over") {
  const TemporaryHome home;
  write_program(home, kTrainModel);
  home.write("objects/b/data/data.csv", "1,2\n");
  TaskDriver driver(home.path());
  driver.run(kTrainSync, cached_training(home, "a").dump());
  const Json a = step_notes(driver, "TrainingJob", "a");
  home.write(output_path(a), "9,9\n");
  driver.run(kTrainSync, cached_training(home, "b").dump());
  CHECK(why(step_notes(driver, "TrainingJob", "b"))
            .find("a was the same, but its output " + output_uri(a) + " changed: sha256 ") == 0);
  const Json b = step_notes(driver, "TrainingJob", "b");
  std::filesystem::remove(home.path(output_path(b)));
  driver.run(kTrainSync, cached_training(home, "c").dump());
  CHECK(why(step_notes(driver, "TrainingJob", "c"))
            .find("b was the same, but its output " + output_uri(b) + " is not there any more") == 0);
  REQUIRE(driver.runner->jobs().modify("TrainingJob", "c", [](Json& record) -> Status {
    record["TrainingEndTime"] =
        record["TrainingEndTime"].get<std::int64_t>() - std::int64_t{30 * 86'400'000LL} - 7'200'000;
    return {};
  }));
  driver.run(kTrainSync, cached_training(home, "d").dump());
  CHECK(why(step_notes(driver, "TrainingJob", "d"))
            .find("c was the same, but its result expired 2 h 0 min ago (P30D)") == 0);
  CHECK(program_runs(home) == 4);
  Json forever = cached_training(home, "e");
  forever["Tags"][0]["Value"] = "on";
  driver.run(kTrainSync, forever.dump());
  CHECK(program_runs(home) == 4);
}

TEST_CASE("Step cache: a processor's output is put where this job wants it") {
  const TemporaryHome home;
  std::string csv = "x,y\n";
  for (int i = 0; i < 100; ++i) csv += std::to_string(i) + "," + std::to_string(i % 2) + "\n";
  home.write("objects/b/raw/data.csv", csv);
  home.write("objects/b/one/of-someone-else.txt", "before");
  std::this_thread::sleep_for(std::chrono::milliseconds(60));
  const auto request = [](const std::string& name, const std::string& out) {
    return Json{{"ProcessingJobName", name},
                {"AppSpecification", {{"ImageUri", "split"}}},
                {"ProcessingInputs", {{{"InputName", "data"}, {"S3Input", {{"S3Uri", "s3://b/raw/"}}}}}},
                {"ProcessingOutputConfig",
                 {{"Outputs", {{{"OutputName", "parts"}, {"S3Output", {{"S3Uri", out}}}}}}}},
                {"Environment", {{"SETTINGS", R"({"train":0.75,"validation":0,"test":0.25})"}}},
                {"Tags", {{{"Key", "millrace:cache"}, {"Value", "P1D"}}}}}
        .dump();
  };
  TaskDriver driver(home.path());
  const Json one = parse(driver.run(kProcessSync, request("one", "s3://b/one")));
  REQUIRE(one["ProcessingJobStatus"] == "Completed");
  const Json two = parse(driver.run(kProcessSync, request("two", "s3://b/two/")));
  CHECK(two["ExitMessage"] == "Cached: the result of ProcessingJob one");
  CHECK(home.read("objects/b/two/train/data.csv") == home.read("objects/b/one/train/data.csv"));
  CHECK(!home.read("objects/b/two/train/data.csv").empty());
  CHECK(home.read("objects/b/two/of-someone-else.txt").empty());
  CHECK(two["Summary"].dump().find("s3://b/one/") == std::string::npos);
  CHECK(two["ProcessingOutputConfig"]["Outputs"][0]["S3Output"]["S3Uri"] == "s3://b/two/");
  // Settings by their names, wherever they are given; what a program has in its environment is not told.
  Json other = parse(request("other", "s3://b/other/"));
  other["Environment"]["SETTINGS"] = R"({"train":0.5,"validation":0,"test":0.5,"seed":3})";
  driver.run(kProcessSync, other.dump());
  const std::string differences = why(step_notes(driver, "ProcessingJob", "other"));
  for (const char* line : {"settings.train 0.75 → 0.5\n", "settings.seed (not given) → 3\n"})
    CHECK_MESSAGE(differences.find(line) != std::string::npos, differences);
  // A third is good by the first, though the second is no work of its own.
  std::filesystem::remove_all(home.path("objects/b/two"));
  driver.run(kProcessSync, request("three", "s3://b/two/"));
  CHECK(step_notes(driver, "ProcessingJob", "three")["Cache"]["Source"] ==
        "arn:aws:sagemaker:us-east-1:123456789012:processing-job/one");
}

TEST_CASE("Step cache: killed between output and record, the job is one record with the whole result") {
  const TemporaryHome home;
  write_program(home, kTrainModel + "; [ -f $HOME_DIRECTORY/go ] || sleep 30");
  home.write("objects/b/data/data.csv", "1,2\n");
  const auto key = TaskDriver::key(1);
  {  // goes down with the program's output written and nothing recorded
    TaskDriver driver(home.path(), 2, Millis(100));
    driver.start(key, kTrainSync, cached_training(home, "a").dump());
    for (int i = 0; i < 500 && program_runs(home) == 0; ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  home.write("go", "");
  {
    TaskDriver driver(home.path());
    CHECK(step_notes(driver, "TrainingJob", "a").is_null());
    driver.start(key, kTrainSync, cached_training(home, "a").dump());
    REQUIRE(driver.wait(key));
    CHECK(program_runs(home) == 2);
    // A second job that had found the result and was killed while it put it in place.
    Json record = *driver.runner->jobs().find("TrainingJob", "a");
    Json request = cached_training(home, "b");
    record["TrainingJobName"] = "b";
    record["TrainingJobArn"] = "arn:aws:sagemaker:us-east-1:123456789012:training-job/b";
    record["TrainingJobStatus"] = "InProgress";
    record.erase("TrainingEndTime");
    record.erase("ModelArtifacts");
    record["Millrace"] = {{"Request", request}, {"Key", "k"}, {"Background", true}};
    REQUIRE(driver.runner->jobs().create("TrainingJob", "b", record));
  }
  TaskDriver driver(home.path());
  for (int i = 0; i < 500; ++i, std::this_thread::sleep_for(std::chrono::milliseconds(10)))
    if ((*driver.runner->jobs().find("TrainingJob", "b"))["TrainingJobStatus"] == "Completed") break;
  const Json a = *driver.runner->jobs().find("TrainingJob", "a");
  const Json b = *driver.runner->jobs().find("TrainingJob", "b");
  CHECK(b["TrainingJobStatus"] == "Completed");
  CHECK(b["ModelArtifacts"] == a["ModelArtifacts"]);
  CHECK(program_runs(home) == 2);
  CHECK(driver.runner->jobs().list("TrainingJob")->size() == 2);
}

TEST_CASE("Step cache: a program that changes what it reads has no result for others") {
  const TemporaryHome home;
  write_program(home, "echo x >> $HOME_DIRECTORY/runs; echo x >> $HOME_DIRECTORY/objects/b/data/data.csv");
  home.write("objects/b/data/data.csv", "1,2\n");
  TaskDriver driver(home.path());
  driver.run(kTrainSync, cached_training(home, "a").dump());
  home.write("objects/b/data/data.csv", "1,2\n");
  driver.run(kTrainSync, cached_training(home, "b").dump());
  CHECK(program_runs(home) == 2);
  CHECK(!step_notes(driver, "TrainingJob", "a").contains("Key"));
}

TEST_CASE("Step records: hashes, code, versions and what was used; the model's card has them") {
  const TemporaryHome home;
  write_program(home, "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; echo 1 > $SM_MODEL_DIR/m");
  home.write("objects/b/data/data.csv", "1,2\n");
  TaskDriver driver(home.path());
  driver.run(kTrainSync, cached_training(home, "a").dump());
  const Json step = step_notes(driver, "TrainingJob", "a");
  INFO(step.dump(1));
  CHECK(step["Inputs"][0]["Files"][0]["Sha256"] ==
        "52186c933993da4082b3cdc7c40bb4bf735b391ff54a2ef78c037dda6c38a680");
  CHECK(step["Inputs"][0]["Bytes"] == 4);
  CHECK(step["Code"]["Files"][0]["Uri"] == "s3://b/code/train.sh");
  CHECK(step["Parameters"]["eta"] == "0.1");
  CHECK(step["Usage"]["BytesRead"] == 4);
  CHECK(step["Usage"]["CpuSeconds"].get<double>() > 0);
  CHECK(step["Usage"]["MemoryPeakBytes"].get<std::int64_t>() > 1'000'000);
  const Json record = *driver.runner->jobs().find("TrainingJob", "a");
  const std::string model = record["ModelArtifacts"]["S3ModelArtifacts"];
  const Json card = parse(model_file(driver.runner->objects(), model, "model_card.json"));
  CHECK(card["record"]["inputs"]["train"]["sha256"] == step["Inputs"][0]["Sha256"]);
  CHECK(card["record"]["code"]["sha256"] == step["Code"]["Sha256"]);
  CHECK(card["record"]["key"] == step["Key"]);
}

TEST_CASE("Content hashes: a file is read once, until it changes; also by the next process") {
  const TemporaryHome home;
  const SystemClock clock;
  home.write("a", "hello");
  const std::string hello = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
  const std::vector<std::filesystem::path> paths = {home.path("a")};
  std::this_thread::sleep_for(std::chrono::milliseconds(60));
  {
    ContentHashes hashes(home.path("hashes.db"), clock);
    CHECK(hashes.of(paths)->front().sha256 == hello);
    CHECK(hashes.of(paths)->front().sha256 == hello);
    CHECK(hashes.bytes_read() == 5);
  }
  ContentHashes hashes(home.path("hashes.db"), clock);
  CHECK(hashes.of(paths)->front().sha256 == hello);
  CHECK(hashes.bytes_read() == 0);
  // The same length, written at once: what was remembered is not believed, and this is not remembered.
  home.write("a", "world");
  const std::string world = hashes.of(paths)->front().sha256;
  CHECK(world == "486ea46224d1bb4fb680f34f7c9ad96a8f24ec88be73ea8e5a6c65260e9cb8a7");
  CHECK(hashes.of(paths)->front().sha256 == world);
  CHECK(hashes.bytes_read() == 10);
  CHECK(hashes.of({home.path("b")}).error().code == ErrorCode::NotFound);
}
