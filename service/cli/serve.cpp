// `millrace serve`: the engine behind the AWS API, until it is told to stop.

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>

#include "base/log.h"
#include "orchestrator/queries.h"
#include "service/api/dynamodb.h"
#include "service/api/lambda.h"
#include "service/api/router.h"
#include "service/api/service.h"
#include "service/api/sqs.h"
#include "service/api/sts.h"
#include "service/auth/gate.h"
#include "service/cli/command.h"
#include "service/home.h"
#include "service/http/server.h"
#include "service/serve_file.h"

namespace millrace::cli {
namespace {

struct ServeOptions {
  http::ServerSettings http;
  auth::GateSettings gate;
  std::string listen = "127.0.0.1:8083";
  std::string region = "us-east-1", account = "123456789012", functions;
  std::string certificate, key;  // of TLS
  std::size_t payload_bytes_max = Limits{}.payload_bytes_max;
  std::uint64_t history_events_max = Limits{}.history_events_max;
};

Status check_address(const http::Address& address, bool keys) {
  if (http::is_loopback(address) || keys) return {};
  return invalid(
      "refusing to listen on " + address.host + ": there are no keys, so anybody could do anything",
      "make a key with `millrace keys create NAME`, or listen on 127.0.0.1");
}

// Null: plain HTTP.
Result<std::shared_ptr<http::TlsContext>> load_tls(const ServeOptions& options) {
  if (options.certificate.empty()) return std::shared_ptr<http::TlsContext>();
  return http::TlsContext::load(options.certificate, options.key);
}

std::string url_of(const http::Address& address, int port, bool tls) {
  const bool v6 = address.host.find(':') != std::string::npos;
  return (tls ? "https://" : "http://") + (v6 ? "[" + address.host + "]" : address.host) + ":" +
         std::to_string(port);
}

void say_ready(const std::string& url, const std::string& home, const Shared& shared) {
  if (shared.json) {
    JsonWriter out;
    out.begin_object().key("url").string(url).key("home").string(home).end_object();
    print_line(out.finish().text());
  } else {
    print_line("millrace serves " + home + " at " + url);
    print_line(
        "  StartSyncExecution, TestState: clients need AWS_DISABLE_HOST_PREFIX_INJECTION=true (docs/api.md "
        "says "
        "more)");
  }
  std::fflush(stdout);
}

Result<int> serve(const ServeOptions& options, const Shared& shared) {
  MR_TRY(address, http::parse_address(options.listen));
  auth::LiveKeys keys(service::home_path(shared.home));
  MR_DO(keys.refresh());
  MR_DO(check_address(address, keys.required()));
  MR_TRY(tls, load_tls(options));
  if (!tls && !http::is_loopback(address))
    log::warning(
        "requests travel unencrypted: others can read them, though not change or repeat them for long",
        {{"remedy", "--tls-cert FILE --tls-key FILE"}});
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
  const auto post = [&loop](std::function<void()> work) { loop.post(std::move(work)); };
  api::LambdaApi lambda(home->tasks()->functions(), {options.region, options.account}, post,
                        service::draw_seed());
  api::DynamoApi tables(home->tasks()->data(), post, service::draw_seed());
  api::SqsApi queues(home->tasks()->data(), post, service::draw_seed());
  api::StsApi sts(service::draw_seed());
  auth::GateSettings gate_settings = options.gate;
  gate_settings.account = options.account;
  auth::Gate gate(keys, loop.clock(), std::move(gate_settings));
  api::Router router(gate, service::draw_seed());
  using api::Protocol;
  using auth::Caller;
  using http::ExchangePtr;
  router.add(
      {"states", Protocol::AwsJson10, api::Service::kTarget, nullptr,
       [&](ExchangePtr exchange, const Caller& caller) { service.handle(std::move(exchange), caller); },
       [&](const http::Request& request) { return service.demands(request); }});
  router.add({"lambda", Protocol::RestJson, "", api::LambdaApi::serves,
              [&](ExchangePtr exchange, const Caller&) { lambda.handle(std::move(exchange)); },
              [&](const http::Request& request) { return lambda.demands(request); }});
  router.add({"dynamodb", Protocol::AwsJson10, "DynamoDB_20120810.", nullptr,
              [&](ExchangePtr exchange, const Caller&) { tables.handle(std::move(exchange)); }});
  for (const auto& [protocol, target] :
       {std::pair(Protocol::AwsJson10, "AmazonSQS."), std::pair(Protocol::Query, "")})
    router.add({"sqs", protocol, target, api::SqsApi::serves,
                [&](ExchangePtr exchange, const Caller&) { queues.handle(std::move(exchange)); }});
  router.add({"sts", Protocol::Query, "", api::StsApi::serves,
              [&](ExchangePtr exchange, const Caller& caller) { sts.handle(std::move(exchange), caller); },
              api::StsApi::demands});
  http::ServerSettings http_settings = options.http;
  http_settings.tls = tls;
  MR_TRY(server, http::listen(loop, address, http_settings,
                              [&](ExchangePtr exchange) { router.handle(std::move(exchange)); }));
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
  if (tls) {
    loop.on_signal(SIGHUP, [&] {
      const Status done = tls->reload();
      if (done) return log::info("the certificate was read again");
      log::error("the certificate can't be read; the one before stays", {{"error", done.error().message}});
    });
  }
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
      const std::string url = url_of(address, server->port(), tls != nullptr);
      if (const Status written = service::write_serve_file(home->path(), url); !written)
        return stop_with(written.error());
      say_ready(url, home->path(), shared);
    });
  });
  loop.run();
  service::remove_serve_file(home->path());
  server.reset();
  if (error) return fail(*std::move(error));
  return kSucceeded;
}

