#pragma once
// Definitions for simulations: random ones from a seed, and a few that are written out. All of them end,
// whatever the tasks do.

#include <string>
#include <vector>

namespace millrace::simulation {

// `nests`: with tasks that wait for executions of a state machine "child".
std::string random_definition(std::uint64_t seed, bool nests = false);
const std::vector<std::string>& fixed_definitions();

}  // namespace millrace::simulation
