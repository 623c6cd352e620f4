#include <doctest/doctest.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <set>

#include "tasks/jobs/entities.h"
#include "tasks/script/process.h"
#include "tasks/script/sandbox.h"
#include "tasks/steps/step_record.h"
#include "tests/tasks/jobs/task_driver.h"
#include "tests/tasks/script/script_request.h"
#include "tests/tasks/support/model_files.h"
#include "tests/tasks/support/parse.h"

using namespace millrace;
using namespace millrace::tasks;

namespace {

const std::string kRunTraining = "sagemaker:createTrainingJob.sync";

// A training job, to its end: its document.
Json trained_program(TaskDriver& driver, const Json& request) {
  const std::string answer = driver.run(kRunTraining, request.dump());
  const std::size_t at = answer.find('{');
  return at == std::string::npos ? Json{{"Answer", answer}} : parse(answer.substr(at));
}

bool can_mount_here(const TemporaryHome& home) {
  const auto opt_ml = OptMl::make(home.path("probe"));
  if (opt_ml && opt_ml->mounted()) return true;
  MESSAGE("skipped: bubblewrap is not there");
  return false;
}

bool is_there(const std::string& program) {
  ProcessSpec spec;
  spec.arguments = {"/bin/sh", "-c", "command -v " + program + " >/dev/null"};
  spec.environment = {std::string("PATH=") + std::getenv("PATH")};
  const auto end = run_process(spec, {});
  if (end && end->exit_code == 0) return true;
  MESSAGE("skipped: " << program << " is not there");
  return false;
}

// Every host adds its number to a sum at the first one's address, and learns the sum.
const char* const kSumOfAll = R"(
import json, os, socket, time
hosts, me = json.loads(os.environ['SM_HOSTS']), os.environ['SM_CURRENT_HOST']
mine = len(os.listdir(os.environ['SM_CHANNEL_TRAIN']))
address = (os.environ['MASTER_ADDR'], int(os.environ['MASTER_PORT']))
if me == hosts[0]:
    server = socket.create_server(address)
    peers = [server.accept()[0] for _ in hosts[1:]]
    total = mine + sum(int(peer.makefile().readline()) for peer in peers)
    for peer in peers: peer.sendall(b'%d\n' % total)
else:
    for attempt in range(200):
        try:
            peer = socket.create_connection(address, timeout=10); break
        except OSError:
            time.sleep(0.05)
    peer.sendall(b'%d\n' % mine)
    total = int(peer.makefile().readline())
print('files=%d total=%d rank=%s of %s' % (mine, total, os.environ.get('RANK'), os.environ.get('WORLD_SIZE')))
open(os.path.join(os.environ['SM_MODEL_DIR'], me), 'w').write('%d of %d' % (mine, total))
open(os.path.join(os.environ['SM_MODEL_DIR'], 'shared'), 'w').write(me)
open(os.path.join(os.environ['SM_OUTPUT_DATA_DIR'], me + '.json'), 'w').write(
    open(os.path.join(os.environ['SM_INPUT_CONFIG_DIR'], 'resourceconfig.json')).read())
)";

Json cluster_request(const TemporaryHome& home, const std::string& name, int hosts) {
  for (int i = 0; i < 7; ++i) home.write("objects/b/train/part-" + std::to_string(i) + ".csv", "1\n");
  Json request = script_request(home, name, "train.py", {{"train.py", kSumOfAll}});
  request["ResourceConfig"] = {{"InstanceCount", hosts}, {"InstanceType", "ml.m5.large"}};
  request["HyperParameters"]["sagemaker_torch_distributed_enabled"] = "true";
  request["AlgorithmSpecification"]["MetricDefinitions"] = {{{"Name", "files"}, {"Regex", "files=([0-9]+)"}}};
  request["InputDataConfig"] = {
      {{"ChannelName", "train"},
       {"DataSource",
        {{"S3DataSource", {{"S3Uri", "s3://b/train/"}, {"S3DataDistributionType", "ShardedByS3Key"}}}}}}};
  return request;
}

}  // namespace

