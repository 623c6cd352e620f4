// `millrace functions`: what is in the functions folder, and one function invoked by hand. Works beside a
// process that has the home open: functions are files, and this one runs them in processes of its own.

#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <future>
#include <nlohmann/json.hpp>

#include "base/clock.h"
#include "service/cli/command.h"
#include "service/cli/print.h"
#include "service/home.h"
#include "tasks/functions/lambda.h"
#include "tasks/integrations/http/function_url.h"

namespace millrace::cli {
namespace {

struct FunctionOptions {
  std::string folder, name, payload = "{}";
  bool log = false;
};

std::filesystem::path folder_of(const FunctionOptions& options, const Shared& shared) {
  return options.folder.empty() ? std::filesystem::path(service::home_path(shared.home)) / "functions"
                                : std::filesystem::path(options.folder);
}

std::string limits_of(const tasks::Function& f) {
  const std::string memory = f.memory_mb > 0 ? std::to_string(f.memory_mb) + " MB, " : "any memory, ";
  return std::to_string(f.timeout.count() / 1000) + " s, " +
         (f.kind == tasks::FunctionKind::Url ? "" : memory) + std::to_string(f.concurrency) + " at once";
}

int list(const FunctionOptions& options, const Shared& shared) {
  const std::filesystem::path folder = folder_of(options, shared);
  Json rows = Json::array();
  for (const std::string& name : tasks::function_names(folder)) {
    const auto function = tasks::load_function(folder, name);
    if (shared.json) {
      rows.push_back(
          function
              ? tasks::function_configuration(*function, {})
              : Json{{"FunctionName", name}, {"State", "Failed"}, {"StateReason", function.error().message}});
      continue;
    }
    const std::string how =
        !function ? "can't run: " + function.error().message
        : function->handler.empty()
            ? (function->url.empty() ? function->runtime : function->url) + "  " + limits_of(*function)
            : function->runtime + " " + function->module + "." + function->handler + "  " +
                  limits_of(*function);
    std::printf("%-30s %s\n", name.c_str(), how.c_str());
    rows.push_back(name);
  }
  if (shared.json)
    print_json(Json{{"Functions", std::move(rows)}});
  else if (rows.empty())
    std::fprintf(stderr,
                 "there are no functions in %s: make NAME/handler.py with handler(event, context) there\n",
                 folder.c_str());
  return kSucceeded;
}

Result<int> invoke(const FunctionOptions& options, const Shared& shared) {
  const std::filesystem::path folder = folder_of(options, shared);
  MR_TRY(function, tasks::load_function(folder, options.name));
  MR_TRY(event, read_json(options.payload.starts_with('@') ? options.payload.substr(1) : options.payload));
  tasks::FunctionHost::Settings settings;
  settings.seed = service::draw_seed();
  settings.functions = std::filesystem::absolute(folder);
  settings.logs = std::filesystem::absolute(std::filesystem::path(service::home_path(shared.home)) / "logs" /
                                            "functions");
  const SystemClock clock;
  std::unique_ptr<tasks::UrlFunctions> urls;
  if (function.kind == tasks::FunctionKind::Url) {
    MR_TRY(opened, tasks::UrlFunctions::open(service::home_path(shared.home), clock, settings.seed));
    urls = std::move(opened);
    settings.call_url = urls->caller();
  }
  std::promise<tasks::InvocationAnswer> answered;
  tasks::FunctionHost host(std::move(settings), clock);
  tasks::Invocation invocation;
  invocation.function = function.name;
  invocation.arn = tasks::function_configuration(function, {})["FunctionArn"].get<std::string>();
  invocation.event = std::move(event);
  invocation.tail = options.log;
  host.invoke(std::move(invocation),
              [&answered](tasks::InvocationAnswer answer) { answered.set_value(std::move(answer)); });
  const tasks::InvocationAnswer answer = answered.get_future().get();
  if (options.log) std::fputs(answer.log_tail.c_str(), stderr);
  using Kind = tasks::InvocationAnswer::Kind;
  if (answer.kind == Kind::Result) {
    print_line(shared.json ? std::string(answer.payload.text()) : pretty(answer.payload.view()));
    return kSucceeded;
  }
  if (answer.kind != Kind::Error) return fail(ErrorCode::InvalidArgument, answer.error);
  const auto error = Payload::parse(answer.error);
  print_line(!error || shared.json ? answer.error : pretty(error->view()));
  return kWorkflowFailed;
}

}  // namespace

void add_functions(CLI::App& app, const Shared& shared, int& exit_code) {
  CLI::App* command = app.add_subcommand("functions", "Show the local functions, or invoke one");
  command->fallthrough();
  command->require_subcommand(1);
  auto options = std::make_shared<FunctionOptions>();
  command->add_option("--functions", options->folder, "the folder of functions instead of HOME/functions");
  CLI::App* listing = command->add_subcommand("list", "Show every function and how it is run");
  listing->fallthrough();
  listing->callback([options, &shared, &exit_code] { exit_code = list(*options, shared); });
  CLI::App* invoking = command->add_subcommand("invoke", "Run a function once and print its result");
  invoking->fallthrough();
  invoking->add_option("NAME", options->name, "the function's name")->required();
  invoking->add_option("-p,--payload", options->payload, "the event: JSON in quotes, @FILE or '-'")
      ->capture_default_str();
  invoking->add_flag("--log", options->log, "show what it printed, on stderr");
  invoking->callback([options, &shared, &exit_code] {
    const auto code = invoke(*options, shared);
    exit_code = code ? *code : report(code.error(), shared);
  });
  command->footer(
      "Examples:\n"
      "  millrace functions list\n"
      "  millrace functions invoke price --payload '{\"item\":\"apple\"}' --log");
}

}  // namespace millrace::cli
