#pragma once
// Transfers: requests to other machines: any number at once on one thread, within limits. HTTP(S) for HTTP
// tasks, webhooks and tokens, SMTP(S) for mail. The thread starts with the first request. Redirects are not
// followed: the caller sees the 3xx. Any thread; replies come on the thread of the transfers and must not
// block. libcurl is used in the source of this file only.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "tasks/integrations/http/addresses.h"

namespace millrace::tasks {

struct HttpHeader {
  std::string name, value;
};

struct HttpRequest {
  std::string method = "GET";
  std::string url;  // http or https
  std::vector<HttpHeader> headers;
  std::string body;
  bool has_body = false;
  Millis time_max{60'000};               // from the first look-up to the last byte
  std::size_t body_bytes_max = 262'144;  // of the answer
};

struct Mail {
  std::string server;  // smtp://host:port or smtps://host:port
  std::string user, password;
  bool tls_required = false;  // smtp only: STARTTLS or nothing is sent
  std::string from, to;       // addresses alone
  std::string text;           // headers, an empty line, the body; lines end in CR LF
  Millis time_max{60'000};
};

struct TransferAnswer {
  enum class End {
    Answered,
    TimedOut,
    Unreachable,  // no such host, refused, broken off, a certificate that does not fit
    Forbidden,    // the address rules refuse where it leads
    TooLarge,     // the answer
    Overloaded,   // too many requests wait here
  };
  End end = End::Answered;
  int status = 0;           // of HTTP
  std::string status_text;  // "Not Found"; empty in HTTP/2
  std::vector<HttpHeader> headers;
  std::string body;
  std::string problem;  // for people, when nothing was answered; holds no part of the request but its host
};

class Transfers {
 public:
  struct Settings {
    std::size_t at_once_max = 256;     // requests under way
    std::size_t waiting_max = 10'000;  // more are Overloaded
    AddressRules addresses;
    std::string proxy;    // of http and https; empty: none. The environment's is not used. Names are then
                          // looked up by the proxy, and the address rules hold for the proxy's address alone
    std::string ca_file;  // certificates to trust instead of the system's
  };
  using Reply = std::function<void(TransferAnswer)>;

  explicit Transfers(Settings settings);
  // Breaks off what is under way. Nothing is replied afterwards.
  ~Transfers();
  void shut_down();  // what the destructor does; what is sent afterwards is Overloaded

  // Its number, for cancel(). Replies exactly once, unless it is cancelled or the transfers are shut down.
  std::uint64_t send(HttpRequest request, Reply reply);
  std::uint64_t send(Mail mail, Reply reply);
  void cancel(std::uint64_t transfer);  // unknown or ended: nothing happens

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// A URL's scheme and host in lower case, and whether it may be used in a request: http or https, a host, no
// user name. InvalidArgument says what is wrong without repeating the query, which may hold secrets.
struct UrlParts {
  std::string scheme, host;
  std::string without_query;  // for people
};
Result<UrlParts> parse_url(const std::string& url);

}  // namespace millrace::tasks
