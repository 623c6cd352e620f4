#pragma once
// look_up: an operation of the task library that only reads, on a home that another process may have open.

#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/failure.h"
#include "base/result.h"

namespace millrace::tasks {

// Of SageMaker's: Describe…, List…, Query…, Search, Compare…. InvalidArgument for others; NotFound when there
// is no home.
Result<Outcome> look_up(const std::string& home, std::string_view operation, const Payload& arguments,
                        const Clock& clock);

}  // namespace millrace::tasks
