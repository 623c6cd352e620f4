#include "service/cli/commands.h"

namespace millrace::cli {

void add_bench(CLI::App&, const Shared&, int&);

std::span<const Command> commands() {
  static constexpr Command kCommands[] = {
      {"bench", add_bench},
  };
  return kCommands;
}

}  // namespace millrace::cli
