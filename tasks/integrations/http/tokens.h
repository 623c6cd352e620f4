#pragma once
// OAuthTokens: access tokens of connections that authorize by OAuth's client credentials: fetched when the
// first request needs one, kept until shortly before they expire, fetched once however many requests wait. In
// memory only. Any thread. Source: RFC 6749, section 4.4.

#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "tasks/integrations/http/connections.h"
#include "tasks/integrations/http/transfers.h"

namespace millrace::tasks {

class OAuthTokens {
 public:
  using Reply = std::function<void(Result<std::string>)>;

  // Both are borrowed; the transfers end before this object does.
  OAuthTokens(Transfers& transfers, const Clock& clock) : transfers_(transfers), clock_(clock) {}

  // Replies at once or on the transfers' thread. Unavailable when the endpoint does not give one; the message
  // says why without repeating what it sent.
  void get(const Connection& connection, Reply reply);
  // A server did not accept it: the next get() asks for another one.
  void forget(const std::string& connection_arn, const std::string& token);

 private:
  struct Entry {
    std::uint64_t version = 0;  // of the connection it is for
    std::string token;
    Millis expires{0};  // uptime
    bool asked = false;
    std::vector<Reply> waiting;
  };
  void take(const std::string& arn, std::uint64_t version, TransferAnswer answer);

  Transfers& transfers_;
  const Clock& clock_;
  std::mutex mutex_;
  std::map<std::string, Entry> entries_;  // by ARN
};

}  // namespace millrace::tasks
