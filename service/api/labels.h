#pragma once
// LabelsApi: what people are to label and what they say: GET /v1/labels, GET and POST /v1/labels/TASK in JSON
// (labels also as CSV), and the same operations as AWS JSON (X-Amz-Target: MillraceLabels.…) for `millrace
// label`. Tasks are labelling jobs of SageMaker's API. Loop thread only. Source: docs/labelling.md.

#include <functional>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "service/auth/policy.h"
#include "service/http/server.h"
#include "tasks/labelling/label_service.h"

namespace millrace::api {

class LabelsApi {
 public:
  static constexpr std::string_view kTarget = "MillraceLabels.";
  using Post = std::function<void(std::function<void()>)>;  // runs a function on the loop; any thread

  // `labels` is borrowed. `seed`: of request ids.
  LabelsApi(tasks::LabelService& labels, Post post, std::uint64_t seed)
      : labels_(labels), post_(std::move(post)), random_(seed) {}

  static bool serves(const http::Request& request);
  // What the request's caller needs the right to.
  static std::vector<auth::Demand> demands(const http::Request& request);
  void handle(http::ExchangePtr exchange);

 private:
  tasks::LabelService& labels_;
  const Post post_;
  Random random_;
};

}  // namespace millrace::api
