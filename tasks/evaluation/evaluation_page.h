#pragma once
// The page that people read of an evaluation. Any thread.

#include <map>
#include <string>

#include "base/json.h"

namespace millrace::tasks {

// `report` is evaluation.json, `plots` are SVG by name.
std::string evaluation_page(const Json& report, const std::map<std::string, std::string>& plots);

}  // namespace millrace::tasks