TEST_CASE("Hosts: three processes share the objects, find each other, and leave one model") {
  const TemporaryHome home;
  TaskDriver driver(home.path());
  const Json job = trained_program(driver, cluster_request(home, "three", 3));
  const std::string log = home.read("logs/TrainingJob/three.log");
  REQUIRE_MESSAGE(job.value("TrainingJobStatus", "") == "Completed", (job.dump(1) + log));
  const ObjectStore objects(home.path("objects"));
  const std::string model = "s3://b/models/three/output/model.tar.gz";
  CHECK(model_file(objects, model, "algo-1") == "3 of 7");
  CHECK(model_file(objects, model, "algo-2") == "2 of 7");
  CHECK(model_file(objects, model, "algo-3") == "2 of 7");
  CHECK(model_file(objects, model, "shared") == "algo-1");  // the first host's
  CHECK(log.find("/opt/ml/model/shared of algo-2 is not that of algo-1, which is kept") != std::string::npos);
  CHECK(log.find("[algo-3] files=2 total=7 rank=2 of 3") != std::string::npos);
  const Json config = parse(home.read("objects/b/models/three/output/data/algo-2.json"));
  CHECK(config["current_host"] == "algo-2");
  CHECK(config["hosts"] == Json::array({"algo-1", "algo-2", "algo-3"}));
  CHECK(config["instance_groups"][0]["instance_type"] == "ml.m5.large");
  REQUIRE(job["FinalMetricDataList"].size() == 1);
  CHECK(job["FinalMetricDataList"][0]["Value"] == 3.0);  // the first host's, whoever ended last
  CHECK(parse(model_file(objects, model, "model_card.json"))["hosts"].size() == 3);
}

TEST_CASE("Hosts: without a network they have each other and nobody else") {
  const TemporaryHome home;
  if (!can_mount_here(home)) return;
  TaskDriver driver(home.path());
  Json request = cluster_request(home, "apart", 2);
  request["EnableNetworkIsolation"] = true;
  const Json job = trained_program(driver, request);
  CHECK_MESSAGE(job.value("TrainingJobStatus", "") == "Completed",
                (job.dump(1) + home.read("logs/TrainingJob/apart.log")));
}

TEST_CASE("Hosts: when one fails the others end, and its words are the job's") {
  const TemporaryHome home;
  TaskDriver driver(home.path());
  Json request =
      script_request(home, "broken", "train.sh",
                     {{"train.sh",
                       "[ $SM_CURRENT_HOST = algo-2 ] && sleep 0.3 && echo 'no column x' >&2 && exit 3\n"
                       "sleep 300 & wait\n"}});
  request["ResourceConfig"] = {{"InstanceCount", 3}};
  const auto begun = std::chrono::steady_clock::now();
  const Json job = trained_program(driver, request);
  CHECK(std::chrono::steady_clock::now() - begun < std::chrono::seconds(30));
  CHECK(job["TrainingJobStatus"] == "Failed");
  CHECK(job["FailureReason"] == "AlgorithmError: algo-2: no column x, exit code: 3");
}

