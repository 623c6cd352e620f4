#include "tasks/script/run_script.h"

#include <signal.h>
#include <string.h>

#include <cstdlib>
#include <deque>
#include <nlohmann/json.hpp>

#include "tasks/script/environment.h"
#include "tasks/script/process.h"

namespace millrace::tasks {
namespace {

constexpr std::size_t kLoggedCommandBytes = 16'384;
constexpr Millis kPeersGrace{10'000};  // after SIGTERM, of hosts whose peer failed

std::vector<std::string> environment_of(const ScriptRun& run, const OptMl& opt_ml,
                                        const JobContext& context) {
  const std::string threads = std::to_string(run.threads > 0 ? run.threads : context.threads());
  std::map<std::string, std::string> variables = inherited_variables();
  variables["PYTHONUNBUFFERED"] = "1";  // lines appear in the log when they are printed
  variables["TMPDIR"] = opt_ml.seen("/opt/ml/tmp");
  for (const char* name : {"OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "SM_NUM_CPUS"})
    variables[name] = threads;
  variables["OMP_WAIT_POLICY"] = "passive";  // threads that wait must not take the processor from other jobs
  variables["SM_NUM_GPUS"] = "0";
  for (const auto& [name, value] : run.environment) variables[name] = opt_ml.seen(value);
  if (run.packages) run.packages->enter(variables);
  std::vector<std::string> list;
  for (const auto& [name, value] : variables) list.push_back(name + "=" + value);
  return list;
}

std::string last_words(const std::deque<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += (text.empty() ? "" : "\n") + line;
  return text.size() > 1024 ? "…" + text.substr(text.size() - 1024) : text;
}

Status verdict(ProcessEnd end, const ScriptRun& run, const OptMl& opt_ml,
               const std::deque<std::string>& last_lines) {
  if (opt_ml.mounted() && end.exit_code > 128)
    end.signal = end.exit_code - 128;  // how bubblewrap tells of a signal
  const std::string who = "AlgorithmError: " + (run.host.empty() ? "" : run.host + ": ");
  if (!end.limit.empty()) return fail(ErrorCode::Internal, who + "the program was ended: " + end.limit);
  if (end.stopped) return fail(ErrorCode::Cancelled, "the program was stopped");
  if (end.signal == 0 && end.exit_code == 0) return {};
  const std::string failure = opt_ml.note("/opt/ml/output/failure");
  const std::string said = failure.empty() ? last_words(last_lines) : failure;
  std::string how = "exit code: " + std::to_string(end.exit_code);
  if (end.signal != 0) {
    how = "killed by signal " + std::to_string(end.signal) + " (" + ::strsignal(end.signal) + ")";
    if (end.signal == SIGKILL) how += ": out of memory, or killed from outside";
  }
  // The signals of interruptions; others are the program's own fault.
  const bool interrupted =
      end.signal == SIGTERM || end.signal == SIGKILL || end.signal == SIGINT || end.signal == SIGHUP;
  return fail(interrupted ? ErrorCode::Unavailable : ErrorCode::Internal,
              who + (said.empty() ? "" : said + ", ") + how);
}

}  // namespace

void report_metrics(OutputMetrics& metrics, std::string_view line, const ScriptRun& run,
                    JobContext& context) {
  for (const auto& [name, value] : metrics.search(line)) {
    if (run.metric) run.metric(name, value);
    Progress progress;
    progress.phase = run.phase;
    progress.metric = name;
    progress.value = value;
    context.progress(progress);
  }
}

Result<ScriptCommand> script_command(const ScriptRun& run, const OptMl& opt_ml, const JobContext& context) {
  std::vector<std::string> arguments = run.arguments;
  if (run.packages && !arguments.empty()) arguments[0] = run.packages->program(arguments[0]);
  MR_TRY(command, opt_ml.command(arguments, run.without_network));
  MR_TRY(directory, opt_ml.real(run.directory));
  return ScriptCommand{std::move(command), environment_of(run, opt_ml, context), directory.string()};
}

Status run_command(const ProcessSpec& spec, const ScriptRun& run, const OptMl& opt_ml,
                   const std::function<bool(std::string_view& line)>& take, JobContext& context) {
  const auto log = [&](std::string_view line) { context.log_of(run.host, line); };
  if (!opt_ml.mounted())
    log("without bubblewrap: /opt/ml is " + opt_ml.seen("/opt/ml") +
        "; the SM_* variables and arguments lead there");
  std::string words;
  for (const std::string& argument : spec.arguments) words += " " + argument;
  log("runs" + words.substr(0, kLoggedCommandBytes));

  std::deque<std::string> last_lines;
  ProcessWatch watch;
  watch.line = [&](std::string_view line) {
    if (!take(line)) return;
    last_lines.emplace_back(line.substr(0, 400));
    if (last_lines.size() > 10) last_lines.pop_front();
  };
  watch.cancelled = [&] { return context.cancelled() || (run.stop && run.stop()); };
  watch.grace = [&] {
    return context.cancelled() ? context.stop_grace() : std::min(kPeersGrace, context.stop_grace());
  };
  Progress begun;
  begun.phase = run.phase;
  context.progress(begun);
  MR_TRY(end, run_process(spec, watch));
  if (run.used)
    run.used(end.cpu_seconds, end.memory_peak_bytes);
  else
    context.used(end.cpu_seconds, end.memory_peak_bytes);
  log("ended after " + std::to_string(end.cpu_seconds) + " s of processor time, at most " +
      std::to_string(end.memory_peak_bytes / 1'000'000) + " MB of memory");
  return verdict(end, run, opt_ml, last_lines);
}

Status run_script(const ScriptRun& run, const OptMl& opt_ml, OutputMetrics& metrics, JobContext& context) {
  MR_TRY(command, script_command(run, opt_ml, context));
  ProcessSpec spec;
  spec.arguments = run.launcher;
  spec.arguments.insert(spec.arguments.end(), command.arguments.begin(), command.arguments.end());
  spec.environment = std::move(command.environment);
  spec.directory = command.directory;
  spec.memory_bytes_max = run.memory_bytes_max;
  spec.processes_max = context.call().script_processes_max;
  const auto take = [&](std::string_view& line) {
    context.log_of(run.host, line);
    report_metrics(metrics, line, run, context);
    return true;
  };
  return run_command(spec, run, opt_ml, take, context);
}

Result<std::optional<PreparedEnvironment>> prepare_environment(const std::filesystem::path& code_directory,
                                                               const ScriptRun& run, std::string_view phase,
                                                               JobContext& context) {
  PythonEnvironments* environments = context.call().environments;
  if (!environments) return std::optional<PreparedEnvironment>();
  PythonEnvironments::Request request;
  request.code = code_directory;
  request.variables = run.environment;
  request.without_network = run.without_network;
  request.cancelled = [&] { return context.cancelled(); };
  request.log = [&](std::string_view line) { context.log(line); };
  request.preparing = [&] {
    Progress progress;
    progress.phase = phase;
    progress.message = "Preparing the environment of requirements.txt";
    context.progress(progress);
  };
  auto prepared = environments->prepare(request);
  if (prepared && *prepared) context.log("uses environment " + (*prepared)->key());
  return prepared;
}

Json final_metrics(const std::map<std::string, double>& values, std::int64_t now_ms) {
  Json list = Json::array();
  for (const auto& [name, value] : values)
    list.push_back({{"MetricName", name}, {"Value", value}, {"Timestamp", now_ms}});
  return list;
}

}  // namespace millrace::tasks
