#include "definitions/program.h"

namespace millrace::definitions {

std::string_view name_of(StateType type) {
  static constexpr std::string_view kNames[] = {"Pass",     "Task", "Choice",  "Wait",
                                                "Parallel", "Map",  "Succeed", "Fail"};
  return kNames[static_cast<std::size_t>(type)];
}

const Node* Program::find(std::string_view name) const {
  for (const Node& node : nodes) {
    if (node.name == name) return &node;
  }
  return nullptr;
}

}  // namespace millrace::definitions
