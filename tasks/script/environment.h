#pragma once
// What programs of the user's inherit of Millrace's own environment. Any thread.

#include <map>
#include <string>
#include <vector>

namespace millrace::tasks {

// What finds programs and says how people write (PATH, HOME, LANG, …), nothing that could be a secret, and
// the variables named. PATH is always there.
std::map<std::string, std::string> inherited_variables(const std::vector<std::string>& more = {});

}  // namespace millrace::tasks
