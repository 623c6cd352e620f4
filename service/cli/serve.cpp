// `millrace serve`: the engine behind the AWS API, until it is told to stop.

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>

#include "base/log.h"
#include "orchestrator/queries.h"
#include "orchestrator/retention.h"
#include "service/api/approvals.h"
#include "service/api/cloudwatch.h"
#include "service/api/dynamodb.h"
#include "service/api/events.h"
#include "service/api/feature_store.h"
#include "service/api/kinesis.h"
#include "service/api/label_links.h"
#include "service/api/labels.h"
#include "service/api/lambda.h"
#include "service/api/logs.h"
#include "service/api/router.h"
#include "service/api/s3/s3.h"
#include "service/api/sagemaker.h"
#include "service/api/sagemaker_runtime.h"
#include "service/api/scheduler.h"
#include "service/api/service.h"
#include "service/api/sns.h"
#include "service/api/sqs.h"
#include "service/api/stream_consumers.h"
#include "service/api/sts.h"
#include "service/auth/gate.h"
#include "service/bus/bus.h"
#include "service/cli/command.h"
#include "service/cli/serve_options.h"
#include "service/home.h"
#include "service/http/server.h"
#include "service/http/tls.h"
#include "service/objects/watcher.h"
#include "service/ops/engine_values.h"
#include "service/ops/event_streams.h"
#include "service/ops/function_logs.h"
#include "service/ops/log_writer.h"
#include "service/ops/observer_hub.h"
#include "service/ops/operator_log.h"
#include "service/ops/server_metrics.h"
#include "service/ops/state_machine_logs.h"
#include "service/serve_file.h"
#include "service/streams/consumers.h"
#include "tasks/approvals/approvals.h"
#include "tasks/integrations/events/event_log.h"

namespace millrace::cli {
namespace {

Status check_address(const http::Address& address, bool keys) {
  if (http::is_loopback(address) || keys) return {};
  return invalid(
      "refusing to listen on " + address.host + ": there are no keys, so anybody could do anything",
      "make a key with `millrace keys create NAME`, or listen on 127.0.0.1");
}

// Null: plain HTTP.
Result<std::shared_ptr<http::TlsContext>> load_tls(const service::Configuration& configuration) {
  const std::string &certificate = configuration.tls_certificate, &key = configuration.tls_key;
  if (certificate.empty() && key.empty()) return std::shared_ptr<http::TlsContext>();
  if (certificate.empty() || key.empty())
    return invalid("HTTPS needs a certificate and its key", "--tls-cert FILE --tls-key FILE");
  return http::TlsContext::load(certificate, key);
}

void warn_of_plain_http(const http::Address& address) {
  if (http::is_loopback(address)) return;
  log::warning("requests travel unencrypted: others can read them, though not change or repeat them for long",
               {{"remedy", "--tls-cert FILE --tls-key FILE"}});
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
        "says more)");
  }
  std::fflush(stdout);
}

// The bus, and where its lines for log groups go while there is a server.
struct BusSlot {
  std::unique_ptr<bus::Bus> bus;
  std::function<bool(const std::string&, const std::string&, Instant, std::string)> log;
  std::unique_ptr<streams::Consumers> consumers;  // goes before the bus
};

Status open_bus(BusSlot& slot, service::Home& home, const service::Configuration& configuration,
                service::ServerMetrics& metrics, objects::Catalog& catalog) {
  bus::Bus::Settings settings;
  settings.place = {configuration.engine.region, configuration.engine.account};
  settings.seed = service::draw_seed();
  settings.metrics = &metrics.registry();
  settings.log = [&slot](const std::string& group, const std::string& stream, Instant time,
                         std::string line) {
    return slot.log && slot.log(group, stream, time, std::move(line));
  };
  MR_TRY(opened, bus::Bus::open(home, std::move(settings)));
  slot.bus = std::move(opened);
  MR_TRY(consumers, streams::Consumers::open(
                        *slot.bus,
                        {home.loop(), home.engine(), *home.tasks(), slot.bus->dispatcher(),
                         slot.bus->store().place(), &catalog, std::filesystem::path(home.path()) / "objects"},
                        &metrics.registry()));
  slot.consumers = std::move(consumers);
  return {};
}

