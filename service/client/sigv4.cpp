#include "service/client/sigv4.h"

#include <algorithm>

#include "base/encoding.h"
#include "service/auth/signature.h"

namespace millrace::client {
Headers sign_post(const Credentials& credentials, const SignedFor& scope, const std::string& host,
                  const std::string& path, const Headers& headers, std::string_view body, Instant now) {
  const std::string time = auth::format_basic_time(now), date = time.substr(0, 8);
  Headers added = {{"x-amz-date", time}};
  if (!credentials.session_token.empty())
    added.emplace_back("x-amz-security-token", credentials.session_token);
  Headers all = headers;
  all.insert(all.end(), added.begin(), added.end());
  all.emplace_back("host", host);
  std::sort(all.begin(), all.end());
  std::string lines, names;
  for (const auto& [name, value] : all) {
    lines += name + ":" + value + "\n";
    names += (names.empty() ? "" : ";") + name;
  }
  const std::string request =
      "POST\n" + path + "\n\n" + lines + "\n" + names + "\n" + digest_hex(Digest::Sha256, body);
  const std::string where = date + "/" + scope.region + "/" + scope.service + "/aws4_request";
  const std::string to_sign =
      "AWS4-HMAC-SHA256\n" + time + "\n" + where + "\n" + digest_hex(Digest::Sha256, request);
  const std::string key = auth::signing_key(credentials.secret_key, date, scope.region, scope.service);
  added.emplace_back("authorization", "AWS4-HMAC-SHA256 Credential=" + credentials.access_key + "/" + where +
                                          ", SignedHeaders=" + names +
                                          ", Signature=" + auth::signature_of(key, to_sign));
  return added;
}

}  // namespace millrace::client
