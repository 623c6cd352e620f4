#include "service/auth/caller.h"

namespace millrace::auth {

std::string Caller::arn() const {
  return "arn:aws:iam::" + account + (name.empty() ? ":root" : ":user/" + name);
}

std::optional<Refusal> Caller::lacks(std::span<const Demand> demands) const {
  if (!rights) return std::nullopt;
  for (const Demand& demand : demands) {
    const Verdict verdict = rights->decide(demand, circumstances);
    if (verdict == Verdict::Allowed) continue;
    const std::string why = verdict == Verdict::Denied
                                ? "with an explicit deny in an identity-based policy"
                                : "because no identity-based policy allows the " + demand.action + " action";
    return Refusal{Refusal::Kind::NotAllowed, "User: " + arn() +
                                                  " is not authorized to perform: " + demand.action +
                                                  " on resource: " + demand.resource + " " + why};
  }
  return std::nullopt;
}

}  // namespace millrace::auth
