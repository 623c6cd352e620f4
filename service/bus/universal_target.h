#pragma once
// Universal targets of schedules: arn:aws:scheduler:::aws-sdk:SERVICE:OPERATION calls that operation with the
// target's Input. Step Functions' StartExecution, and all operations of the task library. Pure.

#include <optional>
#include <string>
#include <string_view>

namespace millrace::bus {

struct UniversalTarget {
  std::string service, operation;  // "sagemaker", "createTrainingJob", as the task library has them
  bool start_execution = false;    // sfn:startExecution
};

bool is_universal_target(std::string_view arn);
std::optional<UniversalTarget> universal_target(std::string_view arn);  // nothing: it is not served
// What is wrong with the target; nothing: it can be called.
std::optional<std::string> refuse_universal_target(std::string_view arn, const std::string& input);

}  // namespace millrace::bus
