#include "tasks/integrations/mapped/run_command.h"

#include <fcntl.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "base/log.h"
#include "tasks/artifacts/files.h"
#include "tasks/script/environment.h"
#include "tasks/script/process.h"

namespace millrace::tasks {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kTailBytes = 4096, kLogBytesMax = 64 * 1024;
constexpr std::size_t kLineBytes = 64 * 1024;

struct ScratchFiles {
  fs::path input, errors;
  ~ScratchFiles() {
    std::error_code ignored;
    fs::remove(input, ignored);
    fs::remove(errors, ignored);
  }
};

std::vector<std::string> environment_of(const Mapping& mapping, const MappedCall& call) {
  std::map<std::string, std::string> variables = inherited_variables(mapping.pass_environment);
  for (const auto& [name, value] : mapping.environment) variables[name] = value;
  variables["MILLRACE_RESOURCE"] = call.resource;
  variables["MILLRACE_TASK_KEY"] = call.key;
  variables["MILLRACE_EXECUTION_ARN"] = call.execution_arn;
  variables["MILLRACE_EXECUTION_NAME"] = call.execution_name;
  variables["MILLRACE_STATE_NAME"] = call.state_name;
  if (!call.task_token.empty()) variables["MILLRACE_TASK_TOKEN"] = call.task_token;
  std::vector<std::string> out;
  for (const auto& [name, value] : variables) out.push_back(name + "=" + value);
  return out;
}

// The last bytes of a file, from the beginning of a line.
std::string tail_of(const fs::path& file, std::size_t bytes) {
  std::string text = read_file(file).value_or("");
  if (text.size() > bytes) {
    text.erase(0, text.size() - bytes);
    text.erase(0, std::min(text.size(), text.find('\n') + 1));
  }
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  return text;
}

void keep_log(const fs::path& home, const std::string& program, const std::string& text) {
  if (text.empty()) return;
  std::error_code code;
  const fs::path folder = home / "logs" / "commands";
  fs::create_directories(folder, code);
  const int file =
      ::open((folder / (program + ".log")).c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  if (file < 0) return;
  const auto written = write_all(file, text + "\n", program + ".log");
  if (!written) log::warning("a command's log can't be kept", {{"why", written.error().message}});
  ::close(file);
}

std::string how_it_ended(const ProcessEnd& end) {
  return end.signal != 0 ? "was killed by signal " + std::to_string(end.signal)
                         : "exited with status " + std::to_string(end.exit_code);
}

}  // namespace

std::optional<Failure> failure_in(std::string_view text) {
  const auto parsed = Payload::parse(text);
  if (!parsed || !parsed->view().is_object()) return std::nullopt;
  const JsonView error = parsed->view().find("Error"), cause = parsed->view().find("Cause");
  if (!error || !error.is_string() || error.string().empty()) return std::nullopt;
  Failure failure;
  failure.error = error.string();
  if (cause && !cause.is_null())
    failure.cause = cause.is_string() ? cause.string() : std::string(cause.text());
  return failure;
}

Outcome run_mapped_command(const Mapping& mapping, const MappedCall& call,
                           const CommandSurroundings& around) {
  const std::string program = fs::path(mapping.command[0]).filename().string();
  const fs::path scratch = around.home / "scratch" / "commands";
  const ScratchFiles files{scratch / (around.scratch_name + ".in"), scratch / (around.scratch_name + ".err")};
  const auto written = replace_file(files.input, call.arguments.text(), 0600);
  if (!written) return failed(error_names::kTaskFailed, written.error().message);
  ProcessSpec spec;
  spec.arguments = mapping.command;
  spec.environment = environment_of(mapping, call);
  spec.directory = around.home.string();
  spec.input_file = files.input.string();
  spec.error_file = files.errors.string();
  spec.line_bytes_max = kLineBytes;
  std::string output;
  bool too_large = false, over_time = false;
  const Millis begun = around.uptime();
  ProcessWatch watch;
  watch.line = [&](std::string_view line) {
    if (output.size() + line.size() > around.output_bytes_max) too_large = true;
    if (too_large) return;
    output += line;
    if (line.size() < kLineBytes) output += '\n';  // else it is the first piece of a longer one
  };
  watch.cancelled = [&] {
    over_time = over_time || (mapping.time_max.count() > 0 && around.uptime() - begun >= mapping.time_max);
    return too_large || over_time || around.cancelled();
  };
  watch.grace = around.grace;
  const auto end = run_process(spec, watch);
  if (!end)
    return failed(error_names::kTaskFailed,
                  end.error().message + "; see \"" + mapping.pattern + "\" in integrations.json");
  keep_log(around.home, program, tail_of(files.errors, kLogBytesMax));
  if (too_large)
    return failed(error_names::kDataLimitExceeded, "the command " + program + " wrote more than " +
                                                       std::to_string(around.output_bytes_max) +
                                                       " bytes to its stdout");
  if (over_time)
    return failed(error_names::kTimeout, "the command " + program + " took longer than its timeout_seconds");
  if (end->exit_code != 0 || end->signal != 0) {
    if (auto failure = failure_in(output)) return tl::unexpected<Failure>(*failure);
    const std::string said = tail_of(files.errors, kTailBytes);
    return failed(error_names::kTaskFailed,
                  "the command " + program + " " + how_it_ended(*end) + (said.empty() ? "" : ": " + said));
  }
  if (output.find_first_not_of(" \t\r\n") == std::string::npos) return Payload::empty_object();
  auto result = Payload::parse(output);
  if (!result)
    return failed(
        error_names::kTaskFailed,
        "the command " + program + " must write one JSON document to its stdout: " + result.error().message);
  return std::move(*result);
}

}  // namespace millrace::tasks
