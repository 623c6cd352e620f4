#include "service/auth/policy.h"

#include <doctest/doctest.h>

#include "base/random.h"
#include "service/auth/caller.h"

using namespace millrace;
using namespace millrace::auth;

namespace {

std::string machine(std::string_view name) {
  return "arn:aws:states:us-east-1:123456789012:stateMachine:" + std::string(name);
}

// What a policy says to a call: "allow", "none" (nothing allows it) or "deny".
struct PolicyCase {
  std::string_view policy, action, resource, also, verdict;
};

constexpr std::string_view kOrders = R"({"Version": "2012-10-17", "Statement": [
    {"Sid": "run", "Effect": "Allow", "Action": ["states:StartExecution", "states:Describe*"],
     "Resource": "arn:aws:states:*:*:stateMachine:orders*"},
    {"Effect": "Deny", "Action": "states:*", "Resource": "arn:aws:states:*:*:stateMachine:orders-secret"}]})";
constexpr std::string_view kAll = R"({"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}})";
constexpr std::string_view kAllButSecret = R"({"Statement": [
    {"Effect": "Allow", "Action": "*", "Resource": "*"},
    {"Effect": "Deny", "Action": "lambda:InvokeFunction", "Resource": "arn:aws:lambda:us-east-1:123456789012:function:secret-*"}]})";
constexpr std::string_view kVersionOne = R"({"Statement": [
    {"Effect": "Allow", "Action": "states:StartExecution",
     "Resource": "arn:aws:states:us-east-1:123456789012:stateMachine:orders:1"}]})";

std::string_view word(Verdict verdict) {
  return verdict == Verdict::Allowed ? "allow" : verdict == Verdict::Denied ? "deny" : "none";
}

// Whether `text` fits `pattern`, the slow and plain way.
bool fits(std::string_view pattern, std::string_view text) {
  if (pattern.empty()) return text.empty();
  if (pattern[0] == '*')
    return fits(pattern.substr(1), text) || (!text.empty() && fits(pattern, text.substr(1)));
  return !text.empty() && (pattern[0] == '?' || pattern[0] == text[0]) &&
         fits(pattern.substr(1), text.substr(1));
}

}  // namespace

TEST_CASE("policies: what they say to calls") {
  const std::string orders = machine("orders"), secret = machine("orders-secret"), one = machine("orders:1");
  const PolicyCase cases[] = {
      {kOrders, "states:StartExecution", orders, "", "allow"},
      {kOrders, "STATES:startexecution", orders, "", "allow"},
      {kOrders, "states:DescribeStateMachine", orders, "", "allow"},
      {kOrders, "states:StopExecution", orders, "", "none"},
      {kOrders, "states:StartExecution", secret, "", "deny"},
      {kOrders, "states:StartExecution", "arn:aws:states:us-east-1:123456789012:stateMachine:Orders", "",
       "none"},
      {kOrders, "states:StartExecution", "*", "", "deny"},
      {kVersionOne, "states:StartExecution", "*", "", "none"},
      {kOrders, "lambda:InvokeFunction", orders, "", "none"},
      {kAll, "states:StartExecution", "*", "", "allow"},
      {kAll, "anything:AtAll", orders, one, "allow"},
      // A version: statements about it, and about the state machine.
      {kVersionOne, "states:StartExecution", orders, one, "allow"},
      {kVersionOne, "states:StartExecution", orders, "", "none"},
      {kOrders, "states:StartExecution", orders, one, "allow"},
      {kOrders, "states:StartExecution", secret,
       "arn:aws:states:us-east-1:123456789012:stateMachine:orders-secret:1", "deny"},
      // A function that is known only when the workflow runs.
      {kAllButSecret, "lambda:InvokeFunction", "arn:aws:lambda:us-east-1:123456789012:function:open", "",
       "allow"},
      {kAllButSecret, "lambda:InvokeFunction", "arn:aws:lambda:us-east-1:123456789012:function:secret-1", "",
       "deny"},
      {kAllButSecret, "lambda:InvokeFunction", "arn:aws:lambda:us-east-1:123456789012:function:*", "",
       "deny"},
      {kAllButSecret, "lambda:InvokeFunction", "arn:aws:lambda:us-east-1:123456789012:function:public-*", "",
       "allow"},
      {R"({"Statement": []})", "states:ListStateMachines", "*", "", "none"},
  };
  for (const PolicyCase& one_case : cases) {
    CAPTURE(one_case.policy);
    CAPTURE(one_case.action);
    CAPTURE(one_case.resource);
    const auto policy = Policy::parse(one_case.policy);
    REQUIRE(policy);
    CHECK(word(policy->decide({std::string(one_case.action), std::string(one_case.resource),
                               std::string(one_case.also)})) == one_case.verdict);
  }
}

TEST_CASE("policies: the order of statements changes nothing") {
  const auto turned = Policy::parse(R"({"Statement": [
      {"Effect": "Deny", "Action": "states:Stop*", "Resource": "*"},
      {"Effect": "Allow", "Action": "states:*", "Resource": "*"}]})");
  REQUIRE(turned);
  CHECK(turned->decide({"states:StopExecution", "*"}) == Verdict::Denied);
  CHECK(turned->decide({"states:StartExecution", "*"}) == Verdict::Allowed);
}

