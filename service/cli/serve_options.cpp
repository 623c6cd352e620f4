#include "service/cli/serve_options.h"

#include <CLI/CLI.hpp>

#include "service/home.h"

namespace millrace::cli {

void add_serve_flags(CLI::App& command, ServeFlags& flags) {
  const service::Configuration defaults;
  for (const service::Option& option : service::options()) {
    if (option.flag.empty()) continue;
    auto value = std::make_shared<std::string>();
    std::string help(option.help);
    const std::string standard = service::show_value(option, option.get(defaults));
    if (!standard.empty()) help += " [" + standard + "]";
    command.add_option("--" + std::string(option.flag), *value, help)
        ->type_name(option.kind == service::OptionKind::Choice ? std::string(option.choices) : "VALUE");
    flags.flags.emplace_back(&option, std::move(value));
  }
  add_configuration_flags(command, flags);
}

void add_configuration_flags(CLI::App& command, ServeFlags& flags) {
  command.add_option("--set", flags.sets, "any option: `millrace config show` lists them")
      ->type_name("NAME=VALUE")
      ->expected(1)
      ->take_all();
  command.add_option("--config", flags.config, "the configuration instead of HOME/millrace.json")
      ->type_name("FILE");
}

service::Sources sources_of(const ServeFlags& flags, const Shared& shared) {
  service::Sources sources;
  sources.home = service::home_path(shared.home);
  sources.file = flags.config;
  sources.environment = service::process_environment();
  for (const auto& [option, value] : flags.flags) {
    if (!value->empty()) sources.flags.emplace_back(std::string(option->name), *value);
  }
  for (const std::string& set : flags.sets) {
    const std::size_t at = set.find('=');
    sources.flags.emplace_back(set.substr(0, at), at == std::string::npos ? "" : set.substr(at + 1));
  }
  return sources;
}

}  // namespace millrace::cli
