#include "service/ops/log_writer.h"

#include <doctest/doctest.h>

#include <future>

#include "base/clock.h"
#include "tests/tasks/jobs/temporary_home.h"

using namespace millrace;
using namespace millrace::service;

namespace {

struct LogCase {
  TemporaryHome home;
  SystemClock clock;
  metrics::Registry registry;
  LogWriter writer;

  explicit LogCase(LogStoreSettings settings = {})
      : writer(std::move(*open_log_store(home.path("logs.db"))), clock, settings, registry) {}

  // What was handed over up to now.
  std::vector<std::string> messages(const std::string& group) {
    std::promise<std::vector<std::string>> found;
    writer.run([&](LogStore& store) {
      std::vector<std::string> texts;
      if (const auto known = store.group(group)) {
        LogQuery query;
        query.group = known->id;
        if (const auto events = store.events(query)) {
          for (const LogEvent& event : *events) texts.push_back(event.message);
        }
      }
      found.set_value(std::move(texts));
    });
    return found.get_future().get();
  }
  std::uint64_t count(const char* name) { return registry.counter(name, "").value(); }
};

LogLine line(std::string message, std::int64_t ms) {
  return {"/g", "s", from_millis(1'700'000'000'000 + ms), std::move(message)};
}

}  // namespace

TEST_CASE("log writer: lines that are made later stand between the others, and are cut like them") {
  LogStoreSettings settings;
  settings.event_bytes_max = 8;
  LogCase c(settings);
  c.writer.write(line("first", 1));
  const auto caller = std::this_thread::get_id();
  std::atomic<bool> elsewhere{false};
  c.writer.write_later({2, 100, [&](std::vector<LogLine>& lines) {
                          elsewhere = std::this_thread::get_id() != caller;
                          lines.push_back(line("second", 2));
                          lines.push_back(line("third, and too long", 3));
                        }});
  c.writer.write(line("fourth, too long", 4));
  CHECK(c.messages("/g") == std::vector<std::string>{"first", "second", "third, a", "fourth, "});
  CHECK(elsewhere);
  CHECK(c.count("millrace_log_events_written_total") == 4);
}

TEST_CASE("log writer: more than one transaction's worth, and more than the queue's") {
  LogStoreSettings settings;
  settings.queue_bytes_max = 10'000;
  LogCase c(settings);
  bool made = false;
  c.writer.write_later({7, 20'000, [&](std::vector<LogLine>&) { made = true; }});
  CHECK(c.messages("/g").empty());
  CHECK_FALSE(made);
  CHECK(c.count("millrace_log_events_dropped_total") == 7);
  // What they become may be larger than what was kept for them.
  c.writer.write_later({40, 1'000, [&](std::vector<LogLine>& lines) {
                          for (int i = 0; i < 40; ++i) lines.push_back(line(std::string(100'000, 'x'), i));
                        }});
  CHECK(c.messages("/g").size() == 40);
  CHECK(c.count("millrace_log_events_written_total") == 40);
}
