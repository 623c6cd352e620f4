#pragma once
// Policies of access keys, in the form of IAM's identity policies: Version and Statements of Effect, Action
// and Resource, and Conditions about the call (conditions.h). A deny wins over every allow; what no statement
// allows is not allowed. Pure; any thread. Source: IAM user guide, "Policy evaluation logic", "IAM JSON
// policy elements". What is not evaluated here (NotAction, Principal, policy variables, …) is refused when
// the policy is set, not passed over.

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "service/auth/conditions.h"

namespace millrace::auth {

// A right that a call needs.
struct Demand {
  std::string action;  // "states:StartExecution"
  // "arn:aws:states:us-east-1:123456789012:stateMachine:orders". A '*' in it stands for anything: it is known
  // only when the workflow runs. Then an allow has to hold for all of it, and a deny for a part is enough.
  std::string resource;
  // A second name of the same resource (with the version or alias that was asked for): a statement about
  // either counts. Empty: there is none.
  std::string also = {};
  auto operator<=>(const Demand&) const = default;
};

enum class Verdict { Allowed, NotAllowed, Denied };  // Denied: a statement says so

inline constexpr std::size_t kPolicyBytesMax = 6144;  // as IAM's policies of a group
inline constexpr std::size_t kStatementsMax = 100;
// What is longer is demanded as its beginning with anything behind.
inline constexpr std::size_t kResourceBytesMax = 2048;

class Policy {
 public:
  // InvalidArgument ("MalformedPolicyDocument: …") names what is wrong and where.
  static Result<Policy> parse(std::string_view text);
  Verdict decide(const Demand& demand, const Circumstances& circumstances = {}) const;

 private:
  struct Statement {
    bool allow = false;
    std::vector<std::string> actions;  // in lower case
    std::vector<std::string> resources;
    Conditions conditions;
  };
  bool applies(const Statement& statement, std::string_view action, const Demand& demand) const;
  std::vector<Statement> statements_;
};

// Whether all that `text` stands for fits `pattern`: '*' is any characters, '?' is one; a '*' in `text` fits
// only a '*'.
bool covers(std::string_view pattern, std::string_view text);
// Whether something fits both patterns. Time and memory grow as the product of the lengths.
bool meets(std::string_view pattern, std::string_view other);

}  // namespace millrace::auth
