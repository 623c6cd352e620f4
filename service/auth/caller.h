#pragma once
// Caller: who makes a call, as the services see it. Values; any thread.

#include <string>

namespace millrace::auth {

struct Caller {
  std::string account;    // of this server
  std::string name = {};  // the key's; empty: nobody was asked for a key
  std::string key_id = {};

  // "arn:aws:iam::123456789012:user/NAME", or the account's root where no keys are asked for.
  std::string arn() const { return "arn:aws:iam::" + account + (name.empty() ? ":root" : ":user/" + name); }
};

}  // namespace millrace::auth
