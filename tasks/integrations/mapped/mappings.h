#pragma once
// Mappings: resources that the home's integrations.json maps to a command or a URL. The file is read again
// when it has changed, so a mapping can be added while executions run. Pure but for reading the file; any
// thread.
//
//   {"arn:aws:states:::glue:startJobRun*": {"command": ["./glue.py"], "timeout_seconds": 600},
//    "arn:aws:states:::slack:postMessage":  {"url": "https://hooks.example.com/x", "connection": "slack"}}

#include <filesystem>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "base/time.h"

namespace millrace::tasks {

struct Mapping {
  std::string pattern;               // as written
  std::vector<std::string> command;  // the program and its arguments; empty: url
  std::string url;
  std::map<std::string, std::string> headers;      // of a URL
  std::string connection;                          // of a URL: an ARN or a name; may be empty
  std::map<std::string, std::string> environment;  // of a command
  std::vector<std::string> pass_environment;  // names that a command gets from Millrace's own environment
  Millis time_max{0};                         // 0: a command has none, a URL a minute
};

// Which part of a resource a pattern is about: behind the account for arn:…:states:…, so that region and
// account make no difference; else all.
std::string_view mapped_part(std::string_view arn);
// '*' is any text.
bool matches_pattern(std::string_view pattern, std::string_view text);

// The members of integrations.json whose names begin with "arn:". InvalidArgument names the member.
Result<std::vector<Mapping>> read_mappings(const Json& document);

class Mappings {
 public:
  explicit Mappings(std::filesystem::path file) : file_(std::move(file)) {}
  // The mapping of the longest pattern that matches; nothing when there is none. InvalidArgument when the
  // file is there and wrong.
  Result<std::optional<Mapping>> find(std::string_view resource);
  const std::filesystem::path& file() const { return file_; }

 private:
  struct Stamp {
    std::int64_t changed_ns = -1;
    std::uint64_t bytes = 0, inode = 0;
    bool operator==(const Stamp&) const = default;
  };
  Stamp stamp_of_file() const;
  Status read_if_changed();

  const std::filesystem::path file_;
  std::mutex mutex_;  // over what follows
  Stamp seen_;
  Status state_;
  std::vector<Mapping> mappings_;
};

// The file as an object, {} when there is none. InvalidArgument with its name and what is wrong.
Result<Json> read_integrations_file(const std::filesystem::path& file);

}  // namespace millrace::tasks
