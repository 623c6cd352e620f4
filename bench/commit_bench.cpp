// How fast histories become durable: chains of ten Pass states (22 events, 1 KB documents that grow by a
// field, one row each) through the committer into SQLite, from 1, 64 and 512 writers that each wait for their
// answer. One JSON line each.
//   millrace_bench_commit [seconds] [folder]

#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "base/check.h"
#include "orchestrator/committer.h"
#include "orchestrator/store/codec.h"
#include "tests/support/sample_events.h"

using namespace millrace;
using namespace millrace::orchestrator;
using SteadyTime = std::chrono::steady_clock;

namespace {

constexpr int kStates = 10;
constexpr std::size_t kDocumentBytes = 1000;

double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}
double since(SteadyTime::time_point t) {
  return std::chrono::duration<double>(SteadyTime::now() - t).count();
}

void bench_codec() {
  const auto events = samples::chain(kStates, kDocumentBytes);
  constexpr int kRounds = 20'000;
  std::size_t bytes = 0;
  double cpu = cpu_seconds();
  for (int i = 0; i < kRounds; ++i) bytes += encode_events(events).size();
  const double encode = (cpu_seconds() - cpu) / kRounds * 1e6;
  const std::string row = encode_events(events);
  cpu = cpu_seconds();
  for (int i = 0; i < kRounds / 10; ++i)
    MR_CHECK(decode_events(row)->size() == events.size(), "the row reads back");
  const double decode = (cpu_seconds() - cpu) / (kRounds / 10) * 1e6;
  std::printf(
      "{\"bench\":\"codec\",\"events\":%zu,\"row_bytes\":%zu,\"encode_us_per_event\":%.3f,\"decode_us_per_"
      "event\":%.3f}\n",
      events.size(), bytes / kRounds, encode / static_cast<double>(events.size()),
      decode / static_cast<double>(events.size()));
}

// Closed loop: each writer submits its next append when the last was answered.
class Writers {
 public:
  Writers(const std::string& path, int count, double seconds) : count_(count), seconds_(seconds) {
    auto store = open_sqlite_store(path);
    MR_CHECK(store, "the store opens");
    machine_ =
        (*store)->put_machine({MachineId{}, "arn:bench", "bench", "role", "{}", "hash", Instant()})->id;
    committer_ = make_committer(*std::move(store), *loop_);
  }
  void run() {
    events_ = samples::chain(kStates, kDocumentBytes);
    begin_ = SteadyTime::now();
    const double cpu = cpu_seconds();
    for (int i = 0; i < count_; ++i) submit();
    loop_->run();
    const double used = cpu_seconds() - cpu, took = since(begin_);
    std::sort(latencies_.begin(), latencies_.end());
    const auto at = [&](double share) {
      return latencies_[static_cast<std::size_t>(share * static_cast<double>(latencies_.size() - 1))] * 1e3;
    };
    const double n = static_cast<double>(latencies_.size());
    std::printf(
        "{\"bench\":\"commit\",\"writers\":%d,\"appends_per_s\":%.0f,\"events_per_s\":%.0f,\"transitions_per_"
        "s\":%.0f,"
        "\"cpu_us_per_append\":%.2f,\"p50_ms\":%.3f,\"p99_ms\":%.3f,\"max_ms\":%.3f}\n",
        count_, n / took, n / took * static_cast<double>(events_.size()), n / took * kStates, used / n * 1e6,
        at(0.5), at(0.99), at(1));
    std::fflush(stdout);
  }

 private:
  void submit() {
    ++out_;
    Append append;
    append.events = events_;
    append.row.id = ExecutionId{++last_};
    append.row.machine = machine_;
    append.row.name = uuid_v7(to_millis(clock_.now()), random_);
    append.row.status = states::ExecutionStatus::Succeeded;
    append.row.started = clock_.now();
    append.row.stopped = clock_.now();
    append.row.events = append.events.size();
    committer_->submit(std::move(append),
                       [this, begin = SteadyTime::now()](const Result<AppendResult>& result) {
                         MR_CHECK(result && *result == AppendResult::Ok, "the append is durable");
                         latencies_.push_back(since(begin));
                         --out_;
                         if (since(begin_) < seconds_) return submit();
                         if (out_ == 0) loop_->stop();
                       });
  }

  const int count_;
  const double seconds_;
  const SystemClock clock_;
  std::unique_ptr<UvLoop> loop_ = make_uv_loop(clock_);
  std::unique_ptr<Committer> committer_;
  MachineId machine_;
  std::vector<states::Event> events_;
  Random random_{1};
  std::uint64_t last_ = 0;
  int out_ = 0;
  SteadyTime::time_point begin_;
  std::vector<double> latencies_;
};

}  // namespace

int main(int argc, char** argv) {
  const double seconds = argc > 1 ? std::atof(argv[1]) : 3;
  const std::string folder = argc > 2 ? argv[2] : "/tmp";
  bench_codec();
  for (const int writers : {1, 64, 512}) {
    const std::string path = folder + "/millrace-commit-bench.db";
    const auto remove = [&] {
      for (const char* suffix : {"", "-wal", "-shm"}) std::filesystem::remove(path + suffix);
    };
    remove();
    Writers(path, writers, seconds).run();
    remove();
  }
}
