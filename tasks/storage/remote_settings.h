#pragma once
// The home's remotes.json: which buckets lie in another store.

#include <filesystem>

#include "base/result.h"
#include "tasks/artifacts/remote_store.h"

namespace millrace::tasks {

// {"buckets": {"prod-data": {"endpoint": "https://…", "region": "…", "bucket": "its-name-there",
// "access_key_id": …, "secret_access_key": …, "session_token": …, "ca_file": …}}, "cache_bytes_max": …, …}.
// Without keys: those of AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; with "anonymous": true none. No file:
// no buckets. InvalidArgument names the file and the member; a file with keys that others can read is
// refused.
Result<RemoteSettings> read_remote_settings(const std::filesystem::path& file,
                                            const SigningCredentials& otherwise);

}  // namespace millrace::tasks
