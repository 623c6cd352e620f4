// Pipe mode beside File mode: linear-learner in one epoch of mini-batches over one big CSV object, from the
// start of the job to its first step and to the model. Each mode runs in a process of its own, so that its
// memory can be told. Usage: millrace_bench_pipe FILE.csv [MB/s]: numbers, label first, no header. With a
// rate the source gives no more than that: a stream is held back, and File mode first waits for the whole
// file. JSON, one line a mode.

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/clock.h"
#include "tasks/artifacts/object_store.h"
#include "tasks/jobs/jobs.h"
#include "tasks/training/train.h"

using namespace millrace;
using namespace millrace::tasks;

namespace {

double now_s() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

class BenchContext final : public TaskContext {
 public:
  explicit BenchContext(const std::filesystem::path& home)
      : objects_(home / "objects"), jobs_(*Jobs::open((home / "tasks.db").string())) {}
  bool cancelled() const override { return false; }
  void progress(const Progress& progress) override {
    if (first_step_s < 0 && progress.phase == "Training" && (progress.rows > 0 || progress.fraction >= 0.1))
      first_step_s = now_s();
  }
  void log(std::string_view) override {}
  ObjectStore& objects() override { return objects_; }
  Jobs& jobs() override { return *jobs_; }
  const Clock& clock() const override { return clock_; }
  std::uint64_t seed() const override { return 1; }
  int threads() const override { return 2; }

  double first_step_s = -1;

 private:
  ObjectStore objects_;
  std::unique_ptr<Jobs> jobs_;
  SystemClock clock_;
};

int run(const std::string& mode, const std::filesystem::path& home, double bytes, double rate) {
  BenchContext context(home);
  const Json request = {
      {"TrainingJobName", "bench-" + mode},
      {"AlgorithmSpecification", {{"TrainingImage", "linear-learner"}, {"TrainingInputMode", mode}}},
      {"HyperParameters", {{"predictor_type", "binary_classifier"}, {"epochs", "1"}, {"optimizer", "adam"}}},
      {"InputDataConfig",
       {{{"ChannelName", "train"}, {"DataSource", {{"S3DataSource", {{"S3Uri", "s3://bench/rows.csv"}}}}}}}},
      {"OutputDataConfig", {{"S3OutputPath", "s3://bench/models"}}}};
  const auto spec = parse_training_spec(request);
  TrainHooks hooks;
  const bool stream = mode == "Pipe";
  double given = 0;
  if (stream && rate > 0) {
    hooks.pace = [&given, rate, from = now_s()](std::size_t count) {
      given += static_cast<double>(count);
      const double ahead_s = from + given / rate - now_s();
      if (ahead_s > 0) std::this_thread::sleep_for(std::chrono::duration<double>(ahead_s));
    };
  }
  const double transfer_s = stream || rate <= 0 ? 0 : bytes / rate;  // before a file is there
  const double begun = now_s();
  const auto result = spec ? run_training(*spec, context, hooks) : tl::make_unexpected(spec.error());
  const double total_s = now_s() - begun;
  if (!result) {
    std::fprintf(stderr, "%s: %s\n", mode.c_str(), result.error().message.c_str());
    return 1;
  }
  rusage use{};
  ::getrusage(RUSAGE_SELF, &use);
  std::printf(
      "{\"mode\":\"%s\",\"bytes\":%.0f,\"rate_mb_s\":%g,\"first_step_s\":%.3f,\"total_s\":%.3f,\"mb_s\":%.0f,"
      "\"peak_mb\":%.1f,\"loss\":%.6f}\n",
      mode.c_str(), bytes, rate / 1e6, context.first_step_s - begun + transfer_s, total_s + transfer_s,
      bytes / 1e6 / (total_s + transfer_s), static_cast<double>(use.ru_maxrss) / 1024,
      result->metrics.at("train:objective_loss"));
  std::fflush(stdout);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: %s FILE.csv [MB/s]\n", argv[0]);
    return 2;
  }
  const double rate = argc > 2 ? std::atof(argv[2]) * 1e6 : 0;
  const auto home = std::filesystem::temp_directory_path() / ("millrace-pipe-" + std::to_string(::getpid()));
  std::filesystem::create_directories(home / "objects" / "bench");
  std::error_code copied;
  std::filesystem::create_hard_link(argv[1], home / "objects/bench/rows.csv", copied);
  if (copied) std::filesystem::copy_file(argv[1], home / "objects/bench/rows.csv");
  const auto bytes = static_cast<double>(std::filesystem::file_size(argv[1]));
  int failed = 0;
  for (const char* mode : {"Pipe", "File"}) {
    const pid_t child = ::fork();
    if (child == 0) ::_exit(run(mode, home, bytes, rate));
    int status = 0;
    ::waitpid(child, &status, 0);
    failed |= status;
  }
  std::filesystem::remove_all(home);
  return failed == 0 ? 0 : 1;
}
