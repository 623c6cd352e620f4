#pragma once
// Access keys of a home: HOME/keys.json, which only its owner may read (mode 0600). The signatures of
// requests are made of the secret itself, so it is kept as it is. Changes are written as a whole file and
// renamed, one process at a time.

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "service/auth/policy.h"

namespace millrace::auth {

inline constexpr std::size_t kKeysMax = 1000;
inline constexpr std::size_t kKeysFileBytesMax = 16u << 20;

struct Key {
  std::string id;      // "AKIA" and 16 letters and digits
  std::string name;    // of its user; unique
  std::string secret;  // 40 characters; shown once, when it is made
  Instant created;
  std::string policy;                              // JSON; empty: everything is allowed
  std::shared_ptr<const Policy> rights = nullptr;  // the same, read
};

std::string keys_path(const std::string& home);
// None when there is no file. InvalidArgument when others may read or write it, or it is no regular file;
// DataLoss when it can't be understood.
Result<std::vector<Key>> load_keys(const std::string& home);

// Each of these changes the file, and has ended when the change is on disk.
// InvalidArgument (the name, the policy), AlreadyExists (the name), LimitExceeded.
Result<Key> create_key(const std::string& home, const std::string& name, const std::string& policy,
                       Instant now);
// By name or id. NotFound.
Status delete_key(const std::string& home, const std::string& which);
Status set_key_policy(const std::string& home, const std::string& which, const std::string& policy);
// InvalidArgument when `which` is the name or id of none.
const Key* find_key(const std::vector<Key>& keys, std::string_view which);

// The keys of a home that is being served. Loop thread only.
class LiveKeys {
 public:
  explicit LiveKeys(std::string home) : home_(std::move(home)) {}
  // Reads the file when it is not the one that was read last. What can't be read leaves the keys as they
  // were, and is logged once; its error is returned.
  Status refresh();
  // Whether requests have to be signed: there are keys, or there were some since the start. It never goes
  // back while serving: deleting the last key locks everybody out, rather than letting everybody in.
  bool required() const { return required_; }
  const Key* by_id(std::string_view id) const;

 private:
  // What tells one version of the file from another.
  struct Seen {
    bool there = false;
    std::uint64_t inode = 0;
    std::int64_t size = 0, changed_ns = 0;
    bool operator==(const Seen&) const = default;
  };
  const std::string home_;
  std::optional<Seen> seen_;
  std::vector<Key> keys_;
  bool required_ = false;
};

}  // namespace millrace::auth
