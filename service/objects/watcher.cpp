#include "service/objects/watcher.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/log.h"
#include "service/objects/key_walk.h"
#include "tasks/artifacts/files.h"
#include "tasks/artifacts/object_store.h"

namespace millrace::objects {
namespace {

namespace fs = std::filesystem;

constexpr std::uint32_t kFolderEvents =
    IN_CREATE | IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_ONLYDIR | IN_DONT_FOLLOW;
constexpr Millis kAgain{20};              // while the catalog is at it
constexpr Millis kUnwatchedScan{30'000};  // where not everything can be watched

// Whether somebody may be writing the file: the kernel gives a lease for reading only when nobody has it open
// for writing. False where it gives none at all (another's file, a file system without).
bool is_open_for_writing(const fs::path& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  if (file < 0) return false;
  const bool busy = ::fcntl(file, F_SETLEASE, F_RDLCK) != 0 && errno == EAGAIN;
  if (!busy) ::fcntl(file, F_SETLEASE, F_UNLCK);
  ::close(file);
  return busy;
}

// Whether a file was put where it is before that time: nobody can set this time of a file, as one can its
// modification's.
bool came_before(Instant time, const fs::path& path) {
  struct stat info {};
  return ::lstat(path.c_str(), &info) == 0 &&
         std::int64_t{info.st_ctim.tv_sec} * 1000 + info.st_ctim.tv_nsec / 1'000'000 < to_millis(time);
}

bool is_folder(const fs::path& path) {
  std::error_code code;
  return fs::is_directory(fs::symlink_status(path, code));
}

}  // namespace

Watcher::Watcher(fs::path root, service::ObjectSettings settings, Catalog& catalog, const Clock& clock)
    : root_(std::move(root)), settings_(settings), catalog_(catalog), clock_(clock) {
  inotify_ = ::inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  if (inotify_ < 0)
    log::warning("folders of objects can't be watched; they are scanned now and then",
                 {{"error", std::strerror(errno)}});
  wake_ = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  thread_ = std::thread([this] { work(); });
}

Watcher::~Watcher() {
  stopping_ = true;
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = ::write(wake_, &one, sizeof one);
  thread_.join();
  if (inotify_ >= 0) ::close(inotify_);
  ::close(wake_);
}

void Watcher::work() {
  everything_watched_ = inotify_ >= 0;
  while (!stopping_) {
    const Millis uptime = clock_.uptime();
    if (uptime >= scan_at_) scan();
    look_at_due();
    Millis next = scan_at_;
    for (const auto& [name, due] : due_) next = std::min(next, due.at);
    wait(std::clamp(next - clock_.uptime(), Millis{1}, Millis{60'000}));
    read_events();
  }
}

void Watcher::wait(Millis most) {
  pollfd files[] = {{wake_, POLLIN, 0}, {inotify_, POLLIN, 0}};
  ::poll(files, inotify_ < 0 ? 1 : 2, static_cast<int>(most.count()));
}

void Watcher::read_events() {
  alignas(inotify_event) char buffer[64 * 1024];
  while (inotify_ >= 0 && !stopping_) {
    const ssize_t got = ::read(inotify_, buffer, sizeof buffer);
    if (got <= 0) return;
    for (ssize_t at = 0; at < got;) {
      const auto* event = reinterpret_cast<const inotify_event*>(buffer + at);
      at += static_cast<ssize_t>(sizeof(inotify_event) + event->len);
      if ((event->mask & IN_Q_OVERFLOW) != 0) scan_at_ = {};
      const auto place = places_.find(event->wd);
      if (place == places_.end()) continue;
      if ((event->mask & IN_IGNORED) != 0) {
        places_.erase(place);
        continue;
      }
      if (event->len > 0) take_event(Place(place->second), event->mask, event->name);
    }
  }
}

void Watcher::take_event(const Place& place, std::uint32_t mask, const std::string& name) {
  if (name.starts_with(tasks::kUnfinishedPrefix)) return;
  if ((mask & IN_ISDIR) != 0) return take_folder_event(place, mask, name);
  if (place.bucket.empty()) return;  // a file beside the buckets
  ObjectName object{place.bucket, place.folder + name};
  if (!tasks::parse_s3_uri("s3://b/" + object.key)) return;
  if ((mask & (IN_DELETE | IN_MOVED_FROM)) != 0 && !state_of(path_of(object))) {
    due_.erase(object);
    return catalog_.missed(object, path_of(object));
  }
  if ((mask & IN_MOVED_TO) != 0) return mark(std::move(object), Millis{0}, true);
  if ((mask & (IN_CREATE | IN_CLOSE_WRITE)) != 0) mark(std::move(object), settings_.settle, false);
}

void Watcher::take_folder_event(const Place& place, std::uint32_t mask, const std::string& name) {
  const bool of_root = place.bucket.empty();
  if (of_root && !tasks::parse_s3_uri("s3://" + name)) return;
  const Place inside = of_root ? Place{name, ""} : Place{place.bucket, place.folder + name + "/"};
  if ((mask & IN_MOVED_FROM) != 0) {
    forget_tree(inside);
    scan_at_ = {};  // what was in it is gone without a word
  }
  if ((mask & (IN_CREATE | IN_MOVED_TO)) == 0) return;
  watch_tree(inside.bucket, inside.folder);
  scan_bucket(inside.bucket, inside.folder, std::nullopt);
}

void Watcher::watch(const Place& place) {
  if (inotify_ < 0) return;
  const fs::path path = place.bucket.empty() ? root_ : root_ / place.bucket / place.folder;
  const int number = ::inotify_add_watch(inotify_, path.c_str(), kFolderEvents);
  if (number >= 0) {
    places_[number] = place;
    return;
  }
  if (errno != ENOSPC || !everything_watched_) return;
  everything_watched_ = false;
  log::warning("there are more folders of objects than may be watched; they are scanned every 30 s",
               {{"watched", std::to_string(places_.size())},
                {"remedy", "raise the sysctl fs.inotify.max_user_watches"}});
}

// Watched first and looked into then: what comes between is seen twice rather than not at all.
void Watcher::watch_tree(const std::string& bucket, const std::string& folder) {
  const fs::path path = root_ / bucket / folder;
  if (stopping_ || !is_folder(path.parent_path())) return;  // its path ends in '/'
  watch({bucket, folder});
  std::error_code code;
  for (auto entry = fs::directory_iterator(path, code); !code && entry != fs::directory_iterator();
       entry.increment(code)) {
    std::error_code ignored;
    if (fs::is_directory(entry->symlink_status(ignored)))
      watch_tree(bucket, folder + entry->path().filename().string() + "/");
  }
}

void Watcher::forget_tree(const Place& gone) {
  std::vector<int> numbers;
  for (const auto& [number, place] : places_) {
    if (place.bucket == gone.bucket && place.folder.starts_with(gone.folder)) numbers.push_back(number);
  }
  for (const int number : numbers) {
    ::inotify_rm_watch(inotify_, number);
    places_.erase(number);
  }
}

std::vector<std::string> Watcher::buckets() const {
  std::vector<std::string> names;
  std::error_code code;
  for (auto entry = fs::directory_iterator(root_, code); !code && entry != fs::directory_iterator();
       entry.increment(code)) {
    const std::string name = entry->path().filename().string();
    if (is_folder(entry->path()) && tasks::parse_s3_uri("s3://" + name)) names.push_back(name);
  }
  return names;
}

void Watcher::scan() {
  everything_watched_ = inotify_ >= 0;
  watch({});
  const auto baseline = catalog_.baseline_time();
  for (const std::string& bucket : buckets()) {
    watch_tree(bucket, "");
    scan_bucket(bucket, "", baseline);
  }
  if (baseline && !stopping_) catalog_.baseline_is_taken();
  scan_for_missing();
  scan_at_ = clock_.uptime() + (everything_watched_ ? settings_.scan_interval : kUnwatchedScan);
}

// `baseline`: what was there before it is no news.
void Watcher::scan_bucket(const std::string& bucket, const std::string& prefix,
                          std::optional<Instant> baseline) {
  KeyWalk walk(root_ / bucket, prefix);
  while (!stopping_) {
    auto object = walk.next();
    if (!object) {
      log::warning("a bucket can't be scanned", {{"bucket", bucket}, {"error", object.error().message}});
      return;
    }
    if (!*object) return;
    ObjectName name{bucket, std::move((*object)->key)};
    const auto known = catalog_.find(name, (*object)->file);
    if (known && *known) continue;
    if (baseline && came_before(*baseline, path_of(name)))
      catalog_.known_before(std::move(name), (*object)->file);
    else
      mark(std::move(name), Millis{0}, false);
  }
}

// What is known and no longer there.
void Watcher::scan_for_missing() {
  constexpr std::size_t kPage = 1000;
  ObjectName last;
  while (!stopping_) {
    const auto names = catalog_.names_after(last, kPage);
    if (!names || names->empty()) return;
    for (const ObjectName& name : *names) {
      if (!state_of(path_of(name))) catalog_.missed(name, path_of(name));
    }
    last = names->back();
  }
}

void Watcher::mark(ObjectName name, Millis after, bool complete) {
  Due& due = due_[std::move(name)];
  due = {clock_.uptime() + after, complete};
}

void Watcher::look_at_due() {
  const Millis uptime = clock_.uptime();
  std::vector<std::pair<ObjectName, bool>> now;
  for (const auto& [name, due] : due_) {
    if (due.at <= uptime) now.emplace_back(name, due.complete);
  }
  for (const auto& [name, complete] : now) {
    if (stopping_) return;
    due_.erase(name);
    look_at(name, complete);
  }
}

void Watcher::look_at(const ObjectName& name, bool complete) {
  if (catalog_.is_changing(name)) return mark(name, kAgain, complete);
  const fs::path path = path_of(name);
  const auto state = state_of(path);
  if (!state) return catalog_.missed(name, path);
  const auto known = catalog_.find(name, *state);
  if (known && *known) return;
  if (is_open_for_writing(path)) return mark(name, settings_.settle, false);
  const Millis age = clock_.now() - state->modified();
  // A time to come is somebody's clock: it says nothing about when it was written.
  if (!complete && age >= Millis{0} && age < settings_.settle)
    return mark(name, settings_.settle - age, false);
  const auto etag = md5_of_file(path, [this] { return stopping_.load(); });
  if (!etag || state_of(path) != state) return mark(name, settings_.settle, false);
  catalog_.found(name, path, *state, *etag);
}

}  // namespace millrace::objects
