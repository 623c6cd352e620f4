#pragma once
// The workflow variables that the states of a program read. Pure.

#include <map>
#include <string>
#include <vector>

#include "definitions/program.h"

namespace millrace::definitions {

// The variables that the state itself reads, whatever its language; not what the states inside it read.
VariableNames variables_of(const Node& node);

// By the name of each state that reads any, at any depth, the names in order: `variableReferences` of the
// Describe calls.
std::map<std::string, std::vector<std::string>> variable_references(const Program& program);

// The programs inside a state: branches of a Parallel, the processor of a Map. `place`: how diagnostics call
// it.
struct InnerProgram {
  const Program* program = nullptr;
  std::string place;      // "Branches[0]", "ItemProcessor"
  bool isolated = false;  // of a distributed Map: no variables of the outside
};
std::vector<InnerProgram> inner_programs(const Node& node);

}  // namespace millrace::definitions
