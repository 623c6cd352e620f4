#pragma once
// JSON as tests write it.

#include <nlohmann/json.hpp>
#include <string>

#include "base/json.h"

namespace millrace::tasks {

// A document; a discarded value for what is no JSON.
inline Json parse(const std::string& text) {
  return Json::parse(text, nullptr, false);
}

}  // namespace millrace::tasks
