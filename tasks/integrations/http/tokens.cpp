#include "tasks/integrations/http/tokens.h"

#include <utility>

#include "base/encoding.h"
#include "base/payload.h"
#include "tasks/integrations/http/form.h"

namespace millrace::tasks {
namespace {

constexpr Millis kDefaultLife{3'600'000}, kSafety{60'000};
constexpr std::size_t kAnswerBytesMax = 64 * 1024;

std::string form_of(const std::vector<ConnectionParameter>& parameters, std::string form) {
  for (const ConnectionParameter& parameter : parameters)
    form += (form.empty() ? "" : "&") + percent_encode(parameter.key) + "=" + percent_encode(parameter.value);
  return form;
}

HttpRequest token_request(const Connection& connection) {
  bool names_grant = false;
  for (const ConnectionParameter& parameter : connection.token.body)
    names_grant |= parameter.key == "grant_type";
  const std::string grant = names_grant ? "" : "grant_type=client_credentials";
  HttpRequest request;
  request.method = connection.token_method;
  request.url = connection.token_endpoint;
  request.body_bytes_max = kAnswerBytesMax;
  request.headers = {
      {"Authorization", "Basic " + base64_encode(connection.user + ":" + connection.password)},
      {"Accept", "application/json"},
      {"User-Agent", "Millrace"},
  };
  for (const ConnectionParameter& header : connection.token.headers) {
    std::erase_if(request.headers, [&](const HttpHeader& h) { return h.name == header.key; });
    request.headers.push_back({header.key, header.value});
  }
  std::string query = form_of(connection.token.query, "");
  const std::string form = form_of(connection.token.body, grant);
  if (request.method == "GET") {
    query += (query.empty() || form.empty() ? "" : "&") + form;
  } else {
    request.has_body = true;
    request.body = form;
    request.headers.push_back({"Content-Type", "application/x-www-form-urlencoded"});
  }
  if (!query.empty()) request.url += (request.url.find('?') == std::string::npos ? "?" : "&") + query;
  return request;
}

struct Token {
  std::string text;
  Millis life;
};

// What the endpoint says may hold secrets, so only its status is repeated.
Result<Token> read_token(const TransferAnswer& answer) {
  const auto refused = [](std::string why) {
    return fail(ErrorCode::Unavailable, "the authorization endpoint gave no token: " + std::move(why));
  };
  if (answer.end != TransferAnswer::End::Answered) return refused(answer.problem);
  if (answer.status < 200 || answer.status > 299)
    return refused("HTTP status " + std::to_string(answer.status));
  const auto parsed = Payload::parse(answer.body);
  if (!parsed || !parsed->view().is_object()) return refused("its answer is no JSON object");
  const JsonView token = parsed->view().find("access_token");
  if (!token || !token.is_string() || token.string().empty())
    return refused("its answer has no access_token");
  for (const char c : token.string())
    if (static_cast<unsigned char>(c) < 0x21 || c == 0x7F)
      return refused("its access_token can't stand in a header");
  const JsonView seconds = parsed->view().find("expires_in");
  const auto life = seconds && seconds.is_number() ? seconds.integer() : std::nullopt;
  return Token{token.string(), life && *life > 0 && *life < 31'536'000 ? Millis(*life * 1000) : kDefaultLife};
}

}  // namespace

void OAuthTokens::get(const Connection& connection, Reply reply) {
  {
    std::unique_lock lock(mutex_);
    Entry& entry = entries_[connection.arn];
    if (entry.version != connection.version && !entry.asked) {
      entry.version = connection.version;
      entry.token.clear();
    }
    if (!entry.token.empty() && entry.version == connection.version && clock_.uptime() < entry.expires) {
      const std::string token = entry.token;
      lock.unlock();
      return reply(token);
    }
    entry.waiting.push_back(std::move(reply));
    if (std::exchange(entry.asked, true)) return;
    entry.version = connection.version;
  }
  transfers_.send(token_request(connection),
                  [this, arn = connection.arn, version = connection.version](TransferAnswer answer) {
                    take(arn, version, std::move(answer));
                  });
}

void OAuthTokens::take(const std::string& arn, std::uint64_t version, TransferAnswer answer) {
  Result<Token> token = read_token(answer);
  std::vector<Reply> waiting;
  {
    const std::lock_guard lock(mutex_);
    Entry& entry = entries_[arn];
    entry.asked = false;
    entry.version = version;
    waiting = std::exchange(entry.waiting, {});
    if (token) {
      entry.token = token->text;
      // One that expires at once is for those who wait, and for nobody after them.
      entry.expires = clock_.uptime() + std::max(Millis(0), token->life - std::min(kSafety, token->life / 2));
    }
  }
  for (const Reply& reply : waiting) reply(token ? Result<std::string>(token->text) : fail(token.error()));
}

void OAuthTokens::forget(const std::string& connection_arn, const std::string& token) {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(connection_arn);
  if (found != entries_.end() && found->second.token == token) found->second.token.clear();
}

}  // namespace millrace::tasks
