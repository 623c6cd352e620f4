#pragma once
// FeatureStoreApi: the Feature Store Runtime: REST-JSON over /FeatureGroup/NAME and /BatchGetRecord, and the
// same operations as AWS JSON (X-Amz-Target: AmazonSageMakerFeatureStoreRuntime.…) for `millrace features`.
// Reads are answered where they are read; writes when they are durable. Loop thread only. Source: Feature
// Store Runtime API reference, 2020-07-01; what its clients were seen to send.

#include <functional>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "service/auth/policy.h"
#include "service/http/server.h"
#include "tasks/features/feature_service.h"

namespace millrace::api {

class FeatureStoreApi {
 public:
  static constexpr std::string_view kTarget = "AmazonSageMakerFeatureStoreRuntime.";
  using Post = std::function<void(std::function<void()>)>;  // runs a function on the loop; any thread

  // `features` is borrowed. `seed`: of request ids.
  FeatureStoreApi(tasks::FeatureService& features, std::string account, Post post, std::uint64_t seed)
      : features_(features), account_(std::move(account)), post_(std::move(post)), random_(seed) {}

  static bool serves(const http::Request& request);
  // What the request's caller needs the right to, on the feature groups it names.
  std::vector<auth::Demand> demands(const http::Request& request) const;
  void handle(http::ExchangePtr exchange);

 private:
  tasks::FeatureService& features_;
  const std::string account_;
  const Post post_;
  Random random_;
};

}  // namespace millrace::api
