#pragma once
// ServerMetrics: everything a server counts, under Prometheus names; docs/operations.md lists them beside
// AWS's. It is made before the parts that count, and told about them when they are there. Loop thread, but
// for what the committer counts. Labels are bounded: what comes beyond a limit shares the value "other".

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/metrics.h"
#include "orchestrator/committer.h"
#include "orchestrator/engine.h"
#include "service/http/server.h"
#include "service/ops/settings.h"

namespace millrace::service {

class ServerMetrics final : public orchestrator::Observer {
 public:
  explicit ServerMetrics(MetricSettings settings);
  ~ServerMetrics() override;

  metrics::Registry& registry() { return registry_; }
  // Handed to the parts; they point into this object.
  orchestrator::EngineMetrics engine_metrics();
  orchestrator::CommitMetrics commit_metrics();
  void answered(const http::Request& request, int status, std::chrono::nanoseconds took);

  // What is looked up when the text is asked for. Borrowed.
  void watch(const orchestrator::Engine& engine, const http::Server& server, const std::string& home);
  void recovered(std::size_t executions) { running_ += static_cast<std::int64_t>(executions); }

  bool wants(const orchestrator::Observed&) override { return false; }
  void on_step(const orchestrator::Observed& what, const orchestrator::StepTally& tally,
               std::span<const states::Event> events) override;

  static bool serves(const http::Request& request);
  void handle(const http::ExchangePtr& exchange);

 private:
  struct Machine;
  struct Operation;
  Machine& machine(const std::string& name);
  const orchestrator::TaskSeries* tasks(const std::string& resource);

  const MetricSettings settings_;
  metrics::Registry registry_;
  std::int64_t running_ = 0;
  std::unordered_map<std::string, std::unique_ptr<Machine>> machines_;
  std::unordered_map<std::string, std::unique_ptr<orchestrator::TaskSeries>> tasks_;
  std::unordered_map<std::string, std::unique_ptr<Operation>> operations_;
};

// What a Resource is called in labels: "lambda", "activity", "sagemaker:createTrainingJob.sync".
std::string resource_label(std::string_view resource);
// What a request is called in labels: "AWSStepFunctions.StartExecution", "GET /healthz".
std::string operation_label(const http::Request& request);

}  // namespace millrace::service
