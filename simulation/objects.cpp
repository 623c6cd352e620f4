#include "simulation/objects.h"

#include <optional>
#include <vector>

#include "orchestrator/maps/text_reader.h"

namespace millrace::simulation {
namespace {

using namespace orchestrator;

class Writer final : public ByteWriter {
 public:
  explicit Writer(std::string& into) : into_(into) {}
  Status write(std::string_view bytes) override {
    text_.append(bytes);
    return {};
  }
  Status finish() override {
    into_ = std::move(text_);
    return {};
  }

 private:
  std::string& into_;
  std::string text_;
};

}  // namespace

Result<std::unique_ptr<ByteReader>> MemoryObjects::open(const std::string& bucket, const std::string& key) {
  const auto found = contents_.find(bucket + "/" + key);
  if (found == contents_.end())
    return fail(ErrorCode::NotFound, "there is no object s3://" + bucket + "/" + key,
                "give it to the test as one of its 'objects'");
  return std::unique_ptr<ByteReader>(std::make_unique<TextReader>(found->second));
}

Result<ObjectCursor> MemoryObjects::list(const std::string& bucket, const std::string& prefix) {
  std::vector<StoredObject> found;
  const auto first = contents_.lower_bound(bucket + "/");
  if (first == contents_.end() || !first->first.starts_with(bucket + "/"))
    return fail(ErrorCode::NotFound, "The specified bucket does not exist: " + bucket);
  for (auto at = first; at != contents_.end() && at->first.starts_with(bucket + "/"); ++at) {
    const std::string key = at->first.substr(bucket.size() + 1);
    if (key.starts_with(prefix)) found.push_back({key, at->second.size(), modified_});
  }
  return ObjectCursor(
      [found = std::move(found), next = std::size_t{0}]() mutable -> Result<std::optional<StoredObject>> {
        if (next == found.size()) return std::optional<StoredObject>();
        return std::optional(found[next++]);
      });
}

Result<std::unique_ptr<ByteWriter>> MemoryObjects::create(const std::string& bucket, const std::string& key) {
  return std::unique_ptr<ByteWriter>(std::make_unique<Writer>(contents_[bucket + "/" + key]));
}

}  // namespace millrace::simulation
