#pragma once
// An engine in memory with an object store in memory, for tests of map runs.

#include <doctest/doctest.h>

#include <map>

#include "orchestrator/engine.h"
#include "orchestrator/maps/background.h"
#include "orchestrator/maps/map_runs.h"

namespace millrace::orchestrator::test {

class MemoryObjects final : public ObjectSource {
 public:
  std::map<std::string, std::string> objects;  // "bucket/key"
  std::size_t piece = 7;                       // bytes a read gives

  Result<std::unique_ptr<ByteReader>> open(const std::string& bucket, const std::string& key) override {
    const auto found = objects.find(bucket + "/" + key);
    if (found == objects.end()) return fail(ErrorCode::NotFound, "no object");
    return std::unique_ptr<ByteReader>(std::make_unique<Reader>(found->second, piece));
  }
  Result<ObjectCursor> list(const std::string& bucket, const std::string& prefix) override {
    std::vector<StoredObject> found;
    bool there = false;
    for (const auto& [name, text] : objects) {
      there = there || name.starts_with(bucket + "/");
      if (name.starts_with(bucket + "/" + prefix))
        found.push_back({name.substr(bucket.size() + 1), text.size(), from_millis(1'700'000'000'000)});
    }
    if (!there) return fail(ErrorCode::NotFound, "The specified bucket does not exist: " + bucket);
    auto at = std::make_shared<std::size_t>(0);
    return ObjectCursor([found, at]() -> Result<std::optional<StoredObject>> {
      if (*at == found.size()) return std::optional<StoredObject>();
      return std::optional(found[(*at)++]);
    });
  }
  Result<std::unique_ptr<ByteWriter>> create(const std::string& bucket, const std::string& key) override {
    if (bucket == "full") return fail(ErrorCode::OutOfSpace, "the disk is full");
    return std::unique_ptr<ByteWriter>(std::make_unique<Writer>(objects[bucket + "/" + key]));
  }

 private:
  struct Reader final : ByteReader {
    Reader(std::string t, std::size_t p) : text(std::move(t)), piece(p) {}
    Result<std::size_t> read(char* into, std::size_t most) override {
      const std::size_t n = std::min({most, piece, text.size() - at});
      text.copy(into, n, at);
      at += n;
      return n;
    }
    Result<std::uint64_t> size() override { return std::uint64_t{text.size()}; }
    Status seek(std::uint64_t offset) override {
      at = static_cast<std::size_t>(std::min<std::uint64_t>(offset, text.size()));
      return {};
    }
    std::string text;
    std::size_t piece, at = 0;
  };
  struct Writer final : ByteWriter {
    explicit Writer(std::string& t) : into(t) {}
    Status write(std::string_view bytes) override {
      text.append(bytes);
      return {};
    }
    Status finish() override {
      into = text;
      return {};
    }
    std::string& into;
    std::string text;
  };
};

// Fails what is {"fail": …} (also inside a batch), never answers {"hang": …}, gives everything else back.
class MapRunner final : public TaskRunner {
 public:
  explicit MapRunner(Loop& loop) : loop_(loop) {}
  std::size_t started = 0, cancelled = 0, out = 0, out_most = 0;
  std::function<void(const TaskRequest&)> on_start;
  bool mended = false;  // nothing fails any more

  bool serves(const std::string&) const override { return true; }
  void start(TaskRequest request, Report report) override {
    ++started;
    out_most = std::max(out_most, ++out);
    if (on_start) on_start(request);
    const Payload input = request.arguments;
    const auto has = [&](std::string_view key) {
      return input.text().find("\"" + std::string(key) + "\"") != std::string_view::npos;
    };
    if (has("hang")) return;
    loop_.post([this, key = request.key, input, bad = has("fail") && !mended, report = std::move(report)] {
      --out;
      report(key, bad ? Outcome(failed("Custom", "by design")) : Outcome(input));
    });
  }
  void cancel(const TaskKey&) override { ++cancelled; }

 private:
  Loop& loop_;
};

struct MapWorld {
  SystemClock clock;
  std::unique_ptr<UvLoop> loop = make_uv_loop(clock);
  MemoryObjects objects;
  MapRunner runner{*loop};
  std::unique_ptr<Committer> committer = make_committer(make_memory_store(), *loop);
  std::unique_ptr<Background> background = make_background(*loop);
  std::unique_ptr<Engine> engine;

  explicit MapWorld(EngineSettings settings = {}) {
    settings.seed = 11;
    settings.maps = {&objects, background.get()};
    engine = std::make_unique<Engine>(*loop, *committer, runner, settings, ExecutionId{0});
  }

  // Runs a machine to its end.
  Ended run(const std::string& definition, const std::string& input = "{}") {
    Ended result;
    engine->create_machine("M", definition, [&](Result<MachineRow> row) {
      REQUIRE_MESSAGE(row, (row ? "" : row.error().message));
      engine->start_execution(
          {"M", "", Payload::literal(input)},
          [&](Result<Started> started) {
            REQUIRE_MESSAGE(started, (started ? "" : started.error().message));
          },
          [&](const Ended& ended) {
            result = ended;
            loop->stop();
          });
    });
    loop->run();
    return result;
  }
  template <class T>
  T ask(const std::function<T(Store&)>& question) {
    std::optional<T> answer;
    committer->run([&](Store& store) { answer = question(store); }, [&] { loop->stop(); });
    loop->run();
    return std::move(*answer);
  }
  MapRunRow map_run(ExecutionId of) {
    return ask<MapRunRow>([&](Store& store) { return store.map_runs().of(of, {}, 1).value().at(0); });
  }
};

// A machine that is one distributed Map. `fields` end in a comma, `processor` are its states from P on.
inline std::string distributed(
    const std::string& fields, const std::string& type = "STANDARD",
    const std::string& processor =
        R"("P":{"Type":"Task","Resource":"arn:aws:lambda:us-east-1:123456789012:function:f","End":true})") {
  return R"({"StartAt":"Map","States":{"Map":{"Type":"Map","End":true,"Label":"L",)" + fields +
         R"("ItemProcessor":{"ProcessorConfig":{"Mode":"DISTRIBUTED","ExecutionType":")" + type +
         R"("},"StartAt":"P","States":{)" + processor + "}}}}}";
}

}  // namespace millrace::orchestrator::test
