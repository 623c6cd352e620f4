#include "tasks/script/pip.h"

#include <algorithm>
#include <vector>

#include "tasks/artifacts/files.h"
#include "tasks/script/process.h"
#include "tasks/script/sandbox.h"

namespace millrace::tasks {
namespace {

namespace fs = std::filesystem;

constexpr Millis kPipStopGrace{1'000};
constexpr std::size_t kPipWordsMax = 700;  // of its errors, in a message

struct PipEnd {
  bool succeeded = false;
  bool unreachable = false;  // the index did not answer
  std::string errors;        // what it calls errors, else its last line
};

// What a line says behind "ERROR: " of pip's own, or the "error: " of what builds a package; empty when it
// says none.
std::string pip_error(std::string_view line) {
  line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
  for (const std::string_view begin : {"ERROR: ", "error: "})
    if (line.rfind(begin, 0) == 0) return std::string(line.substr(begin.size()));
  return {};
}

// Cancelled when it was stopped.
Result<PipEnd> run_pip(const PipRun& run, const std::vector<std::string>& arguments, const char* prefix) {
  ProcessSpec spec;
  spec.arguments = ending_together();  // what builds a package must not outlive a crash of this process
  spec.arguments.insert(spec.arguments.end(), arguments.begin(), arguments.end());
  for (const auto& [name, value] : run.variables) spec.environment.push_back(name + "=" + value);
  spec.directory = run.directory.string();
  PipEnd result;
  std::string last;
  ProcessWatch watch;
  watch.line = [&](std::string_view line) {
    if (run.log && !line.empty()) run.log(prefix + std::string(line));
    if (const std::string error = pip_error(line); !error.empty() && result.errors.size() < kPipWordsMax)
      result.errors += (result.errors.empty() ? "" : "; ") + error;
    for (const char* sign : {"Retrying (Retry", "NewConnectionError", "Temporary failure in name resolution"})
      result.unreachable = result.unreachable || line.find(sign) != std::string_view::npos;
    if (!line.empty()) last = line;
  };
  watch.cancelled = run.cancelled;
  watch.grace = [] { return kPipStopGrace; };
  MR_TRY(end, run_process(spec, watch));
  if (end.stopped) return fail(ErrorCode::Cancelled, "stopped while preparing the environment");
  result.succeeded = end.exit_code == 0 && end.signal == 0;
  if (result.errors.empty()) result.errors = last;
  if (end.signal != 0) result.errors += " (killed by signal " + std::to_string(end.signal) + ")";
  if (result.errors.size() > kPipWordsMax) result.errors = result.errors.substr(0, kPipWordsMax) + "…";
  return result;
}

std::string python_of(const fs::path& environment) {
  return (environment / "bin" / "python3").string();
}

}  // namespace

Status make_virtual_environment(const PipRun& run, const std::string& interpreter,
                                const fs::path& environment) {
  MR_TRY(made,
         run_pip(run,
                 {interpreter, "-m", "venv", "--without-pip", "--system-site-packages", environment.string()},
                 "venv: "));
  if (!made.succeeded)
    return invalid("requirements.txt: no virtual environment could be made: " + made.errors,
                   "install python3-venv");
  PipRun quiet = run;
  quiet.log = nullptr;
  MR_TRY(there, run_pip(quiet, {python_of(environment), "-m", "pip", "--version"}, ""));
  if (there.succeeded) {
    // Programs that call pip themselves mean this environment.
    const std::string_view words = "#!/bin/sh\nexec \"$(dirname \"$0\")/python3\" -m pip \"$@\"\n";
    return replace_file(environment / "bin" / "pip", words, 0777);
  }
  MR_TRY(brought, run_pip(run, {python_of(environment), "-m", "ensurepip", "--default-pip"}, "pip: "));
  if (!brought.succeeded)
    return invalid("requirements.txt needs pip, and " + interpreter + " has none: " + brought.errors,
                   "install python3-venv");
  return {};
}

Status install_requirements(const PipRun& run, const fs::path& environment, const Requirements& asked,
                            const PipSources& sources) {
  std::vector<std::string> install = {python_of(environment),
                                      "-m",
                                      "pip",
                                      "install",
                                      "--disable-pip-version-check",
                                      "--no-input",
                                      "--no-color",
                                      "--progress-bar",
                                      "off",
                                      "--no-warn-script-location"};
  if (sources.wheels) install.insert(install.end(), {"--find-links", "wheels"});
  if (asked.package) install.push_back(".");
  if (!asked.text.empty()) install.insert(install.end(), {"-r", "requirements.txt"});
  const bool index = !sources.offline && !sources.without_network;
  std::vector<std::string> first;
  if (sources.without_network) {
    MR_TRY(cut_off, without_network());
    first = std::move(cut_off);
  }
  first.insert(first.end(), install.begin(), install.end());
  first.insert(first.end(), {"--no-index", "--no-build-isolation"});
  if (run.log) run.log("asks pip for requirements.txt, among what is installed and in wheels/");
  MR_TRY(end, run_pip(run, first, "pip: "));
  if (end.succeeded) return {};
  if (index) {
    if (run.log) run.log("asks pip for requirements.txt, with its index");
    MR_TRY(second, run_pip(run, install, "pip: "));
    if (second.succeeded) return {};
    end = std::move(second);
  }
  const std::string what = asked.text.empty() ? "setup.py" : "requirements.txt";
  std::string why = what + " can't be installed: " + end.errors;
  if (end.unreachable) why += "; the package index can't be reached";
  if (!index)
    why += sources.without_network ? "; EnableNetworkIsolation: no index was asked"
                                   : "; environments.offline: no index was asked";
  return invalid(why,
                 index && !end.unreachable
                     ? "the job's log has all that pip said"
                     : "put the wheels into wheels/ beside it, name an index with environments.index_url, or "
                       "prepare it ahead: millrace environments prepare");
}

}  // namespace millrace::tasks
