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

namespace millrace::tasks {

struct ScriptRun {
  std::vector<std::string> arguments;              // paths below /opt/ml as the container would have them
  std::map<std::string, std::string> environment;  // on top of what every script gets
  std::string directory = "/opt/ml/code";          // where it starts
  std::string phase;                               // "Training"
  std::uint64_t memory_bytes_max = 0;
  bool without_network = false;
  std::function<void(const std::string& name, double value)> metric;  // may be empty
};

// Error: Cancelled when it was stopped; Unavailable when somebody else ended it by a signal, Internal when
// it failed: both "AlgorithmError: …" with /opt/ml/output/failure, or the last
// lines of its output, and the exit code or signal.
Status run_script(const ScriptRun& run, const OptMl& opt_ml, OutputMetrics& metrics, JobContext& context);

// FinalMetricDataList.
Json final_metrics(const std::map<std::string, double>& values, std::int64_t now_ms);

}  // namespace millrace::tasks
