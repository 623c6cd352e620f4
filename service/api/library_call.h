#pragma once
// Operations of the task library behind other services' doors: which operation, called with which document,
// and its failure in the words of the service. Loop thread only.

#include <functional>
#include <string>
#include <string_view>

#include "service/api/call.h"
#include "tasks/runner.h"

namespace millrace::api {

// The library's name of an operation: "PutEvents" is putEvents.
std::string library_operation(std::string_view name);
// Calls it; the answer comes on the loop thread, its error as the service has it:
// EventBridge.NotFoundException (Service: …) becomes NotFoundException, and the rest of a cause is left out.
void call_library(tasks::TaskLibraryRunner& library, const std::string& service, const std::string& operation,
                  Payload input, std::string caller, std::function<void(Answer)> reply);

}  // namespace millrace::api
