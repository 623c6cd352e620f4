#include "service/client/local.h"

#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "orchestrator/arns.h"
#include "orchestrator/queries.h"
#include "service/api/library_call.h"
#include "service/api/operations.h"
#include "service/api/sagemaker.h"
#include "service/home.h"
#include "tasks/look_up.h"

namespace millrace::client {
namespace {

// Nothing is carried out while a home is only looked at.
class NoTasks final : public orchestrator::TaskRunner {
 public:
  bool serves(const std::string&) const override { return false; }
  void start(orchestrator::TaskRequest, Report) override {}
  void cancel(const orchestrator::TaskKey&) override {}
};

// What a home that is only looked at consists of, in the order it is made.
struct Looking {
  SystemClock clock;
  std::unique_ptr<orchestrator::UvLoop> loop;
  NoTasks runner;
  std::unique_ptr<orchestrator::Committer> committer;
  std::unique_ptr<orchestrator::Engine> engine;

  static Result<std::unique_ptr<Looking>> open(const std::string& path,
                                               orchestrator::EngineSettings settings) {
    MR_TRY(store, service::open_for_reading(path));
    MR_TRY(last, store->last_execution());
    auto looking = std::make_unique<Looking>();
    looking->loop = orchestrator::make_uv_loop(looking->clock);
    looking->committer = orchestrator::make_committer(std::move(store), *looking->loop);
    looking->engine = std::make_unique<orchestrator::Engine>(*looking->loop, *looking->committer,
                                                             looking->runner, std::move(settings), last);
    return looking;
  }
};

// Region and account of what a home holds already, so that new ARNs are like those of its server.
Result<orchestrator::EngineSettings> settings_like(const std::string& path, Use use) {
  orchestrator::EngineSettings settings;
  std::error_code error;
  if (use != Use::Look && !std::filesystem::exists(std::filesystem::path(path) / "millrace.db", error))
    return settings;
  MR_TRY(store, service::open_for_reading(path));
  MR_TRY(first, store->catalog().machines({}, 1));
  if (first.empty()) return settings;
  if (const auto arn = orchestrator::parse_arn(first[0].arn)) {
    settings.region = arn->region;
    settings.account = arn->account;
    settings.role_arn = "arn:aws:iam::" + arn->account + ":role/millrace";
  }
  return settings;
}

// What the task library calls a service of its own; empty: it has none of that kind.
std::string_view library_service(const AwsService& service) {
  constexpr std::pair<const AwsService*, std::string_view> kServices[] = {
      {&kSageMaker, "sagemaker"}, {&kFeatureStore, "sagemakerfeaturestoreruntime"}, {&kLabels, "labels"}};
  for (const auto& [known, name] : kServices)
    if (known->target == service.target) return name;
  return {};
}

class Local final : public Access {
 public:
  Local(std::string path, std::unique_ptr<Looking> looking)
      : path_(std::move(path)),
        looking_(std::move(looking)),
        loop_(*looking_->loop),
        services_{*looking_->engine, loop_, looking_->runner, Random(service::draw_seed())} {}
  Local(std::string path, std::unique_ptr<service::Home> home)
      : path_(std::move(path)),
        home_(std::move(home)),
        loop_(home_->loop()),
        services_{home_->engine(), loop_, home_->runner(), Random(service::draw_seed())} {
    home_->engine().on_store_error([this](const Error& error) {
      broken_ = error;
      loop_.stop();
    });
  }

  using Access::call;
  Result<Payload> call(const AwsService& service, std::string_view operation, const Payload& input) override {
    if (service.target == kSageMaker.target) return call_sagemaker(operation, input);
    if (const std::string_view library = library_service(service); !library.empty() && home_)
      return call_task_library(std::string(library), operation, input);
    const api::OperationRow* row =
        service.target == kStates.target ? api::find_operation(operation) : nullptr;
    if (!row) {
      return fail(ErrorCode::InvalidArgument, std::string(operation) + " needs a server",
                  "start one with `millrace serve`");
    }
    if (const auto wrong = api::check_input(input.view(), row->input))
      return fail(error_of_aws(wrong->code, wrong->message, wrong->status));
    std::optional<api::Answer> answer;
    loop_.post([&] {
      row->run({services_, input.view(),
                [&](api::Answer given) {
                  answer = std::move(given);
                  loop_.stop();
                },
                [](std::function<void()>) {}, input});
    });
    while (!answer && !broken_) loop_.run();
    if (!answer) return fail(*broken_);
    if (!*answer)
      return fail(error_of_aws(answer->error().code, answer->error().message, answer->error().status));
    return **answer;
  }
  void pause(Millis time) override {
    loop_.post([&] { loop_.at(loop_.clock().now() + time, [this] { loop_.stop(); }); });
    loop_.run();
  }
  std::string where() const override { return "the home " + path_; }
  bool outlives_us() const override { return false; }
  const Clock& clock() const override { return loop_.clock(); }

