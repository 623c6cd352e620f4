#include "base/log.h"

#include <poll.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/sinks/rotating_file_sink.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <mutex>

#include "base/payload.h"

namespace millrace::log {
namespace {

constexpr const char* kTextPattern = "%Y-%m-%dT%H:%M:%S.%eZ %l %v";
// The rest of the object is the message.
constexpr const char* kJsonPattern = "{\"time\":\"%Y-%m-%dT%H:%M:%S.%eZ\",\"level\":\"%l\",%v";

// Standard error, which may be a pipe that nobody reads: rather than wait for its reader, and with it stop
// the engine, lines are lost, and how many is said as soon as there is room.
class StderrSink final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  explicit StderrSink(bool json) : json_(json) {}

 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    spdlog::memory_buf_t line;
    formatter_->format(message, line);
    if (lost_ > 0 && !put(say_lost())) {
      ++lost_;
      return;
    }
    lost_ = 0;
    if (!put({line.data(), line.size()})) ++lost_;
  }
  void flush_() override {}

 private:
  std::string say_lost() const {
    const std::string what = std::to_string(lost_) + " lines of this log were lost: nobody read them";
    return json_ ? R"({"level":"warning","message":")" + what + "\"}\n" : what + "\n";
  }
  // A pipe that has room takes a piece of that size at once.
  static constexpr std::size_t kPiece = 4096;
  static bool put(std::string_view text) {
    while (!text.empty()) {
      pollfd out{2, POLLOUT, 0};
      if (::poll(&out, 1, 0) != 1 || (out.revents & POLLOUT) == 0) return false;
      const ssize_t written = ::write(2, text.data(), std::min(text.size(), kPiece));
      if (written <= 0) return false;
      text.remove_prefix(static_cast<std::size_t>(written));
    }
    return true;
  }
  const bool json_;
  std::size_t lost_ = 0;
};

struct Output {
  std::shared_ptr<spdlog::logger> logger;
  bool json = false, payloads = false;
};

Output make_output(spdlog::sink_ptr sink, const Settings& settings, bool json) {
  Output made{std::make_shared<spdlog::logger>("millrace", std::move(sink)), json, settings.payloads};
  made.logger->set_pattern(json ? kJsonPattern : kTextPattern, spdlog::pattern_time_type::utc);
  made.logger->flush_on(spdlog::level::info);
  return made;
}

Output& output() {
  static Output instance = [] {
    Output made = make_output(std::make_shared<StderrSink>(false), {}, false);
    made.logger->set_level(spdlog::level::warn);
    return made;
  }();
  return instance;
}

spdlog::level::level_enum translate(Level level) {
  switch (level) {
    case Level::Debug:
      return spdlog::level::debug;
    case Level::Info:
      return spdlog::level::info;
    case Level::Warning:
      return spdlog::level::warn;
    case Level::Error:
      return spdlog::level::err;
    case Level::Off:
      return spdlog::level::off;
  }
  return spdlog::level::info;
}

void add_quoted(std::string& line, std::string_view value) {
  line += '"';
  for (const char c : value) {
    if (c == '\n' || c == '\r') {
      line += c == '\n' ? "\\n" : "\\r";
      continue;
    }
    if (c == '"' || c == '\\') line += '\\';
    line += c;
  }
  line += '"';
}

std::string as_text(std::string_view message, std::initializer_list<Field> fields) {
  std::string line(message);
  for (const auto& [name, value] : fields) {
    line.append(1, ' ').append(name).append(1, '=');
    const bool bare = !value.empty() && value.find_first_of(" \"=\n\r\t") == std::string::npos;
    if (bare) {
      line += value;
    } else {
      add_quoted(line, value);
    }
  }
  return line;
}

// Without the opening brace, which is the pattern's.
std::string as_json(std::string_view message, std::initializer_list<Field> fields) {
  JsonWriter out;
  out.begin_object().key("message").string(message);
  for (const auto& [name, value] : fields) out.key(name).string(value);
  out.end_object();
  return std::string(out.finish().text().substr(1));
}

}  // namespace

void set_level(Level level) {
  output().logger->set_level(translate(level));
}

bool configure(const Settings& settings) {
  const bool json = settings.format == Format::Json ||
                    (settings.format == Format::Auto && (!settings.file.empty() || ::isatty(2) == 0));
  try {
    spdlog::sink_ptr sink;
    if (settings.file.empty()) {
      sink = std::make_shared<StderrSink>(json);
    } else {
      sink = std::make_shared<spdlog::sinks::rotating_file_sink_mt>(settings.file, settings.file_bytes_max,
                                                                    settings.files_max);
    }
    Output made = make_output(std::move(sink), settings, json);
    made.logger->set_level(translate(settings.level));
    output() = std::move(made);
    return true;
  } catch (const spdlog::spdlog_ex&) {
    return false;
  }
}

bool payloads() {
  return output().payloads;
}

void write(Level level, std::string_view message, std::initializer_list<Field> fields) {
  const Output& out = output();
  if (!out.logger->should_log(translate(level))) return;
  const std::string line = out.json ? as_json(message, fields) : as_text(message, fields);
  out.logger->log(translate(level), spdlog::string_view_t(line));
}

}  // namespace millrace::log
