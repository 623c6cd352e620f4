#pragma once
// ObjectSource: the object store as map runs need it: read and written in pieces, never whole.
// Implementations are used from one background thread at a time.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"

namespace millrace::orchestrator {

class ByteReader {
 public:
  virtual ~ByteReader() = default;
  // Up to `most` bytes; 0 at the end.
  virtual Result<std::size_t> read(char* into, std::size_t most) = 0;
  // Of the whole object; and where the next read() begins. For formats that begin at their end.
  virtual Result<std::uint64_t> size() { return from_beginning_only(); }
  virtual Status seek(std::uint64_t) { return from_beginning_only(); }

 private:
  static tl::unexpected<Error> from_beginning_only() {
    return fail(ErrorCode::InvalidArgument, "the object can be read from its beginning only");
  }
};

// What is written appears as a whole with finish(), or not at all.
class ByteWriter {
 public:
  virtual ~ByteWriter() = default;
  virtual Status write(std::string_view bytes) = 0;
  virtual Status finish() = 0;  // once
};

struct StoredObject {
  std::string key;
  std::uint64_t bytes = 0;
  Instant modified;
};
// Gives the next object, or nothing at the end.
using ObjectCursor = std::function<Result<std::optional<StoredObject>>()>;

class ObjectSource {
 public:
  virtual ~ObjectSource() = default;
  virtual Result<std::unique_ptr<ByteReader>> open(const std::string& bucket, const std::string& key) = 0;
  // The objects whose key begins with the prefix, in order of their keys. NotFound when there is no such
  // bucket.
  virtual Result<ObjectCursor> list(const std::string& bucket, const std::string& prefix) = 0;
  virtual Result<std::unique_ptr<ByteWriter>> create(const std::string& bucket, const std::string& key) = 0;
};

}  // namespace millrace::orchestrator
