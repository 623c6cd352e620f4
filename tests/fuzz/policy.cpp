// Policies: a policy that was taken has an answer for every demand, and a deny for a part is a deny for the
// whole. Input: an action, a resource, and the policy.

#include "service/auth/policy.h"
#include "tests/fuzz/input.h"

using namespace millrace;
using namespace millrace::auth;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const fuzz::Parts head = fuzz::parts_of(data, size);
  const std::size_t end = head.second.find('\n');
  const std::string action(head.first), resource(head.second.substr(0, end));
  const std::string_view text = end == head.second.npos ? std::string_view() : head.second.substr(end + 1);
  MR_CHECK(covers("*", resource) && meets("*", resource) && meets(resource, resource),
           "everything fits '*' and itself");
  if (covers(action, resource)) MR_CHECK(meets(action, resource), "what fits as a whole fits in part");
  const auto policy = Policy::parse(text);
  if (!policy) {
    MR_CHECK(policy.error().message.starts_with("MalformedPolicyDocument: "), "a refusal says why");
    return 0;
  }
  const Circumstances call{"203.0.113.7", "arn:aws:iam::123456789012:user/ada", "ada", true,
                           from_millis(1'700'000'000'000)};
  const Verdict one = policy->decide({action, resource}, call), all = policy->decide({action, "*"}, call);
  if (one == Verdict::Denied) MR_CHECK(all == Verdict::Denied, "what denies a part denies the whole");
  if (all == Verdict::Allowed) MR_CHECK(one == Verdict::Allowed, "what allows the whole allows each part");
  return 0;
}
