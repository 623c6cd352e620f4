#include "service/auth/signature.h"

#include <algorithm>
#include <charconv>

#include "base/encoding.h"
#include "base/text.h"

namespace millrace::auth {
namespace {

constexpr std::string_view kAlgorithm = "AWS4-HMAC-SHA256";
constexpr std::string_view kTerminator = "aws4_request";
constexpr std::size_t kSignedHeadersMax = 128;

tl::unexpected<Refusal> incomplete(std::string message) {
  return tl::unexpected<Refusal>(Refusal{Refusal::Kind::Incomplete, std::move(message)});
}
tl::unexpected<Refusal> wrong_scope(std::string message) {
  return tl::unexpected<Refusal>(Refusal{Refusal::Kind::WrongScope, std::move(message)});
}

// Each segment by itself: a "%2F" in a name stays different from a '/'. S3 encodes once, so what is encoded
// on the wire is decoded first; the others encode what came, a second time.
std::string canonical_path(std::string_view path, bool s3) {
  const std::string normal = s3 ? std::string(path) : normal_path(path);
  std::string out;
  for (const std::string_view segment : split(normal, '/')) {
    if (!out.empty() || segment.data() != normal.data()) out += '/';
    out += percent_encode(s3 ? percent_decode(segment) : std::string(segment));
  }
  return out;
}

struct Parameter {
  std::string name, value;  // decoded
};

std::vector<Parameter> parameters_of(std::string_view query) {
  std::vector<Parameter> found;
  if (query.empty()) return found;
  for (const std::string_view pair : split(query, '&')) {
    if (pair.empty()) continue;
    const std::size_t equals = pair.find('=');
    found.push_back({percent_decode(pair.substr(0, equals)),
                     equals == std::string_view::npos ? "" : percent_decode(pair.substr(equals + 1))});
  }
  return found;
}

std::string canonical_query(const http::Request& request, bool presigned) {
  std::vector<std::pair<std::string, std::string>> encoded;
  for (const Parameter& parameter : parameters_of(request.query)) {
    if (presigned && parameter.name == "X-Amz-Signature") continue;
    encoded.emplace_back(percent_encode(parameter.name), percent_encode(parameter.value));
  }
  std::sort(encoded.begin(), encoded.end());
  std::string out;
  for (const auto& [name, value] : encoded)
    out.append(out.empty() ? "" : "&").append(name).append("=").append(value);
  return out;
}

// Outer blanks cut, inner runs of them one.
std::string canonical_value(std::string_view value) {
  std::string out;
  bool blank = false;
  for (const char c : value) {
    if (c == ' ' || c == '\t') {
      blank = !out.empty();
      continue;
    }
    if (std::exchange(blank, false)) out += ' ';
    out += c;
  }
  return out;
}

std::string joined_values(const http::Request& request, std::string_view name) {
  std::string out;
  bool first = true;
  for (const http::Header& header : request.headers) {
    if (header.name != name) continue;
    if (!std::exchange(first, false)) out += ',';
    out += canonical_value(header.value);
  }
  return out;
}

std::string join(const std::vector<std::string>& names) {
  std::string out;
  for (const std::string& name : names) out.append(out.empty() ? "" : ";").append(name);
  return out;
}

bool is_signature(std::string_view text) {
  return text.size() == 64 && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

tl::expected<void, Refusal> read_credential(SignedClaim& claim, std::string_view credential) {
  const auto parts = split(credential, '/');
  if (parts.size() != 5 || parts[0].empty())
    return incomplete(
        "Credential must have exactly 5 slash-delimited elements, e.g. "
        "keyid/date/region/service/term, got '" +
        std::string(credential) + "'");
  if (parts[4] != kTerminator)
    return wrong_scope("Credential should be scoped with a valid terminator: 'aws4_request', not '" +
                       std::string(parts[4]) + "'.");
  claim.key_id = parts[0], claim.date = parts[1], claim.region = parts[2], claim.service = parts[3];
  return {};
}

// Lower case, in order, each once.
tl::expected<void, Refusal> read_signed_headers(SignedClaim& claim, std::string_view text) {
  for (const std::string_view name : split(text, ';')) {
    const bool lower = std::none_of(name.begin(), name.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
    const bool after = claim.headers.empty() || claim.headers.back() < name;
    if (name.empty() || !lower || !after || claim.headers.size() == kSignedHeadersMax)
      return incomplete("SignedHeaders must be names in lower case, sorted, each once, got '" +
                        std::string(text) + "'");
    claim.headers.emplace_back(name);
  }
  return {};
}

tl::expected<void, Refusal> read_time(SignedClaim& claim, std::string_view text) {
  const auto at = parse_basic_time(text);
  if (!at)
    return incomplete("Date must be in ISO-8601 'basic format'. Got '" + std::string(text) +
                      "'. See http://en.wikipedia.org/wiki/ISO_8601");
  claim.time = text;
  claim.at = *at;
  if (claim.date != text.substr(0, 8))
    return wrong_scope(
        "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '" +
        claim.date + "' != '" + std::string(text.substr(0, 8)) + "', from '" + std::string(text) + "'.");
  return {};
}

// The parts of a claim, wherever they stood; null: it is not there.
struct ClaimParts {
  std::optional<std::string> credential, headers, signature, time;
};

tl::expected<SignedClaim, Refusal> claim_of(const ClaimParts& parts, std::string_view prefix,
                                            std::string_view no_time) {
  std::string missing;
  const auto need = [&](const std::optional<std::string>& part, std::string_view name) {
    if (!part)
      missing.append(missing.empty() ? "" : " ")
          .append(prefix)
          .append(" '")
          .append(name)
          .append("' parameter.");
  };
  const bool query = prefix.starts_with("AWS query");
  need(parts.credential, query ? "X-Amz-Credential" : "Credential");
  need(parts.signature, query ? "X-Amz-Signature" : "Signature");
  need(parts.headers, query ? "X-Amz-SignedHeaders" : "SignedHeaders");
  if (!parts.time) missing.append(missing.empty() ? "" : " ").append(no_time);
  if (!missing.empty()) return incomplete(missing);
  SignedClaim claim;
  if (auto ok = read_credential(claim, *parts.credential); !ok) return tl::unexpected<Refusal>(ok.error());
  if (auto ok = read_signed_headers(claim, *parts.headers); !ok) return tl::unexpected<Refusal>(ok.error());
  if (!is_signature(*parts.signature))
    return incomplete("Signature must be 64 lower-case hexadecimal digits");
  claim.signature = *parts.signature;
  if (auto ok = read_time(claim, *parts.time); !ok) return tl::unexpected<Refusal>(ok.error());
  return claim;
}

tl::expected<SignedClaim, Refusal> read_header_claim(const http::Request& request, std::string_view text) {
  const std::size_t blank = text.find(' ');
  if (text.substr(0, blank) != kAlgorithm)
    return incomplete("Unsupported AWS 'algorithm': '" + std::string(text.substr(0, blank)) +
                      "'; it is AWS4-HMAC-SHA256");
  ClaimParts parts;
  if (blank != std::string_view::npos) {
    for (std::string_view part : split(text.substr(blank + 1), ',')) {
      while (part.starts_with(' ')) part.remove_prefix(1);
      const std::size_t equals = part.find('=');
      const std::string_view name = part.substr(0, equals);
      std::optional<std::string>* const slot = name == "Credential"      ? &parts.credential
                                               : name == "SignedHeaders" ? &parts.headers
                                               : name == "Signature"     ? &parts.signature
                                                                         : nullptr;
      if (!slot || *slot || equals == std::string_view::npos)
        return incomplete("Authorization header has an invalid or doubled part: '" + std::string(name) + "'");
      *slot = part.substr(equals + 1);
    }
  }
  std::string time = joined_values(request, "x-amz-date");
  if (time.empty()) time = joined_values(request, "date");
  if (!time.empty()) parts.time = std::move(time);
  return claim_of(parts, "Authorization header requires",
                  "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.");
}

tl::expected<SignedClaim, Refusal> read_query_claim(const http::Request& request) {
  ClaimParts parts;
  std::optional<std::string> algorithm, expires;
  for (const Parameter& parameter : parameters_of(request.query)) {
    const std::string& name = parameter.name;
    std::optional<std::string>* const slot = name == "X-Amz-Algorithm"       ? &algorithm
                                             : name == "X-Amz-Credential"    ? &parts.credential
                                             : name == "X-Amz-Date"          ? &parts.time
                                             : name == "X-Amz-Expires"       ? &expires
                                             : name == "X-Amz-SignedHeaders" ? &parts.headers
                                             : name == "X-Amz-Signature"     ? &parts.signature
                                                                             : nullptr;
    if (!slot) continue;
    if (*slot) return incomplete("The parameter '" + name + "' stands in the query more than once");
    *slot = parameter.value;
  }
  if (algorithm != kAlgorithm) return incomplete("X-Amz-Algorithm only supports \"AWS4-HMAC-SHA256\"");
  auto claim = claim_of(parts, "AWS query-string parameters must include",
                        "AWS query-string parameters must include 'X-Amz-Date'.");
  if (!claim) return claim;
  const std::string text = expires.value_or("");
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), claim->expires_seconds);
  if (text.empty() || error != std::errc() || end != text.data() + text.size() ||
      claim->expires_seconds < 1 || claim->expires_seconds > 604'800)
    return incomplete("X-Amz-Expires must be a number of seconds, 1 to 604800, got '" + text + "'");
  claim->presigned = true;
  return claim;
}

}  // namespace

tl::expected<SignedClaim, Refusal> read_claim(const http::Request& request) {
  std::size_t headers = 0;
  std::string_view authorization;
  for (const http::Header& header : request.headers) {
    if (header.name != "authorization") continue;
    ++headers;
    authorization = header.value;
  }
  const auto parameters = parameters_of(request.query);
  const bool query = std::any_of(parameters.begin(), parameters.end(), [](const Parameter& parameter) {
    return parameter.name == "X-Amz-Algorithm" || parameter.name == "X-Amz-Credential" ||
           parameter.name == "X-Amz-Signature";
  });
  if (headers + query > 1)
    return incomplete(
        "Only one authentication is allowed: one Authorization header, or X-Amz-Algorithm and "
        "its companions in the query");
  if (query) return read_query_claim(request);
  // What clients of S3 still make of a URL for us-east-1, unless they are told otherwise.
  const bool second = std::any_of(parameters.begin(), parameters.end(), [](const Parameter& parameter) {
    return parameter.name == "AWSAccessKeyId";
  });
  if (second && authorization.empty())
    return incomplete(
        "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256: "
        "signature_version s3v4 in the client's settings, or another region than us-east-1");
  if (authorization.empty())
    return tl::unexpected<Refusal>(Refusal{Refusal::Kind::Missing, "Missing Authentication Token"});
  return read_header_claim(request, authorization);
}

std::string canonical_request(const http::Request& request, const SignedClaim& claim,
                              std::string_view payload_hash, bool s3) {
  std::string out = request.method + "\n" + canonical_path(request.path, s3) + "\n" +
                    canonical_query(request, claim.presigned) + "\n";
  for (const std::string& name : claim.headers) {
    out.append(name).append(":").append(joined_values(request, name)).append("\n");
  }
  return out.append("\n").append(join(claim.headers)).append("\n").append(payload_hash);
}

std::string string_to_sign(const SignedClaim& claim, std::string_view canonical) {
  return std::string(kAlgorithm) + "\n" + claim.time + "\n" + claim.scope() + "\n" +
         digest_hex(Digest::Sha256, canonical);
}

std::string normal_path(std::string_view path) {
  std::vector<std::string_view> kept;
  for (const std::string_view segment : split(path, '/')) {
    if (segment.empty() || segment == ".") continue;
    if (segment != "..")
      kept.push_back(segment);
    else if (!kept.empty())
      kept.pop_back();
  }
  std::string out;
  for (const std::string_view segment : kept) out.append("/").append(segment);
  const bool folder = path.ends_with('/') || path.ends_with("/.") || path.ends_with("/..");
  return out.empty() || folder ? out + "/" : out;
}

std::optional<Instant> parse_basic_time(std::string_view text) {
  if (text.size() != 16 || text[8] != 'T' || text[15] != 'Z') return std::nullopt;
  std::string extended(text.substr(0, 4));
  extended.append("-").append(text.substr(4, 2)).append("-").append(text.substr(6, 2));
  extended.append("T").append(text.substr(9, 2)).append(":").append(text.substr(11, 2));
  extended.append(":").append(text.substr(13, 2)).append("Z");
  const auto at = parse_rfc3339(extended);
  // A leap second is a time, too, but of no signer.
  return at && format_basic_time(*at) == text ? at : std::nullopt;
}

}  // namespace millrace::auth
