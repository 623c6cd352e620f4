#pragma once
// ModelShelf: models that are loaded when a request needs them and let go of when they were not asked for
// some time, or when others need the memory: what multi-model and serverless endpoints serve from. Least
// recently used first out; the size of a model is that of its files. One that is in use stays until its
// requests are done. Any thread; the same model is loaded once, different ones at the same time.

#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/metrics.h"
#include "base/result.h"
#include "tasks/artifacts/object_store.h"

namespace millrace::tasks {

struct ServingChain;

class ModelShelf {
 public:
  struct Settings {
    std::size_t bytes_max = std::size_t{1} << 30;
    Millis idle_max{300'000};
  };
  // Borrowed; the registry may be null.
  ModelShelf(const ObjectStore& objects, const Clock& clock, metrics::Registry* registry, Settings settings);

  // The models at those URIs in sequence. NotFound; DataLoss.
  Result<std::shared_ptr<const ServingChain>> get(const std::vector<std::string>& uris);
  // Whether there is something at each. NotFound.
  Status check(const std::vector<std::string>& uris) const;
  void tend();  // lets go of what nobody asked for
  std::size_t loaded() const;

 private:
  struct Entry {
    std::shared_ptr<const ServingChain> chain;  // null: it is being loaded
    std::size_t bytes = 0;
    Millis used{0};
  };
  Result<Entry> load(const std::vector<std::string>& uris) const;
  void make_room();  // with mutex_ held
  void count();      // the same

  const ObjectStore& objects_;
  const Clock& clock_;
  const Settings settings_;
  metrics::Counter *loads_ = nullptr, *unloads_ = nullptr;
  metrics::Gauge *models_ = nullptr, *bytes_ = nullptr;
  mutable std::mutex mutex_;  // over what follows
  std::condition_variable changed_;
  std::map<std::string, Entry> entries_;  // by their URIs
};

}  // namespace millrace::tasks
