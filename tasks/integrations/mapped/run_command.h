#pragma once
// A mapped command: the task's arguments come in as JSON on its stdin, its stdout is the result; a status
// other than 0 is the failure, whose name and cause it may print as {"Error", "Cause"}. Worker thread. Tasks
// are carried out at least once: MILLRACE_TASK_KEY is the same when an attempt is carried out again after a
// crash.

#include <filesystem>
#include <functional>
#include <string>

#include "base/failure.h"
#include "base/time.h"
#include "tasks/integrations/http/watch.h"
#include "tasks/integrations/mapped/mappings.h"

namespace millrace::tasks {

// What a mapped command or URL is told beside the arguments.
struct MappedCall {
  std::string resource;
  Payload arguments;
  std::string key;  // of the attempt
  std::string execution_arn, execution_name, state_name, task_token;
  HttpWatch watch = {};  // of http:invoke
};

struct CommandSurroundings {
  std::filesystem::path home;  // where it starts; scratch files and logs are below
  std::string scratch_name;    // of its files: no other command's at the same time
  std::size_t output_bytes_max = 262'144;
  std::function<Millis()> grace;    // between SIGTERM and SIGKILL
  std::function<bool()> cancelled;  // asked ten times a second
  std::function<Millis()> uptime;
};

// Nothing is worth reporting when it was cancelled. Its stderr is added to HOME/logs/commands/<program>.log.
Outcome run_mapped_command(const Mapping& mapping, const MappedCall& call, const CommandSurroundings& around);

// {"Error", "Cause"} of a document that has a string Error; nothing else.
std::optional<Failure> failure_in(std::string_view text);

}  // namespace millrace::tasks
