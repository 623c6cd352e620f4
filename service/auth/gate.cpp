#include "service/auth/gate.h"

#include <algorithm>
#include <cctype>

#include "service/auth/verify.h"

namespace millrace::auth {
namespace {

// Top-level names that nobody can register (RFC 6761, RFC 6762, ICANN's .internal).
constexpr std::string_view kLocalNames[] = {"localhost", "internal", "local", "test", "home", "lan"};

// "engine:8083" and "[::1]:8083" without their ports.
std::string_view host_of(std::string_view authority) {
  if (authority.starts_with('[')) return authority.substr(0, authority.find(']') + 1);
  return authority.substr(0, authority.find(':'));
}

// An address, a name without a dot, or one below a name that is local by definition. "sync-127.0.0.1", as
// clients make of an address, is as good as one: no public name ends in a number.
bool is_local_name(std::string_view host) {
  if (host.empty() || host.starts_with('[')) return true;
  const std::size_t dot = host.rfind('.');
  if (dot == std::string_view::npos) return true;
  const std::string_view last = host.substr(dot + 1);
  const auto digit = [](unsigned char c) { return std::isdigit(c) != 0; };
  if (!last.empty() && std::all_of(last.begin(), last.end(), digit)) return true;
  return std::find(std::begin(kLocalNames), std::end(kLocalNames), last) != std::end(kLocalNames);
}

}  // namespace

std::string suspicion(const http::Request& request, const std::vector<std::string>& host_names) {
  const std::string_view authority = request.header("host"), origin = request.header("origin");
  const std::string host(host_of(authority));
  if (!is_local_name(host) && std::find(host_names.begin(), host_names.end(), host) == host_names.end())
    return "the host name '" + host + "' is not known here: serve with --host-name " + host +
           ", or with keys (millrace keys create NAME)";
  const std::string_view site = request.header("sec-fetch-site");
  const bool foreign_site = !site.empty() && site != "same-origin" && site != "none";
  const bool foreign_origin =
      !origin.empty() &&
      (!origin.ends_with(authority) || !origin.substr(0, origin.size() - authority.size()).ends_with("://"));
  if (foreign_site || foreign_origin) return "requests from web pages of other origins are refused";
  return {};
}

tl::expected<Caller, Refusal> Gate::admit(const http::Request& request, std::string_view service) {
  // What can't be read leaves the keys as they were.
  (void)keys_.refresh();
  if (!keys_.required()) {
    if (std::string why = suspicion(request, settings_.host_names); !why.empty())
      return tl::unexpected<Refusal>(Refusal{Refusal::Kind::NotAllowed, std::move(why)});
    return Caller{settings_.account};
  }
  const auto claim = read_claim(request);
  if (!claim) return tl::unexpected<Refusal>(claim.error());
  const Key* key = keys_.by_id(claim->key_id);
  const VerifyRules rules{service, clock_.now(),
                          service == "s3" ? std::max(settings_.skew, settings_.skew_s3) : settings_.skew};
  // An unknown key takes as long as a wrong signature.
  auto wrong = verify(request, *claim, key ? std::string_view(key->secret) : "nobody's", rules);
  if (!key)
    return tl::unexpected<Refusal>(
        Refusal{Refusal::Kind::UnknownKey, "The security token included in the request is invalid."});
  if (wrong) return tl::unexpected<Refusal>(*std::move(wrong));
  Caller caller{settings_.account, key->name, key->id, key->rights};
  if (caller.rights)
    caller.circumstances = {request.peer, caller.arn(), caller.name, request.secure, clock_.now()};
  if (request.header("x-amz-content-sha256").starts_with("STREAMING-AWS4-HMAC-SHA256-PAYLOAD"))
    caller.chunks = std::make_shared<ChunkSigning>(
        ChunkSigning{signing_key(key->secret, claim->date, claim->region, claim->service), claim->time,
                     claim->scope(), claim->signature});
  return caller;
}

}  // namespace millrace::auth
