#pragma once
// PythonEnvironments: what programs of the user's ask for in requirements.txt, as virtual environments that
// are prepared once and used by all who ask for the same: HOME/environments/KEY, KEY being a hash of what is
// asked for, of the interpreter with what is installed beside it, and of what pip is told. An environment is
// there when its record (environment.json) is, which is written last; what a crash left is removed. Whoever
// uses one holds a shared lock of KEY.lock, whoever prepares or removes it that lock alone; so it is right
// between processes, too. Source: SageMaker's script mode (sagemaker-training toolkit): pip install -r
// requirements.txt in the code's directory. Any thread; prepare() blocks.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/json.h"
#include "base/result.h"
#include "tasks/script/file_lock.h"
#include "tasks/script/requirements.h"

namespace millrace::tasks {

struct EnvironmentSettings {
  std::string python = "python3";                     // the interpreter, by name or path
  std::string index_url;                              // PIP_INDEX_URL; empty: what pip is configured to ask
  std::string pip_config;                             // a pip.conf; empty: pip's own places
  bool offline = false;                               // no index is asked
  Millis prepare_max{900'000};                        // time to prepare one
  std::size_t count_max = 64;                         // beyond it those not used for longest go
  std::uint64_t bytes_max = std::uint64_t{20} << 30;  // of all together, likewise
  Millis unused_max{std::int64_t{30} * 86'400'000};   // then one goes
};

// One that is ready; kept as it is while this object lives.
class PreparedEnvironment {
 public:
  const std::string& key() const { return key_; }
  const std::filesystem::path& path() const { return path_; }  // of the virtual environment
  const Json& record() const { return record_; }               // Python, Packages, …: see EnvironmentInfo
  // PATH and VIRTUAL_ENV for a program that uses it.
  void enter(std::map<std::string, std::string>& variables) const;
  // A program of the environment by its path: "python3" is …/bin/python3; others, and paths, stay as they
  // are.
  std::string program(const std::string& name) const;

 private:
  friend class PythonEnvironments;
  PreparedEnvironment(std::string key, std::filesystem::path path, Json record, FileLock lock)
      : key_(std::move(key)), path_(std::move(path)), record_(std::move(record)), lock_(std::move(lock)) {}
  std::string key_;
  std::filesystem::path path_;
  Json record_;
  FileLock lock_;
};

struct EnvironmentInfo {
  std::string key;
  bool ready = false;  // false: being prepared, or left by a crash
  bool in_use = false;
  std::string python;  // "3.11.2"
  std::string requirements;
  std::vector<std::string> packages;  // installed into it: "name-1.0"
  std::uint64_t bytes = 0;
  std::int64_t created_ms = 0, used_ms = 0, took_ms = 0;
};
Json to_json(const EnvironmentInfo& info);

class PythonEnvironments {
 public:
  // The clock is borrowed. The directory is made when it is needed.
  PythonEnvironments(std::filesystem::path directory, EnvironmentSettings settings, const Clock& clock);
  PythonEnvironments(const PythonEnvironments&) = delete;
  PythonEnvironments& operator=(const PythonEnvironments&) = delete;

  struct Request {
    std::filesystem::path code;                      // the directory with requirements.txt
    std::map<std::string, std::string> variables;    // of the program; its PIP_* are for pip, too
    bool without_network = false;                    // no index is asked
    std::function<bool()> cancelled = {};            // asked ten times a second; may be empty
    std::function<void(std::string_view)> log = {};  // progress, and what pip prints; may be empty
    std::function<void()> preparing = {};            // once, when one has to be prepared or waited for
  };
  // The environment for the code, prepared when there is none yet; nothing when the code asks for none.
  // Exactly one of several callers prepares, the others wait. InvalidArgument: what is asked for can't be
  // installed, with pip's words; Cancelled; LimitExceeded: it took longer than it may.
  Result<std::optional<PreparedEnvironment>> prepare(const Request& request);

  std::vector<EnvironmentInfo> list() const;  // the one used last first
  // NotFound; Unavailable when it is in use.
  Status remove(const std::string& key);
  // Removes what a crash left, what was not used for long, and then the longest unused beyond the limits; the
  // keys. What is in use stays.
  std::vector<std::string> sweep();

 private:
  struct Interpreter;
  Result<Interpreter> ask_interpreter() const;
  std::map<std::string, std::string> pip_variables(const Request& request) const;
  std::filesystem::path directory_of(const std::string& key) const { return directory_ / key; }
  std::filesystem::path lock_of(const std::string& key) const { return directory_ / (key + ".lock"); }
  Result<Json> record_of(const std::string& key) const;  // NotFound: it is not ready
  Status make(const std::string& key, const Requirements& asked, const Interpreter& interpreter,
              const Request& request) const;
  Status remove_locked(const std::string& key, FileLock lock) const;
  void sweep_now_and_then();

  const std::filesystem::path directory_;
  const EnvironmentSettings settings_;
  const Clock& clock_;
  std::mutex mutex_;             // over what follows
  std::optional<Millis> swept_;  // uptime
};

}  // namespace millrace::tasks