// A limit in seconds as an option.
void add_seconds(CLI::App& command, const char* name, Millis& limit, const char* words) {
  command
      .add_option_function<double>(
          name,
          [&limit](const double& seconds) { limit = Millis(static_cast<std::int64_t>(seconds * 1000)); },
          words)
      ->check(CLI::Range(0.001, 1e6))
      ->type_name("SECONDS")
      ->default_str(std::to_string(limit.count() / 1000))
      ->group("Limits");
}
template <class Number>
void add_count(CLI::App& command, const char* name, Number& limit, const char* words) {
  command.add_option(name, limit, words)
      ->check(CLI::PositiveNumber)
      ->type_name("N")
      ->capture_default_str()
      ->group("Limits");
}

void add_limits(CLI::App& command, ServeOptions& options) {
  http::ServerSettings& http = options.http;
  add_count(command, "--payload-bytes-max", options.payload_bytes_max, "of one document; AWS's by default");
  add_count(command, "--history-events-max", options.history_events_max, "of one history; AWS's by default");
  add_count(command, "--header-bytes-max", http.parser.header_bytes_max, "of one request; beyond it 431");
  add_count(command, "--body-bytes-max", http.parser.body_bytes_max, "of one request; beyond it 413");
  add_count(command, "--connections-max", http.connections_max, "at once; beyond it 503");
  add_count(command, "--unanswered-bytes-max", http.unanswered_bytes_max,
            "of a connection's waiting requests and unread answers; beyond it nothing more is read from it");
  add_seconds(command, "--request-seconds-max", http.request_time_max,
              "from a request's first byte to its last");
  add_seconds(command, "--idle-seconds-max", http.idle_time_max, "of a connection between requests");
  add_seconds(command, "--write-seconds-max", http.write_time_max, "without a client taking anything");
  add_seconds(command, "--drain-seconds-max", http.drain_time_max, "for running answers when it stops");
  add_seconds(command, "--handshake-seconds-max", http.handshake_time_max, "of TLS");
  add_seconds(command, "--clock-skew-seconds-max", options.gate.skew,
              "between a signature's time and this clock, each way; 900 where the service is S3");
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
  CLI::Option* certificate =
      command
          ->add_option("--tls-cert", options->certificate,
                       "serve HTTPS: the certificate and its chain, PEM; SIGHUP reads it again")
          ->type_name("FILE");
  CLI::Option* key = command->add_option("--tls-key", options->key, "its key, PEM")->type_name("FILE");
  certificate->needs(key);
  key->needs(certificate);
  command
      ->add_option(
          "--host-name", options->gate.host_names,
          "a public host name it is called by, as behind a proxy; only asked where there are no keys")
      ->type_name("NAME")
      ->allow_extra_args(false);
  add_limits(*command, *options);
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
