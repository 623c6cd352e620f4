#pragma once
// Structured log lines, one an event: `time level message key=value …` for people, JSON objects for programs;
// to stderr or to a file that is rotated by size. Any thread. The sinks are spdlog's; its header stays in
// log.cpp. Documents of workflows don't belong here unless Settings::payloads says so.

#include <cstddef>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace millrace::log {

enum class Level { Debug, Info, Warning, Error, Off };
using Field = std::pair<std::string_view, std::string>;

enum class Format {
  Auto,  // Text on a terminal, else Json
  Text,
  Json,
};
struct Settings {
  Level level = Level::Warning;
  Format format = Format::Text;
  std::string file = {};                               // empty: stderr
  std::size_t file_bytes_max = std::size_t{64} << 20;  // then it becomes FILE.1, FILE.1 becomes FILE.2, …
  std::size_t files_max = 5;                           // rotated ones that are kept
  bool payloads = false;  // whether those who log may add inputs, outputs and causes in full
};

void set_level(Level level);
// From now on; false if the file can't be opened (nothing is changed then). Call while one thread logs.
bool configure(const Settings& settings);
bool payloads();  // Settings::payloads
void write(Level level, std::string_view message, std::initializer_list<Field> fields = {});

inline void debug(std::string_view m, std::initializer_list<Field> f = {}) {
  write(Level::Debug, m, f);
}
inline void info(std::string_view m, std::initializer_list<Field> f = {}) {
  write(Level::Info, m, f);
}
inline void warning(std::string_view m, std::initializer_list<Field> f = {}) {
  write(Level::Warning, m, f);
}
inline void error(std::string_view m, std::initializer_list<Field> f = {}) {
  write(Level::Error, m, f);
}

}  // namespace millrace::log
