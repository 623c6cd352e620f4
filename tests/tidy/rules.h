#pragma once
// The house rules that a program can check: which part may include which, what a folder never does, what
// every header begins with. Tables, so that a rule is a line; each finding says what to do about it. Pure.

#include <string>
#include <string_view>
#include <vector>

namespace millrace::tidy {

// "states/task.cpp:12: …; advice"
using Findings = std::vector<std::string>;

// `path` is relative to the project's root; `text` is the whole file.
Findings check_includes(std::string_view path, std::string_view text);
Findings check_banned(std::string_view path, std::string_view text);
Findings check_header(std::string_view path, std::string_view text);
Findings check_size(std::string_view path, std::string_view text);

struct Source {
  std::string path, text;
};
// Functions of the same name in the anonymous namespaces of two files of a part (docs/decisions/0019).
Findings check_helper_names(const std::vector<Source>& sources);
// Exceptions of the tables that no source needs any more.
Findings unused_exceptions(const std::vector<Source>& sources);

}  // namespace millrace::tidy
