#include "tasks/labelling/label_service.h"

#include <filesystem>

namespace millrace::tasks {

Result<LabelStore*> LabelService::store() {
  const std::lock_guard lock(mutex_);
  if (closed_) return fail(ErrorCode::Unavailable, "the engine is going down");
  if (!store_) {
    MR_TRY(opened, LabelStore::open(path_, jobs_, objects_, clock_));
    store_ = std::move(opened);
  }
  return store_.get();
}

Status LabelService::take_up() {
  std::error_code error;
  if (std::filesystem::exists(path_, error)) MR_DO(store());
  return {};
}

void LabelService::shut_down() {
  std::unique_ptr<LabelStore> store;
  const std::lock_guard lock(mutex_);
  closed_ = true;
  store = std::move(store_);
}

}  // namespace millrace::tasks
