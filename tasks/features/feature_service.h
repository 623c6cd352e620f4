#pragma once
// FeatureService: the feature store of one home, opened when it is asked for first, or at the start when
// there is one. Any thread.

#include <memory>
#include <mutex>
#include <string>

#include "tasks/features/feature_store.h"

namespace millrace::tasks {

class FeatureService {
 public:
  // `path`: HOME/features.db. The others are borrowed.
  FeatureService(std::string path, FeatureStore::Settings settings, Jobs& jobs, const ObjectStore& objects,
                 const Clock& clock)
      : path_(std::move(path)), settings_(settings), jobs_(jobs), objects_(objects), clock_(clock) {}

  // Errors: those of opening the file (DataLoss when it is damaged), each time; Unavailable after
  // shut_down().
  Result<FeatureStore*> store();
  // Opens a store that an earlier process left, so that what it did not write to files is written.
  Status take_up();
  void group_changed(std::string_view name, bool removed);
  void shut_down();

 private:
  const std::string path_;
  const FeatureStore::Settings settings_;
  Jobs& jobs_;
  const ObjectStore& objects_;
  const Clock& clock_;
  std::mutex mutex_;  // over what follows
  bool closed_ = false;
  std::shared_ptr<FeatureStore> store_;
};

}  // namespace millrace::tasks
