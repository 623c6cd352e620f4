#pragma once
// Signature Version 4: how a request to an AWS service is signed; who checks signatures uses the same parts.
// Pure; any thread. Source: AWS, "Create a signed AWS API request".

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/time.h"

namespace millrace {

struct SigningCredentials {
  std::string access_key, secret_key;
  std::string session_token = {};  // of temporary ones
};

struct SignedFor {
  std::string region, service;  // "us-east-1", "states"
};

using SignedHeaders = std::vector<std::pair<std::string, std::string>>;  // names in lower case

struct RequestToSign {
  std::string_view method = "POST";
  std::string_view path = "/";  // percent-encoded
  std::string_view query = {};  // sorted by name, names and values encoded: "list-type=2&prefix=a%2Fb"
  std::string_view host;
  std::string_view payload_hash;  // hexadecimal SHA-256 of the body, or "UNSIGNED-PAYLOAD"
};

// The headers to add to a request: x-amz-date, authorization and, of temporary credentials,
// x-amz-security-token. Every header in `headers` and the host are signed.
SignedHeaders sign_request(const SigningCredentials& credentials, const SignedFor& scope,
                           const RequestToSign& request, const SignedHeaders& headers, Instant now);

std::string signing_key(std::string_view secret, std::string_view date, std::string_view region,
                        std::string_view service);  // 32 bytes
std::string signature_of(std::string_view signing_key, std::string_view string_to_sign);
std::string format_basic_time(Instant time);  // "20150830T123600Z", whole seconds

}  // namespace millrace
