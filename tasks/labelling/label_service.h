#pragma once
// LabelService: the labelling tasks of one home, opened when they are asked for first, or at the start when
// there are some. Any thread.

#include <memory>
#include <mutex>
#include <string>

#include "tasks/labelling/label_store.h"

namespace millrace::tasks {

class LabelService {
 public:
  // `path`: HOME/labels.db. The others are borrowed.
  LabelService(std::string path, Jobs& jobs, const ObjectStore& objects, const Clock& clock)
      : path_(std::move(path)), jobs_(jobs), objects_(objects), clock_(clock) {}

  // Errors: those of opening the file, each time; Unavailable after shut_down().
  Result<LabelStore*> store();
  Status take_up();  // ends what was labelled to its end before a crash
  void shut_down();

 private:
  const std::string path_;
  Jobs& jobs_;
  const ObjectStore& objects_;
  const Clock& clock_;
  std::mutex mutex_;  // over what follows
  bool closed_ = false;
  std::unique_ptr<LabelStore> store_;
};

}  // namespace millrace::tasks
