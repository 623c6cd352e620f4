#pragma once
// Resources: tags of state machines and activities, and activities by name. Loop thread only; works on the
// store through the committer. Errors carry AWS's texts.

#include <functional>
#include <set>
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
  // Reads which there are, once; from then on has_activity() knows without the store.
  void learn_activities(Reply<void> reply);
  bool has_activity(std::string_view arn) const { return known_.contains(arn); }

 private:
  Committer& committer_;
  std::set<std::string, std::less<>> known_;
};

}  // namespace millrace::orchestrator
