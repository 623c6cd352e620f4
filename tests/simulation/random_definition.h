#pragma once
// Definitions for simulations: random ones from a seed, and a few that are written out. All of them end,
// whatever the tasks do.

#include <string>
#include <vector>

namespace millrace::simulation {

std::string random_definition(std::uint64_t seed);
const std::vector<std::string>& fixed_definitions();

}  // namespace millrace::simulation