// What serves requests, put together over an open home. Members that are used by others come first.
class Serving {
 public:
  // `log_store` may be null: then nothing is logged there, and its API does not answer.
  Serving(const service::Configuration& configuration, auth::LiveKeys& keys, service::ServerMetrics& metrics,
          service::Home& home, service::FunctionLogs& function_logs,
          std::unique_ptr<service::LogStore> log_store, objects::Catalog& catalog, BusSlot& bus)
      : metrics_(metrics),
        home_(home),
        function_logs_(function_logs),
        gate_(keys, clock_, gate_settings(configuration)),
        router_(gate_, service::draw_seed(), configuration.audit),
        states_({home.engine(), home.loop(), home.runner(), Random(service::draw_seed())}),
        lambda_(home.tasks()->functions(), configuration.tasks.place, post(), service::draw_seed()),
        tables_(home.tasks()->data(), post(), service::draw_seed()),
        queues_(home.tasks()->data(), post(), service::draw_seed(), configuration.http.tls != nullptr),
        monitoring_(home.tasks()->data(), post(), service::draw_seed()),
        streams_(home.tasks()->data(), post(), service::draw_seed()),
        bus_slot_(bus),
        bus_(*bus.bus),
        consumers_(bus_, home.tasks()->data(), post(), service::draw_seed()),
        event_bus_(*home.tasks(), bus_, service::draw_seed()),
        scheduler_(bus_, service::draw_seed()),
        topics_(*home.tasks(), service::draw_seed()),
        sagemaker_(*home.tasks(), service::draw_seed()),
        inference_(home.tasks()->endpoints(), home.tasks()->async_invocations(), configuration.engine.account,
                   post(), service::draw_seed()),
        approvals_(home.tasks()->approvals(), home.engine(), service::draw_seed()),
        features_(home.tasks()->features(), configuration.engine.account, post(), service::draw_seed()),
        labels_(home.tasks()->labels(), post(), service::draw_seed()),
        label_links_(home.tasks()->labels(), home.tasks()->approvals(), post(), service::draw_seed()),
        sts_(service::draw_seed()),
        s3_(home.path(), catalog, configuration.objects,
            api::S3Place{configuration.engine.region, configuration.engine.account}, post(), clock_,
            service::draw_seed()),
        events_(home.engine(), home.loop(), configuration.events, service::draw_seed(), metrics.registry()),
        retention_(home.loop(), home.committer(), configuration.retention,
                   [&removed = metrics.registry().counter("millrace_executions_removed_total",
                                                          "Executions that retention removed")](
                       std::size_t count) { removed.add(count); }) {
    observers_.add(&metrics_);
    observers_.add(&operator_log_);
    observers_.add(&events_);
    observers_.add(&bus_.observer());
    if (configuration.monitoring.engine) open_engine_values(configuration);
    bus.log = [this](const std::string& group, const std::string& stream, Instant time, std::string line) {
      if (!log_writer_) return false;
      log_writer_->write({group, stream, time, std::move(line)});
      return true;
    };
    if (log_store) open_logs(configuration, std::move(log_store));
    add_services(configuration);
    home.engine().observe(&observers_);
  }
  ~Serving() {
    home_.engine().observe(nullptr);
    engine_values_.reset();
    bus_slot_.log = {};
    function_logs_.connect(nullptr);
    log_writer_.reset();  // its last work may be for the API beside it
  }

  // Once unfinished executions are taken up.
  void start() {
    retention_.start();
    home_.tasks()->endpoints().load_all();
    bus_.start();
    if (engine_values_) engine_values_->start();
    approvals_.start();
    bus_slot_.consumers->start();
  }

  void handle(http::ExchangePtr exchange) { router_.handle(std::move(exchange)); }

 private:
  using Caller = auth::Caller;
  using ExchangePtr = http::ExchangePtr;
  using Protocol = api::Protocol;

  static auth::GateSettings gate_settings(const service::Configuration& configuration) {
    auth::GateSettings settings = configuration.gate;
    settings.account = configuration.engine.account;
    return settings;
  }
  std::function<void(std::function<void()>)> post() {
    return [&loop = home_.loop()](std::function<void()> work) { loop.post(std::move(work)); };
  }

