// `millrace config`: what the server would be started with, and from where; what an option means.

#include <CLI/CLI.hpp>
#include <cstdio>

#include "service/cli/command.h"
#include "service/cli/serve_options.h"
#include "service/home.h"
#include "service/ops/configuration.h"

namespace millrace::cli {
namespace {

using service::Option;

int tell_problems(const service::Loaded& loaded, const Shared& shared) {
  if (shared.json) {
    JsonWriter out;
    out.begin_object().key("file").string(loaded.file).key("problems").begin_array();
    for (const Error& error : loaded.problems)
      out.begin_object().key("message").string(error.message).key("hint").string(error.hint).end_object();
    out.end_array().end_object();
    print_line(out.finish().text());
  } else {
    for (const Error& error : loaded.problems) {
      std::fprintf(stderr, "%s\n", error.message.c_str());
      if (!error.hint.empty()) std::fprintf(stderr, "  hint: %s\n", error.hint.c_str());
    }
    if (loaded.problems.empty())
      print_line(loaded.file.empty()
                     ? "valid; there is no file, so all is default, environment or command line"
                     : loaded.file + ": valid");
  }
  return loaded.problems.empty() ? kSucceeded : kBadInput;
}

void write_value(JsonWriter& out, const Option& option, const service::OptionValue& value) {
  if (option.kind == service::OptionKind::Flag) {
    out.boolean(value.number != 0);
  } else if (option.kind == service::OptionKind::Text || option.kind == service::OptionKind::Choice) {
    out.string(value.text);
  } else {
    out.number(value.number);
  }
}

int show(const service::Loaded& loaded, bool changed_only, const Shared& shared) {
  if (!loaded.problems.empty()) return tell_problems(loaded, shared);
  JsonWriter out;
  out.begin_object();
  for (const Option& option : service::options()) {
    const auto value = option.get(loaded.configuration);
    const auto origin = loaded.origins.find(option.name);
    const bool changed = origin != loaded.origins.end();
    if (changed_only && !changed) continue;
    if (shared.json) {
      out.key(option.name).begin_object().key("value");
      write_value(out, option, value);
      out.key("origin").string(changed ? origin->second : "default").end_object();
      continue;
    }
    std::printf("%-42s %-24s %s\n", std::string(option.name).c_str(),
                service::show_value(option, value).c_str(), changed ? origin->second.c_str() : "default");
  }
  out.end_object();
  if (shared.json) print_line(out.finish().text());
  return kSucceeded;
}

int explain(const std::string& name, const Shared& shared) {
  const Option* option = service::find_option(name);
  if (!option) {
    service::Sources sources;
    sources.flags.emplace_back(name, "");
    return report(service::load(sources).problems.front(), shared);
  }
  const std::string standard = service::show_value(*option, option->get({}));
  if (shared.json) {
    JsonWriter out;
    out.begin_object().key("name").string(option->name).key("help").string(option->help);
    out.key("default").string(standard).key("values").string(service::show_range(*option));
    out.key("environment").string(service::environment_name(*option));
    if (!option->flag.empty()) out.key("flag").string("--" + std::string(option->flag));
    out.end_object();
    print_line(out.finish().text());
    return kSucceeded;
  }
  const std::string full(option->name);
  const std::string key = full.substr(full.find('.') + 1);
  std::printf("%s: %s\n", full.c_str(), std::string(option->help).c_str());
  std::printf("  default      %s\n", standard.empty() ? "(empty)" : standard.c_str());
  std::printf("  values       %s\n", service::show_range(*option).c_str());
  if (option->flag.empty()) {
    std::printf("  command line --set %s=VALUE\n", full.c_str());
  } else {
    std::printf("  command line --%s VALUE\n", std::string(option->flag).c_str());
  }
  std::printf("  environment  %s\n", service::environment_name(*option).c_str());
  std::printf("  file         {\"%s\": {\"%s\": VALUE}}\n", std::string(service::section_of(*option)).c_str(),
              key.c_str());
  return kSucceeded;
}

}  // namespace

void add_config(CLI::App& app, const Shared& shared, int& exit_code) {
  CLI::App* command = app.add_subcommand("config", "Show, check and explain the options of `millrace serve`");
  command->fallthrough();
  command->require_subcommand(1);
  auto options = std::make_shared<ServeFlags>();
  auto changed = std::make_shared<bool>(false);
  auto name = std::make_shared<std::string>();
  add_serve_flags(*command, *options);
  CLI::App* show_command =
      command->add_subcommand("show", "every option, its value and where that came from");
  show_command->add_flag("--changed", *changed, "only those that are not at their default");
  show_command->callback([options, changed, &shared, &exit_code] {
    exit_code = show(service::load(sources_of(*options, shared)), *changed, shared);
  });
  command->add_subcommand("check", "all that is wrong with the file, the environment and the command line")
      ->callback([options, &shared, &exit_code] {
        exit_code = tell_problems(service::load(sources_of(*options, shared)), shared);
      });
  CLI::App* explain_command = command->add_subcommand("explain", "what an option means, and how to set it");
  explain_command->add_option("NAME", *name, "such as http.connections_max")->required();
  explain_command->callback([name, &shared, &exit_code] { exit_code = explain(*name, shared); });
  command->add_subcommand("table", "the table of docs/operations.md")->callback([&exit_code] {
    std::fputs(service::options_as_markdown().c_str(), stdout);
    exit_code = kSucceeded;
  });
  command->footer(
      "The file is HOME/millrace.json, or --config FILE: JSON with comments, an object of sections.\n"
      "Examples:\n"
      "  millrace config show --changed\n"
      "  millrace config explain retention.days");
}

}  // namespace millrace::cli
