#include <doctest/doctest.h>

#include <mutex>
#include <set>
#include <thread>

#include "tasks/artifacts/archive.h"
#include "tasks/script/python_environments.h"
#include "tests/tasks/jobs/task_driver.h"
#include "tests/tasks/script/script_request.h"
#include "tests/tasks/support/model_files.h"
#include "tests/tasks/support/parse.h"

using namespace millrace;
using namespace millrace::tasks;

namespace {

const std::string kTrainToEnd = "sagemaker:createTrainingJob.sync";
const char* const kImportTiny =
    "import os, sys, tiny\n"
    "open(os.path.join(os.environ['SM_MODEL_DIR'], 'said'), 'w').write(tiny.WORD + ' ' + "
    "os.environ['VIRTUAL_ENV'])\n";

std::vector<std::pair<std::string, std::string>> code_with_wheel(const std::string& version) {
  return {{"train.py", kImportTiny},
          {"requirements.txt", "# what it needs\ntiny>=1\n"},
          {"wheels/" + wheel_name("tiny", version),
           wheel_of("tiny", version, "WORD = 'tiny " + version + "'\n")}};
}

std::string job_log(const TemporaryHome& home, const std::string& name) {
  return home.read("logs/TrainingJob/" + name + ".log");
}

std::size_t count_of(const std::string& text, const std::string& word) {
  std::size_t count = 0;
  for (std::size_t at = text.find(word); at != std::string::npos; at = text.find(word, at + 1)) ++count;
  return count;
}

// A directory of code below the home, and a request for it that asks no index.
PythonEnvironments::Request request_for(const TemporaryHome& home, const std::string& code,
                                        const std::vector<std::pair<std::string, std::string>>& files) {
  for (const auto& [name, text] : files) home.write(code + "/" + name, text);
  PythonEnvironments::Request request;
  request.code = home.path(code);
  return request;
}

EnvironmentSettings offline_settings() {
  EnvironmentSettings settings;
  settings.offline = true;
  return settings;
}

// Installing it takes for ever; it says when it has begun.
std::vector<std::pair<std::string, std::string>> endless_code(const TemporaryHome& home) {
  return {
      {"requirements.txt", "./endless\n"},
      {"endless/pyproject.toml",
       "[build-system]\nrequires = []\nbuild-backend = \"made\"\nbackend-path = [\".\"]\n"},
      {"endless/made.py", "import time\ndef build_wheel(folder, settings=None, metadata=None):\n  open('" +
                              home.path("begun") + "', 'w').close()\n  time.sleep(600)\n"}};
}

}  // namespace

TEST_CASE("Requirements: what a directory asks for, and that a change of it is another thing") {
  const TemporaryHome home;
  const auto digest = [&](const std::string& folder) {
    const auto found = read_requirements(home.path(folder));
    REQUIRE(found);
    return *found ? (*found)->digest : std::string();
  };
  home.write("none/train.py", "");
  home.write("empty/requirements.txt", "# nothing\n\n--no-binary :all:\n");
  CHECK(digest("none").empty());
  CHECK(digest("empty").empty());

  home.write("a/requirements.txt", "-r more/base.txt\ntiny\n");
  home.write("a/more/base.txt", "-c limits.txt\nother \\\n  >=1\n");
  home.write("a/more/limits.txt", "other<2\n");
  home.write("a/train.py", "1");
  const std::string first = digest("a");
  CHECK(!first.empty());
  home.write("a/train.py", "2");
  CHECK(digest("a") == first);  // the program itself is none of pip's
  home.write("a/more/limits.txt", "other<3\n");
  CHECK(digest("a") != first);

  home.write("b/requirements.txt", "tiny\n");
  const std::string without = digest("b");
  home.write("b/wheels/tiny.whl", "1");
  const std::string with = digest("b");
  home.write("b/wheels/tiny.whl", "2");
  CHECK(std::set<std::string>{without, with, digest("b")}.size() == 3);

  home.write("local/requirements.txt", "./package\n");
  home.write("local/package/setup.py", "1");
  const std::string local = digest("local");
  home.write("local/package/setup.py", "2");
  CHECK(digest("local") != local);
  home.write("package/setup.py", "");
  CHECK(read_requirements(home.path("package")).value()->package);

  const auto refused = [&](const std::string& text) {
    home.write("bad/requirements.txt", text);
    const auto found = read_requirements(home.path("bad"));
    return found ? "taken" : found.error().message;
  };
  CHECK(refused("-e ./package\n").find("requirements.txt: \"-e ./package\": an editable package") == 0);
  CHECK(refused("-r ../other.txt\n") ==
        "requirements.txt names ../other.txt, which is not in the directory of the program");
  CHECK(refused("--requirement=missing.txt\n") == "requirements.txt names missing.txt, which is not there");
  CHECK(refused("-r requirements.txt\ntiny\n") == "taken");  // itself
}