  // One row a service: docs/api.md.
  void add_services(const service::Configuration& configuration) {
    router_.add(
        {"states", Protocol::AwsJson10, api::Service::kTarget, nullptr,
         [this](ExchangePtr exchange, const Caller& caller) { states_.handle(std::move(exchange), caller); },
         [this](const http::Request& request) { return states_.demands(request); }});
    router_.add({"lambda", Protocol::RestJson, "", api::LambdaApi::serves,
                 [this](ExchangePtr exchange, const Caller&) { lambda_.handle(std::move(exchange)); },
                 [this](const http::Request& request) { return lambda_.demands(request); }});
    router_.add({"lambda", Protocol::RestJson, "", api::StreamConsumersApi::serves_mappings,
                 [this](ExchangePtr exchange, const Caller&) { consumers_.handle_mappings(exchange); },
                 api::StreamConsumersApi::mapping_demands});
    router_.add({"pipes", Protocol::RestJson, "", api::StreamConsumersApi::serves_pipes,
                 [this](ExchangePtr exchange, const Caller&) { consumers_.handle_pipes(exchange); },
                 api::StreamConsumersApi::pipe_demands});
    router_.add({"firehose", Protocol::AwsJson11, api::StreamConsumersApi::kFirehose, nullptr,
                 [this](ExchangePtr exchange, const Caller&) { consumers_.handle_firehose(exchange); }});
    router_.add({"dynamodb", Protocol::AwsJson10, "DynamoDB_20120810.", nullptr,
                 [this](ExchangePtr exchange, const Caller&) { tables_.handle(std::move(exchange)); }});
    for (const auto& [protocol, target] :
         {std::pair(Protocol::AwsJson10, "AmazonSQS."), std::pair(Protocol::Query, "")})
      router_.add({"sqs", protocol, target, api::SqsApi::serves,
                   [this](ExchangePtr exchange, const Caller&) { queues_.handle(std::move(exchange)); }});
    router_.add({"kinesis", Protocol::AwsJson11, api::KinesisApi::kTarget, nullptr,
                 [this](ExchangePtr exchange, const Caller&) { streams_.handle(std::move(exchange)); }});
    router_.add({"events", Protocol::AwsJson11, api::EventsApi::kTarget, nullptr,
                 [this](ExchangePtr exchange, const Caller&) { event_bus_.handle(std::move(exchange)); }});
    router_.add({"scheduler", Protocol::RestJson, api::SchedulerApi::kTarget, api::SchedulerApi::serves,
                 [this](ExchangePtr exchange, const Caller&) { scheduler_.handle(std::move(exchange)); },
                 api::SchedulerApi::demands});
    router_.add({"sns", Protocol::Query, "", api::SnsApi::serves,
                 [this](ExchangePtr exchange, const Caller&) { topics_.handle(std::move(exchange)); }});
    add_monitoring();
    add_machine_learning();
    if (logs_)
      router_.add({"logs", Protocol::AwsJson11, api::LogsApi::kTarget, nullptr,
                   [this](ExchangePtr exchange, const Caller&) { logs_->handle(std::move(exchange)); }});
    router_.add(
        {"sts", Protocol::Query, "", api::StsApi::serves,
         [this](ExchangePtr exchange, const Caller& caller) { sts_.handle(std::move(exchange), caller); },
         api::StsApi::demands});
    // Who has a link's token needs no key; all else about approvals does.
    router_.add({"millrace", Protocol::AwsJson10, "", api::ApprovalsApi::serves_links,
                 [this](ExchangePtr exchange, const Caller&) { approvals_.handle_link(std::move(exchange)); },
                 nullptr, true});
    router_.add({"millrace", Protocol::AwsJson10, api::ApprovalsApi::kTarget, api::ApprovalsApi::serves,
                 [this](ExchangePtr exchange, const Caller& caller) {
                   approvals_.handle(std::move(exchange), caller);
                 },
                 api::ApprovalsApi::demands});
    router_.add({"millrace", Protocol::AwsJson10, "", service::EventStreams::serves,
                 [this](ExchangePtr exchange, const Caller&) { events_.handle(std::move(exchange)); },
                 [](const http::Request&) { return demand("millrace:StreamEvents"); }});
    router_.add(
        {"millrace", Protocol::RestJson, "", api::LabelLinks::serves_pages,
         [this](ExchangePtr exchange, const Caller&) { label_links_.handle_page(std::move(exchange)); },
         nullptr, true});
    router_.add({"millrace", Protocol::RestJson, api::LabelLinks::kTarget, api::LabelLinks::makes_links,
                 [this](ExchangePtr exchange, const Caller&) { label_links_.make_link(std::move(exchange)); },
                 api::LabelLinks::demands});
    router_.add({"millrace", Protocol::RestJson, api::LabelsApi::kTarget, api::LabelsApi::serves,
                 [this](ExchangePtr exchange, const Caller&) { labels_.handle(std::move(exchange)); },
                 api::LabelsApi::demands});
    if (configuration.metrics.enabled)
      router_.add({"millrace", Protocol::AwsJson10, "", service::ServerMetrics::serves,
                   [this](ExchangePtr exchange, const Caller&) { metrics_.handle(exchange); },
                   [](const http::Request&) { return demand("millrace:GetMetrics"); },
                   configuration.metrics.open});
    // Last: it takes every path that looks like a bucket's.
    router_.add(
        {"s3", Protocol::RestXml, "", api::S3Api::serves,
         [this](ExchangePtr exchange, const Caller& caller) { s3_.handle(std::move(exchange), caller); },
         api::s3_demands});
  }
  void add_monitoring() {
    const auto handle = [this](ExchangePtr exchange, const Caller&) {
      monitoring_.handle(std::move(exchange));
    };
    using Api = api::CloudWatchApi;
    router_.add({"monitoring", Protocol::Query, "", Api::serves_query, handle, Api::demands});
    router_.add({"monitoring", Protocol::AwsJson10, "", Api::serves_cbor, handle, Api::demands});
    router_.add({"monitoring", Protocol::AwsJson10, Api::kTarget, nullptr, handle, Api::demands});
  }
  void add_machine_learning() {
    router_.add({"sagemaker", Protocol::AwsJson11, api::SageMakerApi::kTarget, nullptr,
                 [this](ExchangePtr exchange, const Caller& caller) {
                   sagemaker_.handle(std::move(exchange), caller);
                 }});
    router_.add({"sagemaker", Protocol::RestJson, "", api::SageMakerRuntime::serves,
                 [this](ExchangePtr exchange, const Caller&) { inference_.handle(std::move(exchange)); },
                 api::SageMakerRuntime::demands});
    router_.add({"sagemaker", Protocol::RestJson, api::FeatureStoreApi::kTarget, api::FeatureStoreApi::serves,
                 [this](ExchangePtr exchange, const Caller&) { features_.handle(std::move(exchange)); },
                 [this](const http::Request& request) { return features_.demands(request); }});
    router_.add(
        {"sagemaker", Protocol::RestJson, "", api::SageMakerApi::serves_metrics,
         [this](ExchangePtr exchange, const Caller&) { sagemaker_.handle_metrics(std::move(exchange)); },
         api::SageMakerApi::metrics_demands});
  }
  static std::vector<auth::Demand> demand(const char* action) { return {{action, "*"}}; }

