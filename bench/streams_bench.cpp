// Streams: records of 1 KB a second, put durably by PutRecords of 500 and read by GetRecords, from JSON text
// to JSON text; then rows scored by a forest. One line a measure.
//
//   millrace_bench_streams [records] [folder]      200,000 in a folder of its own below the working directory
//   millrace_bench_streams score FILE [shingle] [trees] [time_decay]      a number a line; their scores, a
//   line
//                                                                        each, and points/s on standard error

#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <mutex>

#include "base/encoding.h"
#include "base/random.h"
#include "tasks/integrations/kinesis/streams.h"
#include "tasks/numeric/stream_forest.h"

using namespace millrace;
using namespace millrace::tasks;

namespace {

using Steady = std::chrono::steady_clock;
constexpr int kShards = 4, kRequestRecords = 500, kUnderWay = 8;
constexpr std::size_t kRecordBytes = 1024;

[[noreturn]] void give_up(const std::string& why) {
  std::fprintf(stderr, "%s\n", why.c_str());
  std::exit(1);
}

double seconds_since(Steady::time_point begin) {
  return std::chrono::duration<double>(Steady::now() - begin).count();
}

Payload ask(kinesis::Streams& streams, const std::string& operation, std::string_view request) {
  std::mutex mutex;
  std::condition_variable changed;
  std::optional<ServiceAnswer> answer;
  auto input = Payload::parse(request);
  if (!input) give_up(input.error().message);
  streams.call({operation, *std::move(input)}, [&](ServiceAnswer given) {
    const std::lock_guard lock(mutex);
    answer = std::move(given);
    changed.notify_one();
  });
  std::unique_lock lock(mutex);
  changed.wait(lock, [&] { return answer.has_value(); });
  if (!*answer) give_up(operation + ": " + answer->error().message);
  return **answer;
}

std::string request_text(int number) {
  JsonWriter out;
  out.begin_object().key("StreamName").string("s").key("Records").begin_array();
  std::string data(kRecordBytes, 'x');
  for (int i = 0; i < kRequestRecords; ++i) {
    data.replace(0, 16, std::to_string(1'000'000'000'000'000 + number * kRequestRecords + i));
    out.begin_object().key("Data").string(base64_encode(data));
    out.key("PartitionKey").string("sensor-" + std::to_string(i)).end_object();
  }
  out.end_array().end_object();
  return std::string(out.finish().text());
}

void put_all(kinesis::Streams& streams, int requests) {
  std::vector<std::string> texts;
  for (int i = 0; i < 16; ++i) texts.push_back(request_text(i));
  std::mutex mutex;
  std::condition_variable changed;
  int busy = 0;
  const auto begin = Steady::now();
  for (int i = 0; i < requests; ++i) {
    auto input = Payload::parse(texts[static_cast<std::size_t>(i) % texts.size()]);
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return busy < kUnderWay; });
    ++busy;
    lock.unlock();
    streams.call({"PutRecords", *std::move(input)}, [&](const ServiceAnswer& answer) {
      if (!answer) give_up(answer.error().message);
      const std::lock_guard done(mutex);
      --busy;
      changed.notify_one();
    });
  }
  std::unique_lock lock(mutex);
  changed.wait(lock, [&] { return busy == 0; });
  const double took = seconds_since(begin);
  std::printf("put   %9.0f records/s  %6.1f MB/s  (%d requests of %d, %d under way)\n",
              requests * kRequestRecords / took, requests * kRequestRecords * 1024.0 / took / 1e6, requests,
              kRequestRecords, kUnderWay);
}

void read_all(kinesis::Streams& streams) {
  std::int64_t records = 0;
  const auto begin = Steady::now();
  for (int shard = 0; shard < kShards; ++shard) {
    std::string iterator = ask(streams, "GetShardIterator",
                               R"({"StreamName":"s","ShardIteratorType":"TRIM_HORIZON","ShardId":")" +
                                   kinesis::shard_name(static_cast<std::uint32_t>(shard)) + "\"}")
                               .view()
                               .find("ShardIterator")
                               .string();
    for (;;) {
      const Payload got = ask(streams, "GetRecords", R"({"ShardIterator":")" + iterator + "\"}");
      records += got.view().find("Records").size();
      iterator = got.view().find("NextShardIterator").string();
      if (got.view().find("MillisBehindLatest").number() == 0) break;
    }
  }
  const double took = seconds_since(begin);
  std::printf("read  %9.0f records/s  %6.1f MB/s  (%lld records)\n", static_cast<double>(records) / took,
              static_cast<double>(records) * 1024 / took / 1e6, static_cast<long long>(records));
}

void score_rows(std::size_t fields, std::size_t shingle) {
  ForestSettings settings;
  settings.fields = fields, settings.shingle = shingle;
  StreamForest forest(settings);
  Random random(1);
  constexpr int kRows = 5'000;
  std::vector<double> row(fields);
  const auto begin = Steady::now();
  for (int i = 0; i < kRows; ++i) {
    for (double& value : row) value = random.normal();
    forest.add(row);
  }
  std::printf("score %9.0f rows/s  (%zu fields, shingle %zu, 100 trees of 256), saved %zu KB\n",
              kRows / seconds_since(begin), fields, shingle, forest.save().size() / 1024);
}

// Scores of a stream that stands in a file; the rate is of this thread's processor time.
int score_file(int argc, char** argv) {
  ForestSettings settings;
  const auto number = [&](int place, double otherwise) {
    return argc > place ? std::atof(argv[place]) : otherwise;
  };
  settings.shingle = static_cast<std::size_t>(number(3, 1));
  settings.trees = static_cast<std::size_t>(number(4, 50));
  settings.time_decay = number(5, settings.time_decay);
  StreamForest forest(settings);
  std::ifstream file(argv[2]);
  std::vector<double> values, scores;
  for (double value = 0; file >> value;) values.push_back(value);
  const std::clock_t begin = std::clock();
  for (const double value : values) scores.push_back(forest.add({&value, 1}).score);
  const double took_s = static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
  for (const double score : scores) std::printf("%.9g\n", score);
  std::fprintf(stderr, "%zu points, %.0f points/s\n", values.size(),
               static_cast<double>(values.size()) / took_s);
  return values.empty() ? 1 : 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 2 && std::strcmp(argv[1], "score") == 0) return score_file(argc, argv);
  const int records = argc > 1 ? std::atoi(argv[1]) : 200'000;
  const std::string folder = argc > 2 ? argv[2] : "bench-streams";
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  const SystemClock clock;
  auto streams = kinesis::Streams::open(folder + "/streams.db", {}, clock, 1);
  if (!streams) give_up(streams.error().message);
  ask(**streams, "CreateStream", R"({"StreamName":"s","ShardCount":4})");
  put_all(**streams, records / kRequestRecords);
  read_all(**streams);
  streams->reset();
  std::filesystem::remove_all(folder);
  score_rows(1, 1);
  score_rows(3, 1);
  score_rows(1, 10);
  return 0;
}
