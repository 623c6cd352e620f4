#pragma once
// Tests as data: files of JSON cases, {"about": "...", "cases": [{"name": ..., ...}, ...]} in tests/cases/,
// or one case a line (.jsonl). Each test says what its cases hold.

#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/json.h"
#include "tests/support/paths.h"
#include "tests/support/shared.h"

namespace millrace::tests {

// The cases of every file in tests/cases/`folder`, named "file: name", files in alphabetical order.
inline std::vector<Json> cases_of(const std::string& folder) {
  const std::filesystem::path path = std::filesystem::path(source_path()) / "tests" / "cases" / folder;
  std::vector<std::filesystem::path> files;
  for (const auto& file : std::filesystem::directory_iterator(path)) {
    if (file.path().extension() == ".json") files.push_back(file.path());
  }
  std::sort(files.begin(), files.end());
  std::vector<Json> cases;
  for (const auto& file : files) {
    const Json document = Json::parse(read_file(file));
    for (const Json& own : document["cases"]) {
      Json c = document.value("defaults", Json::object());
      c.update(own);
      c["name"] = file.filename().string() + ": " + c["name"].get<std::string>();
      cases.push_back(std::move(c));
    }
  }
  return cases;
}

// One case a line.
inline std::vector<Json> lines_of(const std::filesystem::path& file) {
  std::vector<Json> cases;
  const std::string text = read_file(file);
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    if (end > at) cases.push_back(Json::parse(text.substr(at, end - at)));
    at = end + 1;
  }
  return cases;
}

}  // namespace millrace::tests