  // A home whose metrics can't be opened has said so when its bus was.
  void open_engine_values(const service::Configuration& configuration) {
    const auto metrics = home_.tasks()->data().metrics();
    if (!metrics) return;
    engine_values_ = std::make_unique<service::EngineValues>(
        home_.loop(), **metrics, home_.tasks()->endpoints(), configuration.monitoring.interval);
    observers_.add(engine_values_.get());
  }

  void open_logs(const service::Configuration& configuration, std::unique_ptr<service::LogStore> store) {
    log_writer_ = std::make_unique<service::LogWriter>(std::move(store), clock_, configuration.logs,
                                                       metrics_.registry());
    logs_.emplace(*log_writer_, api::LogsPlace{configuration.engine.region, configuration.engine.account},
                  post(), clock_, service::draw_seed());
    machine_logs_.emplace(*log_writer_);
    observers_.add(&*machine_logs_);
    function_logs_.connect(log_writer_.get());
  }

  const SystemClock clock_;
  service::ServerMetrics& metrics_;
  service::Home& home_;
  service::FunctionLogs& function_logs_;
  auth::Gate gate_;
  api::Router router_;
  api::Service states_;
  api::LambdaApi lambda_;
  api::DynamoApi tables_;
  api::SqsApi queues_;
  api::CloudWatchApi monitoring_;
  api::KinesisApi streams_;
  BusSlot& bus_slot_;
  bus::Bus& bus_;
  api::StreamConsumersApi consumers_;
  api::EventsApi event_bus_;
  api::SchedulerApi scheduler_;
  api::SnsApi topics_;
  api::SageMakerApi sagemaker_;
  api::SageMakerRuntime inference_;
  api::ApprovalsApi approvals_;
  api::FeatureStoreApi features_;
  api::LabelsApi labels_;
  api::LabelLinks label_links_;
  api::StsApi sts_;
  api::S3Api s3_;
  service::OperatorLog operator_log_;
  service::EventStreams events_;
  orchestrator::Retention retention_;
  service::ObserverHub observers_;
  std::unique_ptr<service::EngineValues> engine_values_;
  std::unique_ptr<service::LogWriter> log_writer_;
  std::optional<api::LogsApi> logs_;
  std::optional<service::StateMachineLogs> machine_logs_;
};

