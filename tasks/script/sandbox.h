#pragma once
// What stands in front of a program to take something from it: the network, or a life behind its end. Any
// thread.

#include <string>
#include <vector>

#include "base/result.h"

namespace millrace::tasks {

// The words in front of a program that cut it off from every network: bubblewrap's, else unshare's
// (util-linux). Internal where this machine allows neither: a program that must not have a network is not run
// then.
Result<std::vector<std::string>> without_network();

// The words in front of a program whose processes all end with it, and it with this process, whatever they
// do; nothing where bubblewrap can't. SIGTERM ends it at once.
std::vector<std::string> ending_together();

}  // namespace millrace::tasks