TEST_CASE("Environments: a job's requirements.txt is installed from wheels/ once, and used by the next job") {
  const TemporaryHome home;
  TaskDriver driver(home.path());
  const auto run = [&](const std::string& name, const std::string& version) {
    return parse(
        driver.run(kTrainToEnd, script_request(home, name, "train.py", code_with_wheel(version)).dump()));
  };
  const auto statuses = [](const Json& job) {
    std::string text;
    for (const Json& one : job["SecondaryStatusTransitions"])
      text += one["Status"].get<std::string>() + "[" + one.value("StatusMessage", "") + "] ";
    return text;
  };
  const Json first = run("first", "1.0");
  REQUIRE_MESSAGE(first.value("TrainingJobStatus", "") == "Completed",
                  (job_log(home, "first") + first.dump()));
  CHECK(statuses(first).find("PreparingTrainingStack[Preparing the environment of requirements.txt] ") !=
        std::string::npos);
  CHECK(job_log(home, "first").find("pip: ") != std::string::npos);
  const ObjectStore objects(home.path("objects"));
  const std::string said = model_file(objects, "s3://b/models/first/output/model.tar.gz", "said");
  CHECK(said.rfind("tiny 1.0 " + home.path("environments/"), 0) == 0);
  const Json card = parse(model_file(objects, "s3://b/models/first/output/model.tar.gz", "model_card.json"));
  CHECK(card["environment"]["packages"] == Json::array({"tiny-1.0"}));

  const Json second = run("second", "1.0");
  REQUIRE(second.value("TrainingJobStatus", "") == "Completed");
  CHECK(statuses(second).find("PreparingTrainingStack") == std::string::npos);
  CHECK(job_log(home, "second").find("prepares environment") == std::string::npos);
  CHECK(model_file(objects, "s3://b/models/second/output/model.tar.gz", "said") == said);

  const Json other = run("other", "2.0");
  REQUIRE(other.value("TrainingJobStatus", "") == "Completed");
  CHECK(model_file(objects, "s3://b/models/other/output/model.tar.gz", "said").rfind("tiny 2.0 ", 0) == 0);
}

