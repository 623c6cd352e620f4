#include "base/sigv4.h"

#include <algorithm>

#include "base/encoding.h"

namespace millrace {

std::string signing_key(std::string_view secret, std::string_view date, std::string_view region,
                        std::string_view service) {
  std::string key = hmac_sha256("AWS4" + std::string(secret), date);
  key = hmac_sha256(key, region);
  key = hmac_sha256(key, service);
  return hmac_sha256(key, "aws4_request");
}

std::string signature_of(std::string_view signing_key, std::string_view string_to_sign) {
  return hex_encode(hmac_sha256(signing_key, string_to_sign));
}

std::string format_basic_time(Instant time) {
  std::string out;
  for (const char c : format_rfc3339(time)) {
    if (c == '.') break;
    if (c != '-' && c != ':') out += c;
  }
  return out + "Z";
}

SignedHeaders sign_request(const SigningCredentials& credentials, const SignedFor& scope,
                           const RequestToSign& request, const SignedHeaders& headers, Instant now) {
  const std::string time = format_basic_time(now), date = time.substr(0, 8);
  SignedHeaders added = {{"x-amz-date", time}};
  if (!credentials.session_token.empty())
    added.emplace_back("x-amz-security-token", credentials.session_token);
  SignedHeaders all = headers;
  all.insert(all.end(), added.begin(), added.end());
  all.emplace_back("host", request.host);
  std::sort(all.begin(), all.end());
  std::string lines, names;
  for (const auto& [name, value] : all) {
    lines += name + ":" + value + "\n";
    names += (names.empty() ? "" : ";") + name;
  }
  std::string canonical;
  for (const std::string_view part :
       {request.method, request.path, request.query, std::string_view(lines), std::string_view(names)})
    canonical.append(part) += '\n';
  canonical += request.payload_hash;
  const std::string where = date + "/" + scope.region + "/" + scope.service + "/aws4_request";
  const std::string to_sign =
      "AWS4-HMAC-SHA256\n" + time + "\n" + where + "\n" + digest_hex(Digest::Sha256, canonical);
  const std::string key = signing_key(credentials.secret_key, date, scope.region, scope.service);
  added.emplace_back("authorization", "AWS4-HMAC-SHA256 Credential=" + credentials.access_key + "/" + where +
                                          ", SignedHeaders=" + names +
                                          ", Signature=" + signature_of(key, to_sign));
  return added;
}

}  // namespace millrace
