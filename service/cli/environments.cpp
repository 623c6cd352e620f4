// `millrace environments`: the packages that programs with a requirements.txt were given, and preparing them
// ahead. Works beside a server that has the home open: environments are files with locks of their own. The
// options are the server's (environments.*).

#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/clock.h"
#include "service/cli/command.h"
#include "service/cli/sagemaker.h"
#include "service/cli/serve_options.h"
#include "service/home.h"
#include "tasks/script/python_environments.h"

namespace millrace::cli {
namespace {

namespace fs = std::filesystem;

struct EnvironmentOptions {
  ServeFlags serve;
  std::string directory;
  std::vector<std::string> keys;
  bool unused = false;
};

// Opened for one command.
struct OpenedEnvironments {
  SystemClock clock;
  std::unique_ptr<tasks::PythonEnvironments> environments;
};

Result<std::unique_ptr<OpenedEnvironments>> open_environments(const EnvironmentOptions& options,
                                                              const Shared& shared) {
  MR_TRY(configuration, service::load_checked(sources_of(options.serve, shared)));
  auto opened = std::make_unique<OpenedEnvironments>();
  opened->environments =
      std::make_unique<tasks::PythonEnvironments>(fs::path(service::home_path(shared.home)) / "environments",
                                                  configuration.tasks.environments, opened->clock);
  return opened;
}

std::string package_words(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : " ") + word;
  return text;
}

Result<int> list_environments(const EnvironmentOptions& options, const Shared& shared) {
  MR_TRY(opened, open_environments(options, shared));
  Json list = Json::array();
  std::vector<std::vector<std::string>> rows = {{"KEY", "STATUS", "PYTHON", "SIZE", "LAST USED", "PACKAGES"}};
  for (const tasks::EnvironmentInfo& info : opened->environments->list()) {
    list.push_back(tasks::to_json(info));
    rows.push_back({info.key, list.back()["Status"].get<std::string>(), info.python,
                    bytes_text(static_cast<double>(info.bytes)),
                    format_rfc3339(Instant(Millis(info.used_ms))), package_words(info.packages)});
  }
  if (shared.json)
    print_json(Json{{"Environments", std::move(list)}});
  else if (rows.size() == 1)
    std::fprintf(stderr, "there are no environments: jobs whose code has a requirements.txt make them\n");
  else
    print_cells(rows);
  return kSucceeded;
}

Result<int> remove_environments(const EnvironmentOptions& options, const Shared& shared) {
  if (options.unused == !options.keys.empty())
    return invalid("name the environments to remove, or give --unused", "millrace environments list");
  MR_TRY(opened, open_environments(options, shared));
  std::vector<std::string> keys = options.keys;
  if (options.unused) {
    keys.clear();
    for (const tasks::EnvironmentInfo& info : opened->environments->list())
      if (!info.in_use) keys.push_back(info.key);
  }
  for (const std::string& key : keys) {
    MR_DO(opened->environments->remove(key));
    if (!shared.json) print_line("removed " + key);
  }
  if (shared.json) print_json(Json{{"Removed", keys}});
  return kSucceeded;
}

Result<int> prepare_environment_of(const EnvironmentOptions& options, const Shared& shared) {
  MR_TRY(opened, open_environments(options, shared));
  std::error_code code;
  tasks::PythonEnvironments::Request request;
  request.code = fs::absolute(options.directory, code);
  if (!fs::is_directory(request.code, code))
    return invalid(options.directory + " is no directory", "name the directory with requirements.txt");
  request.log = [&shared](std::string_view line) {
    if (!shared.json) std::fprintf(stderr, "%.*s\n", static_cast<int>(line.size()), line.data());
  };
  MR_TRY(prepared, opened->environments->prepare(request));
  if (!prepared)
    return invalid(options.directory +
                   " asks for nothing: there is neither a requirements.txt nor a setup.py");
  if (shared.json)
    print_json(prepared->record());
  else
    print_line(prepared->key());
  return kSucceeded;
}

}  // namespace

void add_environments(CLI::App& app, const Shared& shared, int& exit_code) {
  CLI::App* command = app.add_subcommand(
      "environments", "Packages of programs with a requirements.txt: list, prepare, remove");
  command->fallthrough();
  command->require_subcommand(1);
  auto options = std::make_shared<EnvironmentOptions>();
  add_configuration_flags(*command, options->serve);
  add_action(*command, "list", "Show every environment, the one used last first", shared, exit_code,
             [options, &shared] { return list_environments(*options, shared); });
  add_action(*command, "prepare", "Prepare what a directory of code asks for, so that jobs find it ready",
             shared, exit_code, [options, &shared] { return prepare_environment_of(*options, shared); })
      ->add_option("DIR", options->directory, "the directory with requirements.txt")
      ->required();
  CLI::App* removing =
      add_action(*command, "remove", "Remove environments that no job uses now", shared, exit_code,
                 [options, &shared] { return remove_environments(*options, shared); });
  removing->add_option("KEY", options->keys, "of `millrace environments list`");
  removing->add_flag("--unused", options->unused, "all that are not in use");
  command->footer(
      "Examples:\n"
      "  millrace environments prepare training/\n"
      "  millrace environments list --json");
}

}  // namespace millrace::cli
