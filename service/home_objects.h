#pragma once
// The home's object store as map runs use it: HOME/objects/bucket/key, read, listed and written in pieces.

#include <memory>

#include "orchestrator/maps/object_source.h"
#include "tasks/artifacts/object_store.h"

namespace millrace::service {

// `root` is HOME/objects.
std::unique_ptr<orchestrator::ObjectSource> make_home_objects(const std::filesystem::path& root);

}  // namespace millrace::service
