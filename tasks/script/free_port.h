#pragma once
// A port for a program of the user's. Any thread.

#include "base/result.h"

namespace millrace::tasks {

// A port of this machine that nobody has now. Whoever loses the race for it ends and is started again with
// another. Unavailable.
Result<int> free_port();

}  // namespace millrace::tasks
