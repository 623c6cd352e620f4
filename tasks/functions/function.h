#pragma once
// Function: what a folder HOME/functions/NAME says about the function of that name: how it is run and within
// which limits. Read from the folder itself and an optional function.json; nothing is registered anywhere.
// Any thread. Source of names and limits: AWS Lambda developer guide.

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace millrace::tasks {

enum class FunctionKind {
  Python,     // handler.py or lambda_function.py in a warm process
  Node,       // index.js, index.mjs in a warm process
  Bootstrap,  // an executable that speaks the Lambda Runtime API, warm
  Command,    // a program started for each invocation: JSON on standard input and output
  Url,        // another server: the event is posted there
};

struct Function {
  std::string name;
  std::filesystem::path directory;
  FunctionKind kind = FunctionKind::Python;
  std::string runtime;  // "python3", "nodejs", "provided", "command", "url"; of Python and Node the program
  std::string module, handler;       // of Python and Node
  std::vector<std::string> command;  // of Command and Bootstrap
  std::string url, connection;       // of Url; connection: an ARN or a name, may be empty
  std::map<std::string, std::string> headers;
  Millis timeout{900'000};      // of one invocation; Lambda's longest
  std::uint64_t memory_mb = 0;  // 0: no limit
  int concurrency = 10;         // invocations at the same time; others wait
  std::map<std::string, std::string> environment;
  std::string description;
  std::int64_t modified_ms = 0;  // of the newest file, since 1970
  std::uint64_t bytes = 0;       // of all its files
};

// Letters, digits, '-', '_' and '.', at most 140, not beginning with '.': safe as a folder's name.
bool is_function_name(std::string_view name);

// NotFound when there is no such folder (or the name can't be one); InvalidArgument when the folder holds
// nothing that can be run or its function.json is wrong: the message names the file, the field and the
// remedy.
Result<Function> load_function(const std::filesystem::path& functions, std::string_view name);

// The names of all folders, sorted, whatever is in them.
std::vector<std::string> function_names(const std::filesystem::path& functions);

}  // namespace millrace::tasks
