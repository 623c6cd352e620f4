#pragma once
// How executions are shown: a few lines for people, one document for scripts, whoever was asked for them.

#include <string>

#include "base/json.h"
#include "base/time.h"

namespace millrace::cli {

class StateRows;

// "States.TaskFailed: AlgorithmError: no such column, exit code: 1": of a cause that is a job's document, its
// reason.
std::string for_people(const std::string& error, const std::string& cause);
// "fraud/0198… SUCCEEDED in 12.3 s", of DescribeExecution's answer.
std::string status_line(const Json& execution);
// A time of AWS JSON, seconds since 1970, as "2026-11-21T09:17:43.582Z"; empty for what is none.
std::string time_text(const Json& seconds);
Instant time_of(const Json& seconds);

// The states that were entered, as `--json` tells of them.
void write_states(JsonWriter& out, const StateRows& rows);
// How an execution ended: with --json one document, of `rows` its states (null: left out); else its output on
// stdout, its status and failure on stderr.
void print_end(const Json& execution, const StateRows* rows, bool json);

}  // namespace millrace::cli
