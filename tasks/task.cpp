#include "tasks/task.h"

namespace millrace::tasks {

Result<FeatureStore*> TaskContext::features() {
  return fail(ErrorCode::Unavailable, "there is no feature store here");
}

tl::unexpected<Failure> sagemaker_failure(std::string_view code, std::string cause) {
  return failed("SageMaker." + std::string(code), std::move(cause));
}

}  // namespace millrace::tasks
