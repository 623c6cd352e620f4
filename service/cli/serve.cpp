// `millrace serve`: the engine behind the AWS API, until it is told to stop.

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>

#include "base/log.h"
#include "orchestrator/queries.h"
#include "service/api/lambda.h"
#include "service/api/router.h"
#include "service/api/service.h"
#include "service/api/sts.h"
#include "service/cli/command.h"
#include "service/home.h"
#include "service/http/server.h"

namespace millrace::cli {
namespace {

struct ServeOptions {
  std::string listen = "127.0.0.1:8083";
  std::string region = "us-east-1", account = "123456789012", functions;
  std::size_t payload_bytes_max = Limits{}.payload_bytes_max;
  std::uint64_t history_events_max = Limits{}.history_events_max;
};

Status check_address(const http::Address& address) {
  if (http::is_loopback(address)) return {};
  return invalid("refusing to listen on " + address.host + ": requests are not authenticated",
                 "listen on 127.0.0.1 and put a proxy that authenticates in front of it");
}

void say_ready(const http::Address& address, int port, const std::string& home, const Shared& shared) {
  const bool v6 = address.host.find(':') != std::string::npos;
  const std::string url =
      "http://" + (v6 ? "[" + address.host + "]" : address.host) + ":" + std::to_string(port);
  if (shared.json) {
    JsonWriter out;
    out.begin_object().key("url").string(url).key("home").string(home).end_object();
    print_line(out.finish().text());
  } else {
    print_line("millrace serves " + home + " at " + url);
  }
  std::fflush(stdout);
}

Result<int> serve(const ServeOptions& options, const Shared& shared) {
  MR_TRY(address, http::parse_address(options.listen));
  MR_DO(check_address(address));
  service::HomeOptions home_options;
  home_options.path = service::home_path(shared.home);
  home_options.functions = options.functions;
  home_options.engine.region = options.region;
  home_options.engine.account = options.account;
  home_options.engine.role_arn = "arn:aws:iam::" + options.account + ":role/millrace";
  home_options.engine.limits.payload_bytes_max = options.payload_bytes_max;
  home_options.engine.limits.history_events_max = options.history_events_max;
  MR_TRY(home, service::Home::open(std::move(home_options)));
  orchestrator::UvLoop& loop = home->loop();
  api::Service service({home->engine(), loop, home->runner(), Random(service::draw_seed())});
  api::LambdaApi lambda(
      home->tasks()->functions(), {options.region, options.account},
      [&loop](std::function<void()> work) { loop.post(std::move(work)); }, service::draw_seed());
  api::StsApi sts(service::draw_seed());
  api::Router router(options.account, service::draw_seed());
  using api::Protocol;
  router.add({"states", Protocol::AwsJson10, api::Service::kTarget, nullptr,
              [&](http::ExchangePtr exchange, const auto&) { service.handle(std::move(exchange)); }});
  router.add({"lambda", Protocol::RestJson, "", api::LambdaApi::serves,
              [&](http::ExchangePtr exchange, const auto&) { lambda.handle(std::move(exchange)); }});
  router.add(
      {"sts", Protocol::Query, "", api::StsApi::serves,
       [&](http::ExchangePtr exchange, const auto& caller) { sts.handle(std::move(exchange), caller); }});
  MR_TRY(server, http::listen(loop, address, {},
                              [&](http::ExchangePtr exchange) { router.handle(std::move(exchange)); }));
  std::optional<Error> error;
  const auto stop_with = [&](const Error& cause) {
    if (!error) error = cause;
    loop.stop();
  };
  bool stopping = false;
  const auto stop = [&] {
    if (std::exchange(stopping, true)) std::_Exit(130);
    log::info("stopping: answers what was asked, then ends (once more: at once)");
    server->drain([&] { loop.stop(); });
    home->engine().end_polls();
  };
  for (const int signal : {SIGINT, SIGTERM}) loop.on_signal(signal, stop);
  // Without space callers are refused and it goes on when there is some again. Any other error of the store,
  // above all a failed fsync, ends the process: only what is read anew from the disk can be trusted.
  home->engine().on_store_error([&](const Error& cause) {
    if (cause.code != ErrorCode::OutOfSpace) stop_with(cause);
  });
  loop.post([&] {
    home->engine().recover([&](Result<orchestrator::RecoverySummary> summary) {
      if (!summary) return stop_with(summary.error());
      if (summary->executions > 0)
        std::fprintf(stderr, "taking up %zu unfinished executions of this home\n", summary->executions);
      say_ready(address, server->port(), home->path(), shared);
    });
  });
  loop.run();
  server.reset();
  if (error) return fail(*std::move(error));
  return kSucceeded;
}

}  // namespace

void add_serve(CLI::App& app, const Shared& shared, int& exit_code) {
  CLI::App* command = app.add_subcommand("serve", "Serve the AWS Step Functions API over HTTP");
  command->fallthrough();
  auto options = std::make_shared<ServeOptions>();
  command->add_option("--listen", options->listen, "where to listen; port 0 takes a free one")
      ->type_name("HOST:PORT")
      ->capture_default_str();
  command->add_option("--region", options->region, "of the ARNs it makes")->capture_default_str();
  command->add_option("--account", options->account, "of the ARNs it makes")->capture_default_str();
  command->add_option("--functions", options->functions, "the folder of functions instead of HOME/functions");
  command
      ->add_option("--payload-bytes-max", options->payload_bytes_max,
                   "limit of one document; AWS's by default")
      ->capture_default_str();
  command
      ->add_option("--history-events-max", options->history_events_max,
                   "limit of one history; AWS's by default")
      ->capture_default_str();
  command->footer(
      "SIGTERM and SIGINT let running answers end; unfinished executions go on at the next start.\n"
      "Examples:\n"
      "  millrace serve --listen 127.0.0.1:8083\n"
      "  aws stepfunctions list-state-machines --endpoint-url http://127.0.0.1:8083");
  command->callback([options, &shared, &exit_code] {
    const auto code = serve(*options, shared);
    exit_code = code ? *code : report(code.error(), shared);
  });
}

}  // namespace millrace::cli