TEST_CASE("Hosts: as ranks of one mpirun, two on each of two hosts") {
  const TemporaryHome home;
  if (!is_there("mpirun") || !is_there("mpicc")) return;
  home.write(
      "sum.c",
      "#include <mpi.h>\n#include <stdio.h>\n#include <stdlib.h>\n"
      "int main(int n, char** words) {\n  int rank, size, sum, mine;\n  char path[4096];\n"
      "  MPI_Init(&n, &words);\n  MPI_Comm_rank(MPI_COMM_WORLD, &rank);\n"
      "  MPI_Comm_size(MPI_COMM_WORLD, &size);\n  mine = rank + 1;\n"
      "  MPI_Allreduce(&mine, &sum, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD);\n"
      "  printf(\"rank %d of %d on %s: sum=%d\\n\", rank, size, getenv(\"SM_CURRENT_HOST\"), sum);\n"
      "  snprintf(path, sizeof path, \"%s/rank-%d\", getenv(\"SM_MODEL_DIR\"), rank);\n"
      "  FILE* file = fopen(path, \"w\");\n  fprintf(file, \"%d\", sum);\n  fclose(file);\n"
      "  MPI_Finalize();\n  if (n > 2 && atoi(words[2]) == rank) { puts(\"no column x\"); return 7; }\n"
      "  return 0;\n}\n");
  ProcessSpec compile;
  compile.arguments = {"mpicc", home.path("sum.c"), "-o", home.path("sum")};
  compile.environment = {std::string("PATH=") + std::getenv("PATH")};
  const auto compiled = run_process(compile, {});
  REQUIRE((compiled && compiled->exit_code == 0));
  TaskDriver driver(home.path());
  Json request = script_request(home, "ranks", "sum", {{"sum", home.read("sum")}});
  request["ResourceConfig"] = {{"InstanceCount", 2}};
  request["HyperParameters"]["sagemaker_mpi_enabled"] = "true";
  request["HyperParameters"]["sagemaker_mpi_num_of_processes_per_host"] = "2";
  request["AlgorithmSpecification"]["MetricDefinitions"] = {{{"Name", "sum"}, {"Regex", "sum=([0-9]+)"}}};
  const Json job = trained_program(driver, request);
  const std::string log = home.read("logs/TrainingJob/ranks.log");
  REQUIRE_MESSAGE(job.value("TrainingJobStatus", "") == "Completed", (job.dump(1) + log));
  const ObjectStore objects(home.path("objects"));
  for (const char* name : {"rank-0", "rank-1", "rank-2", "rank-3"})
    CHECK(model_file(objects, "s3://b/models/ranks/output/model.tar.gz", name) == "10");
  CHECK(log.find("[algo-1] rank 1 of 4 on algo-1: sum=10") != std::string::npos);
  CHECK(log.find("[algo-2] rank 2 of 4 on algo-2: sum=10") != std::string::npos);
  CHECK(job["FinalMetricDataList"][0]["Value"] == 10.0);

  Json apart = request;
  apart["TrainingJobName"] = "apart";
  apart["EnableNetworkIsolation"] = true;
  CHECK(trained_program(driver, apart).value("TrainingJobStatus", "") == "Completed");
  Json broken = request;
  broken["TrainingJobName"] = "broken";
  broken["HyperParameters"]["fails"] = "3";
  const Json failed_job = trained_program(driver, broken);
  CHECK(failed_job["TrainingJobStatus"] == "Failed");
  const std::string reason = failed_job.value("FailureReason", "");
  CHECK_MESSAGE(reason.find("no column x") != std::string::npos, reason);
  CHECK_MESSAGE(reason.find("exit code: 7") != std::string::npos, reason);
}

TEST_CASE("Hosts: what is not here is refused with what to do instead") {
  const TemporaryHome home;
  TaskDriver driver(home.path());
  const auto refusal = [&](const Json& more) {
    Json request = script_request(home, "no", "train.sh", {{"train.sh", "true"}});
    request.merge_patch(more);
    return driver.run(kRunTraining, request.dump());
  };
  CHECK(refusal({{"ResourceConfig", {{"InstanceCount", 0}}}}) ==
        "SageMaker.ValidationException: ResourceConfig.InstanceCount: must be between 1 and 64, not 0");
  CHECK(refusal({{"ResourceConfig", {{"InstanceGroups", Json::array({Json::object()})}}}})
            .find("ResourceConfig.InstanceGroups: is not supported for programs") != std::string::npos);
  CHECK(refusal({{"HyperParameters", {{"sagemaker_parameter_server_enabled", "true"}}}})
            .find("HyperParameters.sagemaker_parameter_server_enabled: that launcher is not here") !=
        std::string::npos);
  CHECK(refusal({{"HyperParameters", {{"sagemaker_mpi_num_of_processes_per_host", "many"}}}})
            .find("sagemaker_mpi_num_of_processes_per_host: expected 1 to 128, not \"many\"") !=
        std::string::npos);
  CHECK(refusal({{"InputDataConfig",
                  {{{"ChannelName", "train"},
                    {"DataSource",
                     {{"S3DataSource", {{"S3Uri", "s3://b/x"}, {"S3DataDistributionType", "Halves"}}}}}}}}})
            .find("S3DataDistributionType") != std::string::npos);
}