TEST_CASE(
    "Environments: a processing job's, whose script asks pip itself as the SDK's FrameworkProcessor has it") {
  const TemporaryHome home;
  std::map<std::string, std::string> files;
  for (const auto& [name, text] : code_with_wheel("1.0")) files[name] = text;
  auto packed = ArchiveWriter::create(home.path("objects/b/code/sourcedir.tar.gz"));
  REQUIRE(packed);
  files["work.py"] = "import tiny\nopen('/opt/ml/processing/out/said', 'w').write(tiny.WORD)\n";
  for (const auto& [name, text] : files) REQUIRE(packed->add(name, text));
  REQUIRE(packed->finish());
  home.write("objects/b/entry/runproc.sh",
             "cd $1 && tar -xzf sourcedir.tar.gz && set -e\n"
             "pip install --disable-pip-version-check --no-index -r requirements.txt\n"
             "sed -i \"s|/opt/ml/processing/out|$2|\" work.py\npython work.py\n");
  TaskDriver driver(home.path());
  const Json request = {
      {"ProcessingJobName", "packed"},
      {"AppSpecification",
       {{"ImageUri", "any"},
        {"ContainerEntrypoint", {"/bin/sh", "/opt/ml/processing/input/entrypoint/runproc.sh"}},
        {"ContainerArguments", {"/opt/ml/processing/input/code", "/opt/ml/processing/out"}}}},
      {"ProcessingInputs",
       {{{"InputName", "code"},
         {"S3Input",
          {{"S3Uri", "s3://b/code/sourcedir.tar.gz"}, {"LocalPath", "/opt/ml/processing/input/code"}}}},
        {{"InputName", "entrypoint"},
         {"S3Input",
          {{"S3Uri", "s3://b/entry/runproc.sh"}, {"LocalPath", "/opt/ml/processing/input/entrypoint"}}}}}},
      {"ProcessingOutputConfig",
       {{"Outputs",
         {{{"OutputName", "out"},
           {"S3Output", {{"S3Uri", "s3://b/out/"}, {"LocalPath", "/opt/ml/processing/out"}}}}}}}}};
  const std::string answer = driver.run("sagemaker:createProcessingJob.sync", request.dump());
  CHECK_MESSAGE(home.read("objects/b/out/said") == "tiny 1.0",
                (answer + home.read("logs/ProcessingJob/packed.log")));
  CHECK(home.read("logs/ProcessingJob/packed.log").find("Requirement already satisfied: tiny") !=
        std::string::npos);
}

TEST_CASE("Environments: what is asked for and can't be had is said with pip's words") {
  const TemporaryHome home;
  TaskDriver driver(home.path());
  Json request =
      script_request(home, "absent", "train.py",
                     {{"train.py", "print('never')"}, {"requirements.txt", "tiny\nabsent-thing==9.1\n"}});
  request["EnableNetworkIsolation"] = true;
  home.write("objects/b/code-absent/wheels/" + wheel_name("tiny", "1.0"), wheel_of("tiny", "1.0", ""));
  const std::string answer = driver.run(kTrainToEnd, request.dump());
  const Json job = parse(answer.substr(answer.find('{')));
  CHECK(job["TrainingJobStatus"] == "Failed");
  const std::string reason = job["FailureReason"];
  CHECK(reason.find("ClientError: requirements.txt can't be installed: ") == 0);
  CHECK(reason.find("absent-thing==9.1") != std::string::npos);
  CHECK(reason.find("EnableNetworkIsolation: no index was asked") != std::string::npos);
  CHECK(reason.find("millrace environments prepare") != std::string::npos);
  CHECK(job_log(home, "absent").find("never") == std::string::npos);
  const SystemClock clock;
  CHECK(PythonEnvironments(home.path("environments"), {}, clock).list().empty());
}

TEST_CASE(
    "Environments: of those who ask at once one prepares, the others wait; what is installed needs no "
    "network") {
  const TemporaryHome home;
  const SystemClock clock;
  // pip is there wherever an environment is.
  const auto request = request_for(home, "code", {{"requirements.txt", "pip\n"}});
  std::mutex mutex;
  std::string log;
  std::vector<std::string> keys(4);
  {
    std::vector<std::jthread> threads;
    for (std::string& key : keys)
      threads.emplace_back([&, mine = &key, one = request]() mutable {
        // Each as if it were a process of its own.
        PythonEnvironments environments(home.path("environments"), offline_settings(), clock);
        one.log = [&](std::string_view line) {
          const std::lock_guard lock(mutex);
          log += std::string(line) + "\n";
        };
        const auto prepared = environments.prepare(one);
        if (prepared && *prepared) *mine = (*prepared)->key();
      });
  }
  CHECK_MESSAGE(
      count_of(log, "prepares environment") - count_of(log, "another job that prepares environment") == 1,
      log);
  CHECK(keys[0].size() == 20);
  for (const std::string& key : keys) CHECK(key == keys[0]);
  const auto list = PythonEnvironments(home.path("environments"), offline_settings(), clock).list();
  REQUIRE(list.size() == 1);
  CHECK(list[0].ready);
  CHECK(!list[0].in_use);
}

