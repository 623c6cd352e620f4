#pragma once
// Inspection: what a state's data came to at each stage on its way through the state, noted by the functions
// that process it when someone asks (TestState does, executions never do).
// Source: Step Functions API reference, InspectionData.

#include <array>
#include <optional>
#include <string_view>

#include "base/payload.h"

namespace millrace::states {

enum class Stage : std::uint8_t {
  AfterInputPath,
  AfterParameters,
  AfterArguments,
  AfterItemsPath,
  AfterItemsPointer,
  AfterItemSelector,  // an array: the inputs of the iterations
  AfterItemBatcher,
  Result,
  AfterResultSelector,
  AfterResultPath,
  MaxConcurrency,  // as the definition or its path has it; 0: no limit of the definition's
  ToleratedFailureCount,
  ToleratedFailurePercentage,
};
inline constexpr std::size_t kStages = 13;
std::string_view name_of(Stage stage);  // "afterInputPath", …

struct Inspection {
  std::array<std::optional<Payload>, kStages> noted;
  std::optional<std::size_t> choice_rule;  // the first rule that held; nothing: the Default, or none

  const std::optional<Payload>& at(Stage stage) const { return noted[static_cast<std::size_t>(stage)]; }
};

}  // namespace millrace::states
