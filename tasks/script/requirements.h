#pragma once
// What a directory of a program's code asks of pip: requirements.txt, the files that it names, wheels/ beside
// it, and setup.py, as SageMaker's script mode reads them. Any thread.

#include <filesystem>
#include <optional>
#include <string>

#include "base/result.h"

namespace millrace::tasks {

struct Requirements {
  std::string text;      // of requirements.txt; empty: there is only a setup.py
  bool package = false;  // there is a setup.py: the directory itself is installed, too
  bool wheels = false;   // there is a folder wheels/ to look in
  std::string digest;    // of all that pip reads of the directory: the same bytes, the same digest
};

// Nothing for a directory that asks for nothing: no setup.py, and no requirements.txt or one of comments
// only. InvalidArgument: an editable package, a file that is named and not there, or is not in the directory.
Result<std::optional<Requirements>> read_requirements(const std::filesystem::path& directory);

}  // namespace millrace::tasks
