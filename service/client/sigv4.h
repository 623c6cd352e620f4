#pragma once
// Signature Version 4 of a POST to the root of a host, which is what AWS JSON services take. Pure; any
// thread. Source: AWS IAM user guide, "Create a signed AWS API request".

#include <string>

#include "base/sigv4.h"
#include "base/time.h"
#include "service/client/credentials.h"

namespace millrace::client {

using Headers = SignedHeaders;
using millrace::SignedFor;

// The headers to add to a request: x-amz-date, authorization and, of temporary credentials,
// x-amz-security-token. Every header in `headers` and the host are signed.
Headers sign_post(const Credentials& credentials, const SignedFor& scope, const std::string& host,
                  const std::string& path, const Headers& headers, std::string_view body, Instant now);

}  // namespace millrace::client
