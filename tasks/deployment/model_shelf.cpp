#include "tasks/deployment/model_shelf.h"

#include <algorithm>

#include "tasks/deployment/serving.h"

namespace millrace::tasks {
namespace {

std::string shelf_key(const std::vector<std::string>& uris) {
  std::string key;
  for (const std::string& uri : uris) key += uri + "\n";
  return key;
}

}  // namespace

ModelShelf::ModelShelf(const ObjectStore& objects, const Clock& clock, metrics::Registry* registry,
                       Settings settings)
    : objects_(objects), clock_(clock), settings_(settings) {
  if (!registry) return;
  loads_ = &registry->counter("millrace_endpoint_model_loads_total", "Models that requests had loaded");
  unloads_ = &registry->counter("millrace_endpoint_model_unloads_total",
                                "Models that were let go of: idle, or for others");
  models_ = &registry->gauge("millrace_endpoint_models_loaded",
                             "Models of multi-model and serverless endpoints in memory");
  bytes_ = &registry->gauge("millrace_endpoint_models_bytes", "The size of their files");
}

void ModelShelf::count() {
  if (!models_) return;
  std::size_t bytes = 0, models = 0;
  for (const auto& [key, entry] : entries_) bytes += entry.bytes, models += entry.chain != nullptr;
  models_->set(static_cast<double>(models));
  bytes_->set(static_cast<double>(bytes));
}

Status ModelShelf::check(const std::vector<std::string>& uris) const {
  for (const std::string& uri : uris) MR_DO(objects_.list(uri, true));
  return {};
}

Result<ModelShelf::Entry> ModelShelf::load(const std::vector<std::string>& uris) const {
  Entry entry;
  ServingChain chain;
  for (const std::string& uri : uris) {
    MR_TRY(files, objects_.list(uri, true));
    for (const ObjectInfo& file : files) entry.bytes += static_cast<std::size_t>(file.bytes);
    MR_TRY(model, LoadedModel::load(objects_, uri));
    chain.models.push_back(std::move(model));
  }
  entry.chain = std::make_shared<const ServingChain>(std::move(chain));
  return entry;
}

Result<std::shared_ptr<const ServingChain>> ModelShelf::get(const std::vector<std::string>& uris) {
  const std::string key = shelf_key(uris);
  std::unique_lock lock(mutex_);
  for (;;) {
    const auto there = entries_.find(key);
    if (there == entries_.end()) break;
    if (there->second.chain) {
      there->second.used = clock_.uptime();
      return there->second.chain;
    }
    changed_.wait(lock);  // another request loads it
  }
  entries_[key] = {};
  lock.unlock();
  auto loaded = load(uris);
  lock.lock();
  changed_.notify_all();
  if (!loaded) {
    entries_.erase(key);
    return fail(loaded.error());
  }
  if (loads_) loads_->add();
  loaded->used = clock_.uptime();
  const std::shared_ptr<const ServingChain> chain = loaded->chain;
  entries_[key] = *std::move(loaded);
  make_room();
  count();
  return chain;
}

// The newest stays, however large it is.
void ModelShelf::make_room() {
  for (;;) {
    std::size_t bytes = 0, models = 0;
    auto oldest = entries_.end();
    for (auto at = entries_.begin(); at != entries_.end(); ++at) {
      if (!at->second.chain) continue;
      ++models;
      bytes += at->second.bytes;
      if (oldest == entries_.end() || at->second.used < oldest->second.used) oldest = at;
    }
    if (bytes <= settings_.bytes_max || models <= 1) return;
    entries_.erase(oldest);
    if (unloads_) unloads_->add();
  }
}

void ModelShelf::tend() {
  const std::lock_guard lock(mutex_);
  const Millis now = clock_.uptime();
  const std::size_t gone = std::erase_if(entries_, [&](const auto& entry) {
    return entry.second.chain && now - entry.second.used >= settings_.idle_max;
  });
  if (gone > 0 && unloads_) unloads_->add(gone);
  count();
}

std::size_t ModelShelf::loaded() const {
  const std::lock_guard lock(mutex_);
  return static_cast<std::size_t>(std::count_if(
      entries_.begin(), entries_.end(), [](const auto& entry) { return entry.second.chain != nullptr; }));
}

}  // namespace millrace::tasks
