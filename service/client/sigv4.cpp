#include "service/client/sigv4.h"

#include "base/encoding.h"

namespace millrace::client {

Headers sign_post(const Credentials& credentials, const SignedFor& scope, const std::string& host,
                  const std::string& path, const Headers& headers, std::string_view body, Instant now) {
  const std::string hash = digest_hex(Digest::Sha256, body);
  return sign_request(credentials, scope, {.path = path, .host = host, .payload_hash = hash}, headers, now);
}

}  // namespace millrace::client