TEST_CASE("Environments: stopping ends the preparing, and so does its time; nothing of it stays") {
  const TemporaryHome home;
  const SystemClock clock;
  auto request = request_for(home, "code", endless_code(home));
  request.cancelled = [&] { return std::filesystem::exists(home.path("begun")); };
  const auto begun = std::chrono::steady_clock::now();
  PythonEnvironments environments(home.path("environments"), offline_settings(), clock);
  const auto stopped = environments.prepare(request);
  REQUIRE(!stopped);
  CHECK(stopped.error().code == ErrorCode::Cancelled);
  request.cancelled = nullptr;
  EnvironmentSettings settings = offline_settings();
  settings.prepare_max = Millis(1'500);
  const auto late = PythonEnvironments(home.path("environments"), settings, clock).prepare(request);
  REQUIRE(!late);
  CHECK(late.error().code == ErrorCode::LimitExceeded);
  CHECK(late.error().message.find("longer than 1.5 s") != std::string::npos);
  CHECK(environments.list().empty());
  CHECK(std::chrono::steady_clock::now() - begun < std::chrono::seconds(60));
}

TEST_CASE("Environments: stopping a job ends it while its packages are installed") {
  const TemporaryHome home;
  TaskDriver driver(home.path());
  auto files = endless_code(home);
  files.emplace_back("train.py", "");
  const auto key = TaskDriver::key(1);
  driver.start(key, kTrainToEnd, script_request(home, "slow", "train.py", files).dump());
  for (int i = 0; i < 3000 && !std::filesystem::exists(home.path("begun")); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  CHECK(driver.run("aws-sdk:sagemaker:stopTrainingJob", R"({"TrainingJobName":"slow"})") == "{}");
  REQUIRE(driver.wait(key));
  CHECK(parse(driver.seen[key].outcome->error().cause)["TrainingJobStatus"] == "Stopped");
}

TEST_CASE(
    "Environments: what a crash left is made anew; limits take the longest unused, never what is in use") {
  const TemporaryHome home;
  const SystemClock clock;
  EnvironmentSettings settings = offline_settings();
  settings.count_max = 1;
  PythonEnvironments environments(home.path("environments"), settings, clock);
  const auto code = [&](const std::string& version) {
    return request_for(home, "code-" + version, code_with_wheel(version));
  };
  auto first = environments.prepare(code("1.0"));
  REQUIRE(first);
  const std::string first_key = (*first)->key();
  // Half of it, as after kill -9: the record is written last.
  std::filesystem::remove(home.path("environments/" + first_key + "/environment.json"));
  REQUIRE(environments.list().size() == 1);
  CHECK(!environments.list()[0].ready);
  *first = std::nullopt;
  const std::string half = "0123456789abcdef0123";
  home.write("environments/" + half + "/env/bin/python3", "half");
  CHECK(environments.sweep().size() == 2);
  CHECK(environments.list().empty());

  auto again = environments.prepare(code("1.0"));
  REQUIRE(again);
  CHECK((*again)->key() == first_key);
  CHECK(environments.remove(first_key).error().code == ErrorCode::Unavailable);
  auto second = environments.prepare(code("2.0"));
  REQUIRE(second);
  CHECK(environments.sweep().empty());  // both are used
  CHECK(environments.list().size() == 2);
  *again = std::nullopt;
  const std::string second_key = (*second)->key();
  *second = std::nullopt;
  CHECK(environments.sweep() == std::vector<std::string>{first_key});
  CHECK(environments.remove(second_key));
  CHECK(environments.remove(second_key).error().code == ErrorCode::NotFound);
  CHECK(environments.remove("../objects").error().code == ErrorCode::NotFound);
}