// What is known of the home's objects; their events go to the home's log of events.
Result<std::unique_ptr<objects::Catalog>> open_objects(const service::Configuration& configuration,
                                                       service::Home& home, const Clock& clock) {
  objects::Catalog::Settings settings;
  settings.root = std::filesystem::path(home.path()) / "objects";
  settings.path = home.path() + "/objects.db";
  settings.account = configuration.engine.account;
  settings.publish = [tasks = home.tasks()](const std::vector<Json>& entries,
                                            const std::string& name) -> Status {
    MR_TRY(events, tasks->events());
    MR_TRY(answer, events->put({{"Entries", entries}}, name, {}, true));
    const std::int64_t refused = answer.value("FailedEntryCount", std::int64_t{0});
    if (refused > 0) return fail(ErrorCode::Internal, "the log of events refused an event: " + answer.dump());
    return {};
  };
  return objects::Catalog::open(std::move(settings), clock, service::draw_seed());
}

void reload_on_hangup(orchestrator::UvLoop& loop, const std::shared_ptr<http::TlsContext>& tls) {
  if (!tls) return;
  loop.on_signal(SIGHUP, [tls] {
    const Status done = tls->reload();
    if (done) return log::info("the certificate was read again");
    log::error("the certificate can't be read; the one before stays", {{"error", done.error().message}});
  });
}

// Runs the loop until it is told to stop, or the store can't go on.
using StopWith = std::function<void(const Error&)>;
Result<int> run_until_stopped(service::Home& home, http::Server& server,
                              const std::function<void(StopWith)>& begin) {
  orchestrator::UvLoop& loop = home.loop();
  std::optional<Error> error;
  const StopWith stop_with = [&](const Error& cause) {
    if (!error) error = cause;
    loop.stop();
  };
  bool stopping = false;
  const auto stop = [&] {
    if (std::exchange(stopping, true)) std::_Exit(130);
    log::info("stopping: answers what was asked, then ends (once more: at once)");
    server.drain([&] { loop.stop(); });
    home.engine().end_polls();
  };
  for (const int signal : {SIGINT, SIGTERM}) loop.on_signal(signal, stop);
  // A client that is gone is an error of its connection, not the end of the server. Programs of tasks start
  // with every signal as it is by default.
  std::signal(SIGPIPE, SIG_IGN);
  // Without space callers are refused and it goes on when there is some again. Any other error of the store,
  // above all a failed fsync, ends the process: only what is read anew from the disk can be trusted.
  home.engine().on_store_error([&](const Error& cause) {
    if (cause.code != ErrorCode::OutOfSpace) stop_with(cause);
  });
  loop.post([&] { begin(stop_with); });
  loop.run();
  if (error) return fail(*std::move(error));
  return kSucceeded;
}

