#pragma once
// One request to another S3-compatible store, signed and sent, its answer to a file or to memory. Blocks; any
// thread (each keeps its connection). libcurl is used in the source of this file only, beside the transfers
// of tasks/integrations/http.

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/sigv4.h"

namespace millrace::tasks {

// A bucket of another store and how it is reached.
struct RemoteBucket {
  std::string endpoint;  // "https://s3.eu-central-1.amazonaws.com", without a path
  std::string bucket;    // its name there
  std::string region = "us-east-1";
  SigningCredentials credentials = {};  // without an access key: requests are not signed
  std::string ca_file = {};             // certificates to trust instead of the system's
};

struct RemoteCall {
  std::string_view method = "GET";
  std::string_view key = {};
  std::vector<std::pair<std::string, std::string>> query = {};  // plain; sorted and encoded here
  SignedHeaders headers = {};                                   // names in lower case
  const std::filesystem::path* upload = nullptr;                // the body
  std::string_view body = {};                                   // or this
  const std::filesystem::path* download =
      nullptr;  // where the body of a 2xx answer goes; made or replaced, not synced
};

struct RemoteAnswer {
  int status = 0;
  std::string etag, last_modified;
  std::string body;  // at most kRemoteTextBytesMax
};
inline constexpr std::size_t kRemoteTextBytesMax = 16u << 20;

// Any answer of HTTP is an answer. Unavailable: not reached, broken off, nothing came for `idle_seconds`.
// OutOfSpace, NotFound of local files.
Result<RemoteAnswer> call_remote(const RemoteBucket& bucket, const RemoteCall& call, Instant now,
                                 int idle_seconds);

}  // namespace millrace::tasks
