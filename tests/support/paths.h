#pragma once
// Where the sources and the build stand. Functions rather than definitions for every test: those would make
// each checkout compile all tests for itself.

#include <string>

namespace millrace {

// The source directory and what follows it: source_path("/tests/cases").
std::string source_path(const std::string& below = "");
std::string binary_path(const std::string& below = "");

}  // namespace millrace
