#include "states/inspection.h"

namespace millrace::states {

std::string_view name_of(Stage stage) {
  static constexpr std::string_view kNames[kStages] = {"afterInputPath",
                                                       "afterParameters",
                                                       "afterArguments",
                                                       "afterItemsPath",
                                                       "afterItemsPointer",
                                                       "afterItemSelector",
                                                       "afterItemBatcher",
                                                       "result",
                                                       "afterResultSelector",
                                                       "afterResultPath",
                                                       "maxConcurrency",
                                                       "toleratedFailureCount",
                                                       "toleratedFailurePercentage"};
  return kNames[static_cast<std::size_t>(stage)];
}

}  // namespace millrace::states
