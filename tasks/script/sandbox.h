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

// Ends bubblewrap's own words ("--"); with `own`: the program has process numbers of its own, and what it
// leaves behind ends with it. Its first process there waits for it as its parent does for that one: so what
// it used is known to whoever waits for bubblewrap (whose own first process would be let go of, unasked).
void add_own_processes(std::vector<std::string>& words, bool own);

// The words in front of a program whose processes all end with it, and it with this process, whatever they
// do; nothing where bubblewrap can't. SIGTERM ends it at once.
std::vector<std::string> ending_together();

}  // namespace millrace::tasks
