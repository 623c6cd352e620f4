#pragma once
// Resources: tags of state machines and activities, and activities by name. Loop thread only; works on the
// store through the committer. Errors carry AWS's texts.

#include <functional>
#include <string>
#include <vector>

#include "orchestrator/committer.h"

namespace millrace::orchestrator {

class Resources {
 public:
  template <class T>
  using Reply = std::function<void(Result<T>)>;

  explicit Resources(Committer& committer) : committer_(committer) {}

  // NotFound for what is no state machine or activity (versions and aliases have no tags); LimitExceeded
  // beyond 50.
  void tag(const std::string& arn, std::vector<TagRow> tags, Reply<std::vector<TagRow>> reply);
  void untag(const std::string& arn, std::vector<std::string> keys, Reply<std::vector<TagRow>> reply);
  void tags(const std::string& arn, Reply<std::vector<TagRow>> reply);

  // The one that is there when its name is taken.
  void create_activity(ActivityRow activity, std::vector<TagRow> tags, Reply<ActivityRow> reply);
  void activity(const std::string& arn, Reply<ActivityRow> reply);  // NotFound
  // By ARN, those behind `after`.
  void activities(const std::string& after, std::size_t limit, Reply<std::vector<ActivityRow>> reply);
  void remove_activity(const std::string& arn, Reply<ActivityRow> reply);  // NotFound

 private:
  Committer& committer_;
};

}  // namespace millrace::orchestrator
