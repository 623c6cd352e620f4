#include "tasks/artifacts/sent_objects.h"

#include <map>

namespace millrace::tasks {

void SentObjects::add(SentObject object) {
  const std::lock_guard lock(mutex_);
  kept_.push_back(std::move(object));
  ++count_;
  if (kept_.size() > kSentObjectsKept) kept_.pop_front();
}

std::uint64_t SentObjects::count() const {
  const std::lock_guard lock(mutex_);
  return count_;
}

std::optional<std::vector<SentObject>> SentObjects::since(std::uint64_t mark, const std::string& uri) const {
  std::string plain = uri;
  while (plain.ends_with('/')) plain.pop_back();
  const std::lock_guard lock(mutex_);
  const std::uint64_t first = count_ - kept_.size();  // the number of the oldest that is kept
  if (mark < first) return std::nullopt;
  std::map<std::string, SentObject> newest;
  for (std::uint64_t number = mark; number < count_; ++number) {
    const SentObject& object = kept_[number - first];
    if (object.uri == plain || object.uri.starts_with(plain + "/")) newest[object.uri] = object;
  }
  std::vector<SentObject> out;
  for (auto& [name, object] : newest) out.push_back(std::move(object));
  return out;
}

}  // namespace millrace::tasks
