#include "simulation/objects.h"

#include <algorithm>
#include <optional>
#include <vector>

namespace millrace::simulation {
namespace {

using namespace orchestrator;

class Reader final : public ByteReader {
 public:
  explicit Reader(std::string text) : text_(std::move(text)) {}
  Result<std::size_t> read(char* into, std::size_t most) override {
    const std::size_t count = text_.copy(into, most, at_);
    at_ += count;
    return count;
  }
  Result<std::uint64_t> size() override { return std::uint64_t{text_.size()}; }
  Status seek(std::uint64_t offset) override {
    at_ = static_cast<std::size_t>(std::min<std::uint64_t>(offset, text_.size()));
    return {};
  }

 private:
  const std::string text_;
  std::size_t at_ = 0;
};

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
  return std::unique_ptr<ByteReader>(std::make_unique<Reader>(found->second));
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
