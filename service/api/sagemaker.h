#pragma once
// SageMakerApi: SageMaker's own API: AWS JSON 1.1, X-Amz-Target SageMaker.…, and the two operations of
// SageMaker Metrics in their REST form. The operations are the task library's; here are the shapes of
// requests, the times (the library has milliseconds, the protocol seconds) and the names of errors. Loop
// thread only. Source: SageMaker API reference, 2017-07-24; what its clients were seen to send.

#include <span>
#include <string_view>

#include "base/random.h"
#include "service/api/call.h"
#include "service/api/shapes.h"
#include "service/http/server.h"
#include "tasks/runner.h"

namespace millrace::api {

struct SageMakerOperation {
  std::string_view name;  // "CreateTrainingJob"
  std::span<const Member> input;
};
std::span<const SageMakerOperation> sagemaker_operations();  // sorted by name

class SageMakerApi {
 public:
  static constexpr std::string_view kTarget = "SageMaker.";

  // `library` is borrowed. `seed`: of request ids.
  SageMakerApi(tasks::TaskLibraryRunner& library, std::uint64_t seed) : library_(library), random_(seed) {}
  void handle(http::ExchangePtr exchange, const auth::Caller& caller);

  // PUT /BatchPutMetrics and POST /BatchGetMetrics.
  static bool serves_metrics(const http::Request& request);
  static std::vector<auth::Demand> metrics_demands(const http::Request& request);
  void handle_metrics(http::ExchangePtr exchange);

 private:
  tasks::TaskLibraryRunner& library_;
  Random random_;
};

}  // namespace millrace::api
