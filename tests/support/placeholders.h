#pragma once
// <<name>> in expected text stands for any text.

#include <string_view>

namespace millrace::tests {

inline bool matches_text(std::string_view expected, std::string_view actual) {
  const std::size_t open = expected.find("<<");
  const std::size_t close = open == std::string_view::npos ? open : expected.find(">>", open);
  if (close == std::string_view::npos) return expected == actual;
  if (actual.substr(0, open) != expected.substr(0, open)) return false;
  actual.remove_prefix(open);
  expected.remove_prefix(close + 2);
  if (expected.empty()) return true;
  for (; !actual.empty(); actual.remove_prefix(1))
    if (matches_text(expected, actual)) return true;
  return matches_text(expected, actual);
}

}  // namespace millrace::tests
