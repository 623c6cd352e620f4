#pragma once
// Watcher: notices files that others put into, change in or take out of the buckets' folders, and tells the
// catalog. Linux's inotify says what happens; a scan at the start and now and then finds what it did not say
// (it happened while nobody looked, there were more events than it keeps, more folders than it may watch).
//
// A file that was written in place is an object once nobody has it open for writing any more (a lease on it
// says so, where the file system knows leases) and it has not changed for the settling time; a file that was
// renamed into a bucket is one at once, if nobody is still writing it. A thread of its own, which computes
// ETags, too.

#include <atomic>
#include <filesystem>
#include <map>
#include <string>
#include <thread>

#include "base/clock.h"
#include "base/result.h"
#include "service/objects/catalog.h"
#include "service/ops/settings.h"

namespace millrace::objects {

class Watcher {
 public:
  // The catalog and the clock are borrowed.
  Watcher(std::filesystem::path root, service::ObjectSettings settings, Catalog& catalog, const Clock& clock);
  ~Watcher();  // leaves what is not settled for the next start

 private:
  struct Due {
    Millis at;      // uptime
    bool complete;  // it was renamed into its place
  };
  struct Place {
    std::string bucket, folder;  // "a/b/", or ""; both empty: the root
  };
  void work();
  void wait(Millis most);
  void read_events();
  void take_event(const Place& place, std::uint32_t mask, const std::string& name);
  void take_folder_event(const Place& place, std::uint32_t mask, const std::string& name);
  void watch(const Place& place);
  void watch_tree(const std::string& bucket, const std::string& folder);
  void forget_tree(const Place& place);
  void scan();
  void scan_bucket(const std::string& bucket, const std::string& prefix, std::optional<Instant> baseline);
  void scan_for_missing();
  void mark(ObjectName name, Millis after, bool complete);
  void look_at_due();
  void look_at(const ObjectName& name, bool complete);
  std::vector<std::string> buckets() const;
  std::filesystem::path path_of(const ObjectName& name) const { return root_ / name.bucket / name.key; }

  const std::filesystem::path root_;
  const service::ObjectSettings settings_;
  Catalog& catalog_;
  const Clock& clock_;
  std::atomic<bool> stopping_{false};
  int inotify_ = -1, wake_ = -1;
  // What follows is the thread's.
  std::map<int, Place> places_;  // by watch
  std::map<ObjectName, Due> due_;
  Millis scan_at_{};  // uptime
  bool everything_watched_ = true;
  std::thread thread_;
};

}  // namespace millrace::objects