TEST_CASE("policies: what is not evaluated is refused, with its place") {
  const std::pair<std::string_view, std::string_view> cases[] = {
      {"{", "it is no JSON"},
      {"[]", "it is no object"},
      {"{}", "Statement is missing"},
      {R"({"Version": "2013-01-01", "Statement": []})", "Version must be"},
      {R"({"Statements": []})", "the policy has the member 'Statements'"},
      {R"({"Statement": [1]})", "Statement 1 is no object"},
      {R"({"Statement": [{"Effect": "allow", "Action": "*", "Resource": "*"}]})",
       "Effect must be Allow or Deny"},
      {R"({"Statement": [{"Effect": "Allow", "Resource": "*"}]})", "Action is missing"},
      {R"({"Statement": [{"Effect": "Allow", "Action": "*"}]})", "Resource is missing"},
      {R"({"Statement": [{"Effect": "Allow", "Action": [], "Resource": "*"}]})", "Action must not be empty"},
      {R"({"Statement": [{"Effect": "Allow", "Action": "StartExecution", "Resource": "*"}]})",
       "'StartExecution' is no action"},
      {R"({"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "orders"}]})",
       "'orders' is no resource"},
      {R"({"Statement": [{"Effect": "Allow", "Action": "*", "Resource": [1]}]})", "must be text"},
      {R"({"Statement": [{"Effect": "Allow", "NotAction": "*", "Resource": "*"}]})",
       "'NotAction', which is not"},
      {R"({"Statement": [{"Effect": "Deny", "Action": "*", "Resource": "*"},
                         {"Effect": "Allow", "Action": "*", "Resource": "*", "NotResource": "*"}]})",
       "Statement 2 has the member 'NotResource'"},
      {R"({"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "arn:aws:s3:::${aws:username}"}]})",
       "policy variable"},
  };
  for (const auto& [text, expected] : cases) {
    CAPTURE(text);
    const auto policy = Policy::parse(text);
    REQUIRE(!policy);
    CHECK(policy.error().message.starts_with("MalformedPolicyDocument: "));
    CHECK(policy.error().message.find(expected) != std::string::npos);
  }
  CHECK(!Policy::parse(std::string(kPolicyBytesMax + 1, ' ')));
}

TEST_CASE("policies: patterns, against all short texts") {
  // Every pattern and text of up to five characters over a small alphabet, from a fixed seed.
  Random random(7);
  const auto draw = [&](std::string_view alphabet) {
    std::string text;
    for (std::uint64_t n = random.below(6); n > 0; --n) text += alphabet[random.below(alphabet.size())];
    return text;
  };
  std::vector<std::string> all{""};
  for (std::size_t i = 0; all[i].size() < 5; ++i) {
    all.push_back(all[i] + "a");
    all.push_back(all[i] + "b");
  }
  for (int i = 0; i < 3000; ++i) {
    const std::string pattern = draw("ab*?"), other = draw("ab*");
    CAPTURE(pattern);
    CAPTURE(other);
    bool some = false, every = true;
    for (const std::string& text : all) {
      if (other.find('*') == std::string::npos) CHECK(covers(pattern, text) == fits(pattern, text));
      if (!fits(other, text)) continue;
      some |= fits(pattern, text);
      every &= fits(pattern, text);
    }
    // Up to five characters are enough to tell patterns of five apart, but for what only longer texts show.
    if (some) CHECK(meets(pattern, other));
    if (covers(pattern, other)) CHECK(every);
    CHECK(meets(pattern, other) == meets(other, pattern));
    if (covers(pattern, other)) CHECK(meets(pattern, other));
  }
  CHECK(!covers("a?c", "a*c"));
  CHECK(covers("a*", "a*c"));
  CHECK(!meets("a*", "b*"));
  CHECK(meets("a*", "*b"));
}

TEST_CASE("policies: patterns made to take long do not") {
  const std::string stars = "a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b", text(2000, 'a');
  CHECK(!covers(stars, text));
  CHECK(!meets(stars, text + "*c"));
  const auto policy =
      Policy::parse(R"({"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "arn:a*"}]})");
  REQUIRE(policy);
  CHECK(policy->decide({"a:b", "arn:a" + std::string(1u << 20, 'x')}) == Verdict::Allowed);
}

TEST_CASE("policies: who lacks a right is told which") {
  Caller caller{"123456789012", "ada", "AKID"};
  const Demand demands[] = {{"states:StartExecution", machine("a")}, {"lambda:InvokeFunction", "arn:x"}};
  CHECK(!caller.lacks(demands));
  caller.rights = std::make_shared<const Policy>(
      *Policy::parse(R"({"Statement": [{"Effect": "Allow", "Action": "states:*", "Resource": "*"}]})"));
  const auto lacking = caller.lacks(demands);
  REQUIRE(lacking);
  CHECK(lacking->message ==
        "User: arn:aws:iam::123456789012:user/ada is not authorized to perform: lambda:InvokeFunction on "
        "resource: "
        "arn:x because no identity-based policy allows the lambda:InvokeFunction action");
  caller.rights = std::make_shared<const Policy>(
      *Policy::parse(R"({"Statement": [{"Effect": "Deny", "Action": "states:*", "Resource": "*"}]})"));
  CHECK(caller.lacks(demands)->message.ends_with("states:StartExecution on resource: " + machine("a") +
                                                 " with an explicit deny in an identity-based policy"));
}
