#pragma once
// Where recorded behaviour and real data may stand: a folder beside the project. Tests that use it say so and
// skip when it is not there; the ground they cover is covered by cases of the project's own too.

#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>

#include "tests/support/paths.h"

namespace millrace::tests {

inline std::optional<std::filesystem::path> shared(const std::string& path) {
  const std::filesystem::path full = std::filesystem::path(source_path()) / ".." / "shared" / path;
  std::error_code error;
  if (!std::filesystem::exists(full, error)) return std::nullopt;
  return full;
}

inline std::string read_file(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace millrace::tests
