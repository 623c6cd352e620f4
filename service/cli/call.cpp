// `millrace call`: an operation of the task library from the command line, in the shape that a workflow's
// Task state and AWS's API have it: approve a model version, list training jobs, describe an endpoint.

#include <CLI/CLI.hpp>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "definitions/diagnostics.h"
#include "service/cli/command.h"
#include "service/cli/print.h"
#include "service/home.h"
#include "tasks/catalog.h"

namespace millrace::cli {
namespace {

struct CallOptions {
  std::string operation, request = "{}";
  bool list = false, parameters = false;
};

// "sagemaker:listModels" or just "listModels".
Result<const tasks::TaskKind*> find(const std::string& operation) {
  const std::size_t colon = operation.find(':');
  const std::string name = operation.substr(colon == std::string::npos ? 0 : colon + 1);
  std::vector<std::string_view> names;
  for (const tasks::TaskKind& kind : tasks::catalog()) {
    if (kind.operation == name && (colon == std::string::npos || operation.substr(0, colon) == kind.service))
      return &kind;
    names.push_back(kind.operation);
  }
  const std::string near = definitions::nearest(name, names);
  return invalid("there is no operation '" + operation + "'",
                 near.empty() ? "`millrace call --list` shows all"
                              : "did you mean " + near + "? `millrace call --list` shows all");
}

void list_operations(const Shared& shared) {
  Json rows = Json::array();
  for (const tasks::TaskKind& kind : tasks::catalog()) {
    if (!shared.json) {
      std::printf("%-18s%-46s %s\n", std::string(kind.service).c_str(), std::string(kind.operation).c_str(),
                  std::string(kind.summary).c_str());
      continue;
    }
    Json parameters = Json::array();
    for (const tasks::Parameter& p : kind.parameters)
      parameters.push_back({{"name", p.name}, {"type", p.type}, {"required", p.required}, {"help", p.help}});
    rows.push_back({{"service", kind.service},
                    {"operation", kind.operation},
                    {"summary", kind.summary},
                    {"sync", kind.sync},
                    {"parameters", std::move(parameters)}});
  }
  if (shared.json) print_json(Json{{"operations", std::move(rows)}});
}

void show_parameters(const tasks::TaskKind& kind) {
  std::printf("%s: %s\n", std::string(kind.operation).c_str(), std::string(kind.summary).c_str());
  for (const tasks::Parameter& p : kind.parameters) {
    std::printf("  %-34s %-7s %-9s %s\n", std::string(p.name).c_str(), std::string(p.type).c_str(),
                p.required ? "required" : "", std::string(p.help).c_str());
  }
}

Result<int> call(const CallOptions& options, const Shared& shared) {
  if (options.list) {
    list_operations(shared);
    return kSucceeded;
  }
  if (options.operation.empty()) return invalid("which operation?", "`millrace call --list` shows all");
  MR_TRY(kind, find(options.operation));
  if (options.parameters) {
    show_parameters(*kind);
    return kSucceeded;
  }
  MR_TRY(request, read_json(options.request));
  service::HomeOptions home_options;
  home_options.path = service::home_path(shared.home);
  MR_TRY(home, service::Home::open(std::move(home_options)));
  std::optional<Outcome> outcome;
  home->loop().post([&] {
    home->tasks()->call(std::string(kind->service), std::string(kind->operation), request, "the command line",
                        [&](Outcome answer) {
                          outcome = std::move(answer);
                          home->loop().stop();
                        });
  });
  home->loop().run();
  if (!outcome) return fail(ErrorCode::Internal, "no answer came");
  if (!*outcome) {
    const Failure& failure = outcome->error();
    const bool ours = failure.error.ends_with("AmazonSageMakerException");
    return fail(ours ? ErrorCode::Unavailable : ErrorCode::InvalidArgument,
                failure.error + ": " + failure.cause,
                "`millrace call " + std::string(kind->operation) + " --parameters` shows what it takes");
  }
  print_line(shared.json ? std::string((*outcome)->text()) : pretty((*outcome)->view()));
  return kSucceeded;
}

}  // namespace

void add_call(CLI::App& app, const Shared& shared, int& exit_code) {
  CLI::App* command =
      app.add_subcommand("call", "Call an operation of the task library: jobs, models, endpoints, registry");
  command->fallthrough();
  auto options = std::make_shared<CallOptions>();
  command->add_option("OPERATION", options->operation,
                      "as AWS names it: describeEndpoint, updateModelPackage");
  command->add_option("REQUEST", options->request, "the request: a file, '-', or JSON in quotes")
      ->capture_default_str();
  command->add_flag("--list", options->list, "show every operation");
  command->add_flag("--parameters", options->parameters, "show what the operation's request takes");
  command->footer(
      "Examples:\n"
      "  millrace call listTrainingJobs\n"
      "  millrace call describeEndpoint '{\"EndpointName\":\"fraud-live\"}'\n"
      "  millrace call updateModelPackage "
      "'{\"ModelPackageArn\":\"fraud/1\",\"ModelApprovalStatus\":\"Rejected\"}'");
  command->callback([options, &shared, &exit_code] {
    const auto code = call(*options, shared);
    exit_code = code ? *code : report(code.error(), shared);
  });
}

}  // namespace millrace::cli
