#include "tasks/features/feature_service.h"

#include <filesystem>

namespace millrace::tasks {

Result<FeatureStore*> FeatureService::store() {
  const std::lock_guard lock(mutex_);
  if (closed_) return fail(ErrorCode::Unavailable, "the engine is going down");
  if (!store_) {
    MR_TRY(opened, FeatureStore::open(path_, settings_, jobs_, objects_, clock_));
    store_ = std::move(opened);
  }
  return store_.get();
}

Status FeatureService::take_up() {
  std::error_code error;
  if (std::filesystem::exists(path_, error)) MR_DO(store());
  return {};
}

void FeatureService::group_changed(std::string_view name, bool removed) {
  std::shared_ptr<FeatureStore> store;
  {
    const std::lock_guard lock(mutex_);
    store = store_;
  }
  if (store) store->group_changed(name, removed);
}

void FeatureService::shut_down() {
  std::shared_ptr<FeatureStore> store;
  const std::lock_guard lock(mutex_);
  closed_ = true;
  store = std::move(store_);
}

}  // namespace millrace::tasks
