#pragma once
// Caller: who makes a call, and what he may do. A value; any thread.

#include <memory>
#include <optional>
#include <span>
#include <string>

#include "service/auth/policy.h"
#include "service/auth/refusal.h"

namespace millrace::auth {

// What the chunks of a body are signed with (STREAMING-AWS4-HMAC-SHA256-PAYLOAD): each signature goes into
// the next one, the request's own is the first.
struct ChunkSigning {
  std::string key;          // of the day, region and service: 32 bytes
  std::string time, scope;  // of the request
  std::string seed;         // its signature
};

struct Caller {
  std::string account;    // of this server
  std::string name = {};  // the key's; empty: nobody was asked for a key
  std::string key_id = {};
  std::shared_ptr<const Policy> rights = nullptr;  // null: everything
  Circumstances circumstances = {};                // of his call, where there are rights to judge
  // Of a request whose body is signed in chunks; null: none, or nobody was asked for a key.
  std::shared_ptr<const ChunkSigning> chunks = nullptr;

  // "arn:aws:iam::123456789012:user/NAME", or the account's root where no keys are asked for.
  std::string arn() const;
  // The first of the demands that he has no right to, in AWS's words (NotAllowed).
  std::optional<Refusal> lacks(std::span<const Demand> demands) const;
};

}  // namespace millrace::auth
