#include "service/ops/log_writer.h"

#include "base/log.h"

namespace millrace::service {
namespace {

constexpr Millis kGather{250};                 // lines wait so long for others
constexpr std::size_t kGatherBytes = 1 << 20;  // or until there is so much
constexpr Millis kTidyInterval = std::chrono::minutes(5);
constexpr Millis kTidyPause{20};
constexpr std::size_t kTidyAtOnce = 1000;
constexpr std::size_t kLineOverhead = 200;  // of memory

std::size_t size_of(const LogLine& line) {
  return line.message.size() + line.group.size() + line.stream.size() + kLineOverhead;
}

// To `max` bytes, between characters.
void cut_message(LogLine& line, std::size_t max) {
  if (line.message.size() <= max) return;
  std::size_t end = max;
  while (end > 0 && (static_cast<unsigned char>(line.message[end]) & 0xC0) == 0x80) --end;
  line.message.resize(end);
}

}  // namespace

LogWriter::LogWriter(std::unique_ptr<LogStore> store, const Clock& clock, LogStoreSettings settings,
                     metrics::Registry& registry)
    : store_(std::move(store)),
      clock_(clock),
      settings_(settings),
      written_(
          registry.counter("millrace_log_events_written_total", "Log events of the engine and of functions")),
      dropped_(registry.counter("millrace_log_events_dropped_total",
                                "Of these what was lost: the queue was full")),
      thread_([this] { work(); }) {}

LogWriter::~LogWriter() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void LogWriter::write(LogLine line) {
  cut_message(line, settings_.event_bytes_max);
  const std::size_t bytes = size_of(line);
  enqueue(std::move(line), 1, bytes);
}

void LogWriter::write_later(LaterLines lines) {
  const std::size_t count = lines.count, bytes = lines.bytes + kLineOverhead;
  enqueue(std::move(lines), count, bytes);
}

void LogWriter::enqueue(Waiting waiting, std::size_t count, std::size_t bytes) {
  bool wake = false;
  {
    const std::lock_guard lock(mutex_);
    if (bytes_ + bytes > settings_.queue_bytes_max) {
      dropped_.add(count);
      return;
    }
    wake = waiting_.empty() || (bytes_ < kGatherBytes && bytes_ + bytes >= kGatherBytes);
    bytes_ += bytes;
    waiting_.push_back(std::move(waiting));
  }
  if (wake) wake_.notify_one();
}

void LogWriter::run(std::function<void(LogStore&)> job) {
  {
    const std::lock_guard lock(mutex_);
    jobs_.push_back(std::move(job));
  }
  wake_.notify_one();
}

void LogWriter::work() {
  std::vector<Waiting> waiting;
  std::vector<std::function<void(LogStore&)>> jobs;
  for (bool last = false; !last;) {
    {
      std::unique_lock lock(mutex_);
      wake_.wait_for(lock, more_expired_ ? kTidyPause : kTidyInterval,
                     [&] { return stopping_ || !waiting_.empty() || !jobs_.empty(); });
      // Lines alone can wait for more.
      if (!waiting_.empty())
        wake_.wait_for(lock, kGather, [&] { return stopping_ || !jobs_.empty() || bytes_ >= kGatherBytes; });
      waiting.swap(waiting_);
      jobs.swap(jobs_);
      bytes_ = 0;
      last = stopping_;
    }
    write_all(waiting);
    for (const auto& job : jobs) job(*store_);
    jobs.clear();
    if (!last) tidy_up();
  }
}

void LogWriter::write_all(std::vector<Waiting>& waiting) {
  std::vector<LogLine> lines;
  std::size_t bytes = 0;
  for (Waiting& each : waiting) {
    const std::size_t before = lines.size();
    if (auto* line = std::get_if<LogLine>(&each)) {
      lines.push_back(std::move(*line));
    } else {
      std::get<LaterLines>(each).make(lines);
      for (std::size_t i = before; i < lines.size(); ++i) cut_message(lines[i], settings_.event_bytes_max);
    }
    for (std::size_t i = before; i < lines.size(); ++i) bytes += size_of(lines[i]);
    each = LogLine{};
    if (bytes < kGatherBytes) continue;
    write_out(lines);
    lines.clear();
    bytes = 0;
  }
  if (!lines.empty()) write_out(lines);
  waiting.clear();
}

void LogWriter::write_out(std::vector<LogLine>& lines) {
  const Status done = store_->write(lines, clock_.now(), settings_.function_days);
  if (done) {
    written_.add(lines.size());
    complained_ = false;
    return;
  }
  dropped_.add(lines.size());
  if (!std::exchange(complained_, true))
    log::error("log events can't be written",
               {{"error", done.error().message}, {"lost", std::to_string(lines.size())}});
}

void LogWriter::tidy_up() {
  const Millis now = clock_.uptime();
  if (!more_expired_ && now - tidied_ < kTidyInterval) return;
  const auto removed = store_->remove_expired(clock_.now(), kTidyAtOnce);
  more_expired_ = removed && *removed == kTidyAtOnce;
  tidied_ = now;
}

}  // namespace millrace::service
