#pragma once
// One run of a user's program inside its OptMl directory, for training and processing alike: environment,
// log, metrics, cancellation, and its end in words. Worker threads.

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "tasks/jobs/job_context.h"
#include "tasks/script/metrics.h"
#include "tasks/script/opt_ml.h"
#include "tasks/script/process.h"
#include "tasks/script/python_environments.h"

namespace millrace::tasks {

struct ScriptRun {
  std::vector<std::string> arguments;              // paths below /opt/ml as the container would have them
  std::map<std::string, std::string> environment;  // on top of what every script gets
  std::string directory = "/opt/ml/code";          // where it starts
  std::string phase;                               // "Training"
  std::uint64_t memory_bytes_max = 0;
  bool without_network = false;
  std::function<void(const std::string& name, double value)> metric;  // may be empty
  const PreparedEnvironment* packages = nullptr;  // of requirements.txt; borrowed, may be null
  // One host of several: its name, for the log; what stands in front of the program (its network); its part
  // of the threads (0: all); whether it has to end because another one failed; and who is told what it used.
  std::string host = {};
  std::vector<std::string> launcher = {};
  int threads = 0;
  std::function<bool()> stop = {};
  std::function<void(double cpu_seconds, std::int64_t memory_bytes)> used = {};
};

// The environment for the code below /opt/ml at `code_directory`, read-only for the program; said as the
// secondary status `phase` while it is prepared. Nothing when the code asks for none. Errors as
// PythonEnvironments::prepare.
Result<std::optional<PreparedEnvironment>> prepare_environment(const std::filesystem::path& code_directory,
                                                               const ScriptRun& run, std::string_view phase,
                                                               JobContext& context);

// Error: Cancelled when it was stopped; Unavailable when somebody else ended it by a signal, Internal when
// it failed: both "AlgorithmError: …" with /opt/ml/output/failure, or the last
// lines of its output, and the exit code or signal.
Status run_script(const ScriptRun& run, const OptMl& opt_ml, OutputMetrics& metrics, JobContext& context);

// Its parts, for what starts programs in another way (mpi.h).
struct ScriptCommand {
  std::vector<std::string> arguments, environment;
  std::string directory;
};
Result<ScriptCommand> script_command(const ScriptRun& run, const OptMl& opt_ml, const JobContext& context);
// `take` logs a line, finds metrics in it, may strip it; true: it may be among the program's last words.
Status run_command(const ProcessSpec& spec, const ScriptRun& run, const OptMl& opt_ml,
                   const std::function<bool(std::string_view& line)>& take, JobContext& context);
void report_metrics(OutputMetrics& metrics, std::string_view line, const ScriptRun& run, JobContext& context);

// FinalMetricDataList.
Json final_metrics(const std::map<std::string, double>& values, std::int64_t now_ms);

}  // namespace millrace::tasks