TEST_CASE("Hosts: processing on two, each with its part, their outputs together") {
  const TemporaryHome home;
  for (const char* name : {"a", "b", "c"}) home.write(std::string("objects/b/raw/") + name, name);
  home.write("objects/b/code/upper.sh",
             "for f in $1/*; do tr a-z A-Z < $f > $2/$(basename $f).out; done\n"
             "echo $SM_CURRENT_HOST > $2/host-$SM_CURRENT_HOST\n");
  TaskDriver driver(home.path());
  const Json request = {
      {"ProcessingJobName", "upper"},
      {"AppSpecification",
       {{"ImageUri", "any"},
        {"ContainerEntrypoint", {"sh", "/opt/ml/processing/input/code/upper.sh"}},
        {"ContainerArguments", {"/opt/ml/processing/in", "/opt/ml/processing/out"}}}},
      {"ProcessingResources", {{"ClusterConfig", {{"InstanceCount", 2}, {"InstanceType", "ml.m5.large"}}}}},
      {"ProcessingInputs",
       {{{"InputName", "in"},
         {"S3Input",
          {{"S3Uri", "s3://b/raw/"},
           {"LocalPath", "/opt/ml/processing/in"},
           {"S3DataDistributionType", "ShardedByS3Key"}}}},
        {{"InputName", "code"},
         {"S3Input", {{"S3Uri", "s3://b/code/upper.sh"}, {"LocalPath", "/opt/ml/processing/input/code"}}}}}},
      {"ProcessingOutputConfig",
       {{"Outputs",
         {{{"OutputName", "out"},
           {"S3Output", {{"S3Uri", "s3://b/out/"}, {"LocalPath", "/opt/ml/processing/out"}}}}}}}}};
  const std::string answer = driver.run("sagemaker:createProcessingJob.sync", request.dump());
  REQUIRE_MESSAGE(parse(answer).is_object(), answer);
  CHECK(home.read("objects/b/out/a.out") + home.read("objects/b/out/b.out") +
            home.read("objects/b/out/c.out") ==
        "ABC");
  CHECK(home.read("objects/b/out/host-algo-1") == "algo-1\n");
  CHECK(home.read("objects/b/out/host-algo-2") == "algo-2\n");
}

TEST_CASE("Programs: a shell's, R's and a compiled one, each with its hyperparameters") {
  const TemporaryHome home;
  TaskDriver driver(home.path());
  const auto said = [&](const std::string& name, const std::string& program,
                        const std::vector<std::pair<std::string, std::string>>& files) {
    Json request = script_request(home, name, program, files);
    request["HyperParameters"]["depth"] = "3";
    const Json job = trained_program(driver, request);
    REQUIRE_MESSAGE(job.value("TrainingJobStatus", "") == "Completed",
                    (job.dump(1) + home.read("logs/TrainingJob/" + name + ".log")));
    return model_file(ObjectStore(home.path("objects")), "s3://b/models/" + name + "/output/model.tar.gz",
                      "said");
  };
  // An object has no permissions; a script that names its shell has that one all the same.
  CHECK(said("bash", "train.sh",
             {{"train.sh", "#!/bin/bash\nwords=(\"$@\"); echo \"${words[1]}\" > $SM_MODEL_DIR/said\n"}}) ==
        "3\n");
  if (is_there("Rscript"))
    CHECK(said("r", "train.R",
               {{"train.R",
                 "arguments <- commandArgs(trailingOnly = TRUE)\n"
                 "depth <- as.numeric(arguments[which(arguments == '--depth') + 1])\n"
                 "model <- lm(dist ~ speed, data = datasets::cars)\n"
                 "cat('rmse =', sqrt(mean(residuals(model)^2)), '\\n')\n"
                 "writeLines(as.character(depth * 2), file.path(Sys.getenv('SM_MODEL_DIR'), 'said'))\n"}}) ==
          "6\n");
  if (!is_there("cc")) return;
  home.write("train.c",
             "#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n"
             "int main(int n, char** words) {\n  char path[4096];\n"
             "  snprintf(path, sizeof path, \"%s/said\", getenv(\"SM_MODEL_DIR\"));\n"
             "  FILE* file = fopen(path, \"w\");\n  fputs(n > 2 ? words[2] : \"none\", file);\n"
             "  return fclose(file);\n}\n");
  ProcessSpec compile;
  compile.arguments = {"cc", home.path("train.c"), "-o", home.path("train")};
  compile.environment = {std::string("PATH=") + std::getenv("PATH")};
  const auto compiled = run_process(compile, {});
  REQUIRE((compiled && compiled->exit_code == 0));
  CHECK(said("compiled", "train", {{"train", home.read("train")}}) == "3");
}

