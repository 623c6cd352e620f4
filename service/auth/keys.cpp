#include "service/auth/keys.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "base/check.h"
#include "base/encoding.h"
#include "base/log.h"
#include "base/payload.h"
#include "tasks/artifacts/files.h"

namespace millrace::auth {
namespace {

constexpr mode_t kOwnerOnly = 0600;

// Held while the file is changed; the file itself is replaced, so it can't be its own lock.
class ChangeLock {
 public:
  static Result<ChangeLock> take(const std::string& home) {
    std::error_code error;
    std::filesystem::create_directories(home, error);
    const std::string path = home + "/keys.lock";
    ChangeLock lock;
    lock.file_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, kOwnerOnly);
    if (lock.file_ < 0 || ::flock(lock.file_, LOCK_EX) != 0)
      return invalid("can't write in " + home + ": " + std::strerror(errno));
    return lock;
  }
  ChangeLock(ChangeLock&& other) noexcept : file_(std::exchange(other.file_, -1)) {}
  ChangeLock& operator=(ChangeLock&&) = delete;
  ~ChangeLock() {
    if (file_ >= 0) ::close(file_);
  }

 private:
  ChangeLock() = default;
  int file_ = -1;
};

std::string random_bytes(std::size_t count) {
  std::string bytes(count, '\0');
  MR_CHECK(::getentropy(bytes.data(), bytes.size()) == 0, "the system gives random bytes");
  return bytes;
}

// 100 random bits as AWS writes them: no 0, 1, 8, 9.
std::string new_id() {
  static constexpr char kLetters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
  std::string id = "AKIA";
  for (const char c : random_bytes(16)) id += kLetters[static_cast<unsigned char>(c) & 31];
  return id;
}

Status check_key_name(const std::string& name) {
  const auto allowed = [](unsigned char c) {
    return std::isalnum(c) != 0 || std::strchr("+=,.@_-", c) != nullptr;
  };
  if (!name.empty() && name.size() <= 64 && std::all_of(name.begin(), name.end(), allowed)) return {};
  return invalid("'" + name + "' is no name for a key",
                 "1 to 64 letters, digits and + = , . @ _ - as IAM's users have");
}

Status read_policy(Key& key) {
  key.rights = nullptr;
  if (key.policy.empty()) return {};
  MR_TRY(policy, Policy::parse(key.policy));
  key.rights = std::make_shared<const Policy>(std::move(policy));
  return {};
}

tl::unexpected<Error> damaged(const std::string& path, const std::string& what) {
  return fail(ErrorCode::DataLoss, path + " can't be understood: " + what,
              "restore it from a backup, or delete it and make new keys with `millrace keys create`");
}

Result<Key> key_of(JsonView view, const std::string& path) {
  const auto text = [&](std::string_view name) {
    const JsonView found = view.find(name);
    return found && found.is_string() ? found.string() : std::string();
  };
  if (!view.is_object()) return damaged(path, "a key is no object");
  Key key{text("id"), text("name"), text("secret"), {}, {}};
  const auto created = parse_rfc3339(text("created"));
  if (key.id.empty() || key.name.empty() || key.secret.empty() || !created)
    return damaged(path, "a key needs id, name, secret and created");
  key.created = *created;
  if (const JsonView policy = view.find("policy"); policy && !policy.is_null()) key.policy = policy.text();
  if (const Status ok = read_policy(key); !ok) return damaged(path, ok.error().message);
  return key;
}

Result<std::vector<Key>> parse_keys(const std::string& text, const std::string& path) {
  const auto document = Payload::parse(text);
  if (!document) return damaged(path, document.error().message);
  const JsonView list = document->view().is_object() ? document->view().find("keys") : JsonView();
  if (!list || !list.is_array()) return damaged(path, "it has no list of keys");
  std::vector<Key> keys;
  for (const JsonView view : list.elements()) {
    MR_TRY(key, key_of(view, path));
    if (find_key(keys, key.id) || find_key(keys, key.name)) return damaged(path, "a key is there twice");
    keys.push_back(std::move(key));
  }
  return keys;
}

Status save_keys(const std::string& home, const std::vector<Key>& keys) {
  std::string out = "{\"keys\": [";
  for (const Key& key : keys) {
    JsonWriter line;
    line.begin_object().key("id").string(key.id).key("name").string(key.name);
    line.key("secret").string(key.secret).key("created").string(format_rfc3339(key.created));
    if (!key.policy.empty()) line.key("policy").value(Payload::literal(key.policy).view());
    line.end_object();
    out.append(&key == keys.data() ? "\n" : ",\n").append(line.finish().text());
  }
  return tasks::replace_file(keys_path(home), out + "\n]}\n", kOwnerOnly);
}

tl::unexpected<Error> no_such_key(const std::string& which) {
  return fail(ErrorCode::NotFound, "there is no key '" + which + "'", "`millrace keys list` shows them");
}

}  // namespace

