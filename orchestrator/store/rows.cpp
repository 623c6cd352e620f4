#include "orchestrator/store/rows.h"

namespace millrace::orchestrator {

std::string_view name_of(MachineType type) {
  return type == MachineType::Express ? "EXPRESS" : "STANDARD";
}

}  // namespace millrace::orchestrator
