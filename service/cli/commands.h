#pragma once
// The table of commands.

#include <span>

#include "service/cli/command.h"

namespace millrace::cli {
std::span<const Command> commands();
}
