#pragma once
// The names that AWS's API has for our errors, as their texts tell them. Pure.

#include <string_view>

namespace millrace::orchestrator {

// "StateMachineDoesNotExist" for "State Machine Does Not Exist: 'arn'"; empty for a text that names nothing.
std::string_view aws_name_in_text(std::string_view message);

}  // namespace millrace::orchestrator
