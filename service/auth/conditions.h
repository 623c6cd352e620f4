#pragma once
// Conditions of a policy's statement: what must be true of a call besides its action and resource. All
// operators and all keys must hold, of a key's values one; of a negated operator none. Pure; any thread.
// Source: IAM user guide, "IAM JSON policy elements: Condition operators", "AWS global condition context
// keys". What is not evaluated here is refused when the policy is set.

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/payload.h"
#include "base/time.h"

namespace millrace::auth {

// What is known of a call.
struct Circumstances {
  std::string source_ip;      // aws:SourceIp; empty: unknown, which no address fits
  std::string principal_arn;  // aws:PrincipalArn
  std::string user_name;      // aws:username
  bool secure = false;        // aws:SecureTransport: it came over TLS
  Instant now{};              // aws:CurrentTime
};

// An address with the number of bits that count, as 16 bytes (IPv4 mapped).
struct Network {
  std::array<std::uint8_t, 16> bytes{};
  int bits = 0;
  // "203.0.113.0/24", "2001:db8::/32", or an address alone. Nothing for anything else.
  static std::optional<Network> parse(std::string_view text);
  bool holds(const Network& address) const;
};

class Conditions {
 public:
  // Of the value of Condition. InvalidArgument ("MalformedPolicyDocument: …"); `where` names the statement.
  static Result<Conditions> parse(JsonView view, const std::string& where);
  bool hold(const Circumstances& circumstances) const;

 private:
  struct Test {
    int op = 0, key = 0;  // rows of the tables
    std::vector<std::string> values;
    std::vector<Network> networks;  // of the values, where they are addresses
    std::vector<Instant> times;     // of the values, where they are times
  };
  static bool holds(const Test& test, const Circumstances& circumstances);
  std::vector<Test> tests_;
};

// InvalidArgument: MalformedPolicyDocument, with an example of a policy.
tl::unexpected<Error> malformed_policy(const std::string& what);

}  // namespace millrace::auth