TEST_CASE("Programs: EnableNetworkIsolation has no network, not even this machine's") {
  const TemporaryHome home;
  if (!without_network()) {
    MESSAGE("skipped: this machine can't cut a program off from the network");
    return;
  }
  const int listener = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  REQUIRE(::bind(listener, reinterpret_cast<sockaddr*>(&address), size) == 0);
  REQUIRE(::listen(listener, 8) == 0);
  ::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size);
  const std::string port = std::to_string(ntohs(address.sin_port));
  TaskDriver driver(home.path());
  const auto reached = [&](const std::string& name, bool isolated) {
    Json request = script_request(
        home, name, "train.py",
        {{"train.py", "import socket\ntry:\n  socket.create_connection(('127.0.0.1', " + port +
                          "), timeout=5)\n  print('reached=1')\nexcept OSError:\n  print('reached=0')\n"}});
    request["EnableNetworkIsolation"] = isolated;
    request["AlgorithmSpecification"]["MetricDefinitions"] = {
        {{"Name", "reached"}, {"Regex", "reached=([01])"}}};
    const Json job = trained_program(driver, request);
    REQUIRE(job.value("TrainingJobStatus", "") == "Completed");
    return job["FinalMetricDataList"][0]["Value"].get<double>();
  };
  CHECK(reached("open", false) == 1);
  CHECK(reached("isolated", true) == 0);
  ::close(listener);
}

TEST_CASE("Programs: more processes or more memory together than allowed end a program") {
  ProcessSpec spec;
  spec.environment = {"PATH=/usr/local/bin:/usr/bin:/bin"};
  spec.arguments = {"/bin/sh", "-c", "for i in 1 2 3 4 5 6 7 8 9; do sleep 30 & done; wait"};
  spec.processes_max = 5;
  const auto begun = std::chrono::steady_clock::now();
  const auto many = run_process(spec, {});
  REQUIRE(many);
  CHECK(many->limit == "more than 5 processes");
  CHECK(many->signal == 9);
  spec.processes_max = 0;
  spec.memory_bytes_max = 300'000'000;
  spec.arguments = {"python3", "-c",
                    "import os, time\nfor i in range(4):\n  if os.fork() == 0:\n    x = b'1' * 120000000\n"
                    "    time.sleep(30)\ntime.sleep(30)"};
  const auto large = run_process(spec, {});
  REQUIRE(large);
  CHECK(large->limit == "more than 300 MB of memory together");
  // What processes share counts once.
  spec.arguments = {"python3", "-c",
                    "import os, time\nx = b'1' * 120000000\nfor i in range(4):\n  if os.fork() == 0:\n"
                    "    time.sleep(1.5)\n    os._exit(0)\ntime.sleep(1.5)"};
  const auto shared = run_process(spec, {});
  REQUIRE(shared);
  CHECK(shared->limit == "");
  CHECK(shared->exit_code == 0);
  CHECK(std::chrono::steady_clock::now() - begun < std::chrono::seconds(40));
}

TEST_CASE("Programs: what a job used is in its record") {
  const TemporaryHome home;
  TaskDriver driver(home.path());
  home.write("objects/b/train.csv", std::string(1000, 'x'));
  Json request = script_request(home, "used", "train.py",
                                {{"train.py",
                                  "import time\nx = b'1' * 150000000\nend = time.process_time() + 0.3\n"
                                  "while time.process_time() < end: pass\n"}});
  request["InputDataConfig"] = {
      {{"ChannelName", "train"}, {"DataSource", {{"S3DataSource", {{"S3Uri", "s3://b/train.csv"}}}}}}};
  REQUIRE(trained_program(driver, request).value("TrainingJobStatus", "") == "Completed");
  const Json usage = driver.runner->jobs().find("TrainingJob", "used")->at(kNotes).at(kStep).at("Usage");
  CHECK(usage["CpuSeconds"].get<double>() > 0.3);
  CHECK(usage["CpuSeconds"].get<double>() < 10);
  CHECK(usage["MemoryPeakBytes"].get<double>() > 150e6);
  CHECK(usage["BytesRead"].get<double>() >= 1000);
}
