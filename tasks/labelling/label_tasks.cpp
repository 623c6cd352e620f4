#include "tasks/labelling/label_tasks.h"

#include "tasks/labelling/label_service.h"

namespace millrace::tasks {
namespace {

Result<LabelStore*> store_of(const DeferredCall& call) {
  if (!call.labels) return fail(ErrorCode::Unavailable, "there is no store of labels here");
  return call.labels->store();
}

// "putLabels" is PutLabels.
std::string label_operation(std::string_view operation) {
  std::string name(operation);
  name[0] = static_cast<char>(name[0] - 'a' + 'A');
  return name;
}

}  // namespace

void begin_create_labeling_job(DeferredCall call) {
  const auto store = store_of(call);
  if (!store) return call.answer(sagemaker_failure(store.error()));
  (*store)->create({call.arguments, call.key, call.sync, call.cancelled}, std::move(call.answer));
}

void begin_stop_labeling_job(DeferredCall call) {
  const auto store = store_of(call);
  if (!store) return call.answer(sagemaker_failure(store.error()));
  (*store)->stop(call.arguments, std::move(call.answer));
}

void begin_labels(DeferredCall call) {
  const auto store = store_of(call);
  if (!store) return call.answer(service_failure("labels", "InternalFailure", store.error().message));
  (*store)->call({label_operation(call.kind.operation), call.arguments, call.key},
                 [answer = std::move(call.answer)](const ServiceAnswer& given) {
                   if (given) return answer(*given);
                   answer(service_failure("labels", given.error().code, given.error().message));
                 });
}

}  // namespace millrace::tasks