std::string keys_path(const std::string& home) {
  return home + "/keys.json";
}

const Key* find_key(const std::vector<Key>& keys, std::string_view which) {
  const auto found = std::find_if(keys.begin(), keys.end(),
                                  [&](const Key& key) { return key.id == which || key.name == which; });
  return found == keys.end() ? nullptr : &*found;
}

Result<std::vector<Key>> load_keys(const std::string& home) {
  const std::string path = keys_path(home);
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  if (file < 0) {
    if (errno == ENOENT) return std::vector<Key>();
    return invalid("can't read " + path + ": " + std::strerror(errno));
  }
  const struct Closer {
    int file;
    ~Closer() { ::close(file); }
  } closer{file};
  struct stat about {};
  if (::fstat(file, &about) != 0 || !S_ISREG(about.st_mode)) return invalid(path + " is no regular file");
  if ((about.st_mode & 077) != 0)
    return invalid(path + " holds secrets and others may read or change it", "chmod 600 " + path);
  if (about.st_size > static_cast<off_t>(kKeysFileBytesMax)) return damaged(path, "it is too large");
  std::string text(static_cast<std::size_t>(about.st_size), '\0');
  std::size_t have = 0;
  while (have < text.size()) {
    const ssize_t got = ::read(file, text.data() + have, text.size() - have);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return damaged(path, "it can't be read to its end");
    have += static_cast<std::size_t>(got);
  }
  return parse_keys(text, path);
}

Result<Key> create_key(const std::string& home, const std::string& name, const std::string& policy,
                       Instant now) {
  MR_DO(check_key_name(name));
  MR_TRY(lock, ChangeLock::take(home));
  MR_TRY(keys, load_keys(home));
  if (find_key(keys, name))
    return fail(ErrorCode::AlreadyExists, "there is a key '" + name + "' already",
                "delete it first, or choose another name");
  if (keys.size() >= kKeysMax)
    return fail(ErrorCode::LimitExceeded,
                "there are " + std::to_string(kKeysMax) + " keys, the most there may be");
  Key key{new_id(), name, base64_encode(random_bytes(30)), now, policy};
  MR_DO(read_policy(key));
  keys.push_back(key);
  MR_DO(save_keys(home, keys));
  return key;
}

Status delete_key(const std::string& home, const std::string& which) {
  MR_TRY(lock, ChangeLock::take(home));
  MR_TRY(keys, load_keys(home));
  const Key* found = find_key(keys, which);
  if (!found) return no_such_key(which);
  keys.erase(keys.begin() + (found - keys.data()));
  return save_keys(home, keys);
}

Status set_key_policy(const std::string& home, const std::string& which, const std::string& policy) {
  MR_TRY(lock, ChangeLock::take(home));
  MR_TRY(keys, load_keys(home));
  const Key* found = find_key(keys, which);
  if (!found) return no_such_key(which);
  Key& key = keys[static_cast<std::size_t>(found - keys.data())];
  key.policy = policy;
  MR_DO(read_policy(key));
  return save_keys(home, keys);
}

Status LiveKeys::refresh() {
  struct stat about {};
  Seen now;
  if (::lstat(keys_path(home_).c_str(), &about) == 0) {
    now = {true, about.st_ino, about.st_size,
           std::int64_t{about.st_ctim.tv_sec} * 1'000'000'000 + about.st_ctim.tv_nsec};
  } else if (errno != ENOENT) {
    now.there = true;  // it may be there: reading it says why it can't be read
  }
  if (seen_ == now) return {};
  const bool first = !seen_;
  seen_ = now;
  auto keys = load_keys(home_);
  if (!keys) {
    required_ = true;
    log::error("the keys can't be read; those that were there before stay in force",
               {{"error", keys.error().message}});
    return fail(keys.error());
  }
  keys_ = *std::move(keys);
  required_ |= !keys_.empty();
  if (!first) log::info("the keys have changed", {{"keys", std::to_string(keys_.size())}});
  return {};
}

const Key* LiveKeys::by_id(std::string_view id) const {
  const auto found = std::find_if(keys_.begin(), keys_.end(), [&](const Key& key) { return key.id == id; });
  return found == keys_.end() ? nullptr : &*found;
}

}  // namespace millrace::auth
