#pragma once
// Virtual environments by `python -m venv`, and pip inside them. Any thread; calls block.

#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"
#include "tasks/script/requirements.h"

namespace millrace::tasks {

struct PipRun {
  std::map<std::string, std::string> variables;  // of its processes
  std::filesystem::path directory;               // of requirements.txt
  std::function<void(std::string_view)> log;     // each line; may be empty
  std::function<bool()> cancelled;               // asked ten times a second
  Millis time_max{0};                            // what `cancelled` knows of, for messages
};

// An environment that sees the interpreter's packages, with a pip: the interpreter's own, else the one that
// python3-venv brings. InvalidArgument, Cancelled.
Status make_virtual_environment(const PipRun& run, const std::string& interpreter,
                                const std::filesystem::path& environment);

struct PipSources {
  bool wheels = false;           // wheels/ of the directory
  bool offline = false;          // by a setting: no index
  bool without_network = false;  // by the job: no index, and no network at all
};

// First what is installed already and what lies in wheels/, without asking anybody; then the index, unless it
// must not be asked. InvalidArgument with what pip said; Cancelled.
Status install_requirements(const PipRun& run, const std::filesystem::path& environment,
                            const Requirements& asked, const PipSources& sources);

}  // namespace millrace::tasks
