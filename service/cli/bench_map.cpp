#include "service/cli/bench_map.h"

#include <chrono>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "service/cli/bench_home.h"

namespace millrace::cli {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr std::size_t kInlineItemsMax = 5'000;  // four events an iteration, 25,000 in a history

Json item(int i) {
  return {{"id", i}, {"sku", "sku-" + std::to_string(i)}, {"quantity", i % 7}};
}

Json machine(const MapBenchOptions& options) {
  const Json states = {{"Item", {{"Type", "Pass"}, {"End", true}}}};
  Json map = {{"Type", "Map"}, {"End", true}};
  map["ItemProcessor"] = {{"StartAt", "Item"}, {"States", states}};
  if (!options.distributed.empty()) {
    map["Label"] = "Items";
    map["MaxConcurrency"] = options.concurrency;
    map["ItemProcessor"]["ProcessorConfig"] = {
        {"Mode", "DISTRIBUTED"},
        {"ExecutionType", options.distributed == "express" ? "EXPRESS" : "STANDARD"}};
    map["ItemReader"] = {{"Resource", "arn:aws:states:::s3:getObject"},
                         {"Parameters", {{"Bucket", "bench"}, {"Key", "items.jsonl"}}},
                         {"ReaderConfig", {{"InputType", "JSONL"}}}};
    map["ResultWriter"] = {{"Resource", "arn:aws:states:::s3:putObject"},
                           {"Parameters", {{"Bucket", "bench"}, {"Prefix", "results"}}},
                           {"WriterConfig", {{"OutputType", "JSONL"}, {"Transformation", "COMPACT"}}}};
  }
  return {{"StartAt", "Map"}, {"States", {{"Map", map}}}};
}

Status write_items(const TemporaryHome& home, int count) {
  const std::filesystem::path bucket = std::filesystem::path(home.path()) / "objects" / "bench";
  std::error_code error;
  std::filesystem::create_directories(bucket, error);
  std::ofstream file(bucket / "items.jsonl");
  for (int i = 0; i < count; ++i) file << item(i).dump() << '\n';
  file.close();
  if (error || !file) return fail(ErrorCode::OutOfSpace, "can't write the items to " + bucket.string());
  return {};
}

// Runs the machine again and again until the time is over; a distributed one once.
class MapLoop {
 public:
  MapLoop(service::Home& home, const MapBenchOptions& options, Payload input)
      : home_(home), options_(options), input_(std::move(input)) {}

  Result<Json> run() {
    home_.loop().post([&] {
      home_.engine().create_machine("bench", machine(options_).dump(),
                                    [&](Result<orchestrator::MachineRow> row) {
                                      if (!row) return stop(row.error());
                                      cpu_before_ = cpu_seconds();
                                      begin_ = SteadyClock::now();
                                      start_one();
                                    });
    });
    home_.loop().run();
    if (error_) return fail(*error_);
    const double wall = std::chrono::duration<double>(SteadyClock::now() - begin_).count();
    const double cpu = cpu_seconds() - cpu_before_;
    const double items = static_cast<double>(runs_) * options_.items;
    return Json{{"bench", "map"},
                {"mode", options_.distributed.empty() ? "inline" : options_.distributed},
                {"items", options_.items},
                {"executions", runs_},
                {"items_per_s", std::round(items / wall)},
                {"cpu_us_per_item", std::round(cpu / items * 1e8) / 100},
                {"seconds", std::round(wall * 1000) / 1000},
                {"peak_memory_mb", peak_memory_bytes() >> 20}};
  }

 private:
  void stop(const Error& error) {
    if (!error_) error_ = error;
    home_.loop().stop();
  }
  void start_one() {
    orchestrator::StartRequest request;
    request.machine = "bench";
    request.input = input_;
    home_.engine().start_execution(
        std::move(request),
        [this](Result<orchestrator::Started> started) {
          if (!started) stop(started.error());
        },
        [this](const orchestrator::Ended& ended) {
          if (ended.status != states::ExecutionStatus::Succeeded) {
            return stop({ErrorCode::Internal,
                         "an execution failed: " +
                             (ended.failure ? ended.failure->error + ": " + ended.failure->cause : ""),
                         {}});
          }
          ++runs_;
          const double seconds = std::chrono::duration<double>(SteadyClock::now() - begin_).count();
          if (options_.distributed.empty() && seconds < options_.seconds) return start_one();
          home_.loop().stop();
        });
  }

  service::Home& home_;
  const MapBenchOptions& options_;
  Payload input_;
  SteadyClock::time_point begin_;
  double cpu_before_ = 0;
  int runs_ = 0;
  std::optional<Error> error_;
};

}  // namespace

Result<Json> measure_map(const MapBenchOptions& options) {
  const bool inlined = options.distributed.empty();
  if (inlined && static_cast<std::size_t>(options.items) > kInlineItemsMax) {
    return invalid("an inline Map of " + std::to_string(options.items) +
                       " items does not fit into the history of one execution",
                   "at most " + std::to_string(kInlineItemsMax) + " items, or add --distributed standard");
  }
  MR_TRY(directory, TemporaryHome::make(options.directory));
  Payload input;
  if (inlined) {
    Json items = Json::array();
    for (int i = 0; i < options.items; ++i) items.push_back(item(i));
    input = to_payload(items);
  } else {
    MR_DO(write_items(*directory, options.items));
  }
  MR_TRY(home, directory->open());
  MapLoop loop(*home, options, std::move(input));
  MR_TRY(line, loop.run());
  home.reset();
  line["disk_bytes_per_item"] =
      directory->bytes() / (static_cast<std::size_t>(options.items) *
                            std::max<std::size_t>(1, line["executions"].get<std::size_t>()));
  return line;
}

}  // namespace millrace::cli