Result<int> serve(const ServeFlags& flags, const Shared& shared) {
  MR_TRY(configuration, service::load_checked(sources_of(flags, shared)));
  MR_TRY(address, http::parse_address(configuration.listen));
  auth::LiveKeys keys(service::home_path(shared.home));
  MR_DO(keys.refresh());
  MR_DO(check_address(address, keys.required()));
  if (!log::configure(configuration.log))
    return invalid("can't write the log " + configuration.log.file, "see `millrace config explain log.file`");
  MR_TRY(tls, load_tls(configuration));
  if (!tls) warn_of_plain_http(address);
  configuration.http.tls = tls;
  service::ServerMetrics metrics(configuration.metrics);
  configuration.engine.metrics = metrics.engine_metrics();
  configuration.store.metrics = metrics.commit_metrics();
  configuration.http.answered = [&metrics](const http::Request& request, int status,
                                           std::chrono::nanoseconds took) {
    metrics.answered(request, status, took);
  };
  service::HomeOptions home_options;
  home_options.path = service::home_path(shared.home);
  home_options.engine = configuration.engine;
  home_options.store = configuration.store;
  home_options.tasks = configuration.tasks;
  service::FunctionLogs function_logs;
  home_options.tasks.function_host.also_log = [&function_logs](const std::string& function, Instant now,
                                                               std::string_view text) {
    function_logs.write(function, now, text);
  };
  home_options.tasks.metrics = &metrics.registry();
  home_options.tasks.job_log = [&function_logs](std::string_view kind, std::string_view name,
                                                std::int64_t created_ms, std::string_view host, Instant now,
                                                std::string_view line) {
    function_logs.write_job(kind, name, created_ms, host, now, line);
  };
  MR_TRY(home, service::Home::open(std::move(home_options)));
  std::unique_ptr<service::LogStore> log_store;
  if (configuration.logs.enabled) {
    MR_TRY(opened, service::open_log_store(home->path() + "/logs.db"));
    log_store = std::move(opened);
  }
  const SystemClock clock;
  MR_TRY(catalog, open_objects(configuration, *home, clock));
  std::unique_ptr<objects::Watcher> watcher;
  BusSlot bus;
  MR_DO(open_bus(bus, *home, configuration, metrics, *catalog));
  Serving serving(configuration, keys, metrics, *home, function_logs, std::move(log_store), *catalog, bus);
  configuration.http.streams = [](const http::Request& head) {
    const std::string service = api::scope_service(head);
    if (service.empty() && (api::SchedulerApi::serves(head) || api::FeatureStoreApi::serves(head) ||
                            api::LabelsApi::serves(head) || api::StreamConsumersApi::serves_pipes(head) ||
                            api::StreamConsumersApi::serves_mappings(head)))
      return false;
    return (service.empty() || service == "s3") && api::streams_to_s3(head, !service.empty());
  };
  MR_TRY(server, http::listen(home->loop(), address, configuration.http,
                              [&](http::ExchangePtr exchange) { serving.handle(std::move(exchange)); }));
  metrics.watch(home->engine(), *server, home->path());
  reload_on_hangup(home->loop(), tls);
  auto ended = run_until_stopped(*home, *server, [&](const StopWith& stop_with) {
    home->engine().recover([&, stop_with](Result<orchestrator::RecoverySummary> summary) {
      if (!summary) return stop_with(summary.error());
      metrics.recovered(summary->executions);
      serving.start();
      if (configuration.objects.watch)
        watcher = std::make_unique<objects::Watcher>(std::filesystem::path(home->path()) / "objects",
                                                     configuration.objects, *catalog, clock);
      if (summary->executions > 0)
        log::info("taking up unfinished executions", {{"executions", std::to_string(summary->executions)},
                                                      {"with_tasks", std::to_string(summary->tasks)}});
      const std::string url = url_of(address, server->port(), tls != nullptr);
      home->tasks()->approvals().serve_at(url);
      if (const Status written = service::write_serve_file(home->path(), url); !written)
        return stop_with(written.error());
      say_ready(url, home->path(), shared);
    });
  });
  service::remove_serve_file(home->path());
  return ended;
}

}  // namespace

void add_serve(CLI::App& app, const Shared& shared, int& exit_code) {
  CLI::App* command = app.add_subcommand(
      "serve", "Serve state machines, functions, tables, queues, objects, topics and logs to AWS's clients");
  command->fallthrough();
  auto flags = std::make_shared<ServeFlags>();
  add_serve_flags(*command, *flags);
  command->footer(
      "SIGTERM and SIGINT let running answers end; unfinished executions go on at the next start.\n"
      "Examples:\n"
      "  millrace serve --listen 127.0.0.1:8083\n"
      "  aws stepfunctions list-state-machines --endpoint-url http://127.0.0.1:8083");
  command->callback([flags, &shared, &exit_code] {
    const auto code = serve(*flags, shared);
    exit_code = code ? *code : report(code.error(), shared);
  });
}

}  // namespace millrace::cli