  Status take_up() {
    std::optional<Result<orchestrator::RecoverySummary>> summary;
    loop_.post([&] {
      services_.engine.recover([&](Result<orchestrator::RecoverySummary> found) {
        summary = std::move(found);
        loop_.stop();
      });
    });
    while (!summary && !broken_) loop_.run();
    if (!summary) return fail(*broken_);
    if (!*summary) return fail(summary->error());
    if ((*summary)->executions > 0)
      std::fprintf(stderr, "taking up %zu unfinished executions of this home\n", (*summary)->executions);
    return {};
  }

 private:
  // Of a home that is only looked at what reads is answered from its records, whoever has it open.
  Result<Payload> call_sagemaker(std::string_view operation, const Payload& input) {
    const api::SageMakerOperation* row = api::find_sagemaker_operation(operation);
    if (!row) return fail(ErrorCode::InvalidArgument, "SageMaker has no operation " + std::string(operation));
    if (const auto wrong = api::check_input(input.view(), row->input, api::PathStyle::LowerFirst))
      return fail(error_of_aws(wrong->code, wrong->message, wrong->status));
    std::optional<Outcome> outcome;
    const std::string name = api::library_operation(operation);
    if (!home_) {
      MR_TRY(looked, tasks::look_up(path_, name, input, loop_.clock()));
      outcome = std::move(looked);
    } else {
      loop_.post([&] {
        home_->tasks()->call("sagemaker", name, input, who_asks(), [&](Outcome answer) {
          outcome = std::move(answer);
          loop_.stop();
        });
      });
      while (!outcome && !broken_) loop_.run();
      if (!outcome) return fail(*broken_);
    }
    if (*outcome) return api::sagemaker_document((**outcome).view());
    const Failure& failure = outcome->error();
    const std::string code = failure.error.substr(failure.error.find('.') + 1);
    return fail(error_of_aws(code, failure.cause, code == "AmazonSageMakerException" ? 500 : 400));
  }

  static std::string who_asks() {
    const char* user = std::getenv("USER");
    return (user && *user ? std::string(user) + ", " : std::string()) + "the command line";
  }

  Result<Payload> call_task_library(const std::string& service, std::string_view operation,
                                    const Payload& input) {
    std::optional<api::Answer> answer;
    loop_.post([&] {
      api::call_library(*home_->tasks(), service, api::library_operation(operation), input,
                        "the command line", [&](api::Answer given) {
                          answer = std::move(given);
                          loop_.stop();
                        });
    });
    while (!answer && !broken_) loop_.run();
    if (!answer) return fail(*broken_);
    if (*answer) return **answer;
    return fail(error_of_aws(answer->error().code, answer->error().message, answer->error().status));
  }

  std::string path_;
  std::unique_ptr<Looking> looking_;
  std::unique_ptr<service::Home> home_;
  orchestrator::UvLoop& loop_;
  api::Services services_;
  std::optional<Error> broken_;
};

}  // namespace

Result<std::unique_ptr<Access>> open_local(const std::string& path, Use use) {
  MR_TRY(settings, settings_like(path, use));
  if (use == Use::Look) {
    MR_TRY(looking, Looking::open(path, std::move(settings)));
    return std::unique_ptr<Access>(std::make_unique<Local>(path, std::move(looking)));
  }
  service::HomeOptions options;
  options.path = path;
  options.engine = std::move(settings);
  MR_TRY(home, service::Home::open(std::move(options)));
  auto local = std::make_unique<Local>(path, std::move(home));
  if (use == Use::Run) MR_DO(local->take_up());
  return std::unique_ptr<Access>(std::move(local));
}

}  // namespace millrace::client
