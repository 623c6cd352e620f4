#pragma once
// The command line of `millrace serve` and `millrace config`: the options of the table that have a flag of
// their own, --set for the others, --config.

#include <memory>
#include <string>
#include <vector>

#include "service/cli/command.h"
#include "service/ops/configuration.h"

namespace millrace::cli {

struct ServeFlags {
  std::string config;
  std::vector<std::string> sets;  // NAME=VALUE
  std::vector<std::pair<const service::Option*, std::shared_ptr<std::string>>> flags;
};

void add_serve_flags(CLI::App& command, ServeFlags& flags);
// --set and --config alone, of commands that obey a few of the server's options.
void add_configuration_flags(CLI::App& command, ServeFlags& flags);
service::Sources sources_of(const ServeFlags& flags, const Shared& shared);

}  // namespace millrace::cli
