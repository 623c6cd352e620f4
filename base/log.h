#pragma once
// Structured log lines: one line an event, `time level message key=value …`, to stderr or a file. Any thread.
// The sink is spdlog's; its header stays in log.cpp.

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace millrace::log {

enum class Level { Debug, Info, Warning, Error, Off };
using Field = std::pair<std::string_view, std::string>;

void set_level(Level level);
// Lines go to `path` from now on (appended); empty: to stderr. Returns false if the file can't be opened.
bool set_file(const std::string& path);
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
