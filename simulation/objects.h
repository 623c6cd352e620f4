#pragma once
// Objects in memory: what distributed Maps read and write in a simulation. One thread.

#include <map>
#include <string>

#include "orchestrator/maps/object_source.h"

namespace millrace::simulation {

class MemoryObjects final : public orchestrator::ObjectSource {
 public:
  using Contents = std::map<std::string, std::string>;  // by "bucket/key"

  MemoryObjects(Contents contents, Instant modified) : contents_(std::move(contents)), modified_(modified) {}
  const Contents& contents() const { return contents_; }

  Result<std::unique_ptr<orchestrator::ByteReader>> open(const std::string& bucket,
                                                         const std::string& key) override;
  Result<orchestrator::ObjectCursor> list(const std::string& bucket, const std::string& prefix) override;
  Result<std::unique_ptr<orchestrator::ByteWriter>> create(const std::string& bucket,
                                                           const std::string& key) override;

 private:
  Contents contents_;
  const Instant modified_;
};

}  // namespace millrace::simulation
