#pragma once
// Deployment: an update of an endpoint that takes its time, as it stands in the endpoint's record; and
// Deployments, which carries every one on: a step when it is due, a look at guards and alarms each second,
// back when one of them fires. What is done is a write of the record, so that a process that dies goes on
// from there; the host (endpoint_host.h) serves what the record says. A thread of its own.

#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <thread>

#include "base/clock.h"
#include "base/json.h"
#include "base/result.h"
#include "tasks/deployment/rollout.h"
#include "tasks/jobs/jobs.h"

namespace millrace::tasks {

class EndpointHost;

// What a CloudWatch alarm of that name says now: "OK", "ALARM", "INSUFFICIENT_DATA"; empty: there is none.
// Any thread.
using AlarmLookup = std::function<std::string(std::string_view name)>;

// The fleet that an endpoint's record is about, and the one whose requests outcomes belong to: a name that no
// two fleets of an endpoint share.
std::string fleet_of(const Json& record);
void name_fleet(Json& record, Instant now);  // by its configuration and the time

struct Deployment {
  std::string id;   // the new fleet's
  std::string key;  // of the call that asked for it, see TaskCall
  Json config;      // DeploymentConfig
  Json next;        // what the endpoint says of itself afterwards
  std::int64_t instances = 1, begun_ms = 0;
  RolloutPlan plan;
  RolloutState state;

  // Nothing when no update is on its way.
  static std::optional<Deployment> of(const Json& record);
  // Into the record: the status, the summary of what is pending, our notes.
  void write(Json& record, Instant now) const;
  // Ends it: the record is the new fleet's, or again the old one's alone.
  void complete(Json& record, Instant now) const;
  void rolled_back(Json& record, Instant now) const;
};

class Deployments {
 public:
  struct Settings {
    Millis interval{1'000};   // between two looks at the guards
    AlarmLookup alarm_state;  // may be empty
    // Labels of a fleet's requests so far: how many, and how many predictions were right; may be empty.
    std::function<void(const std::string& endpoint, const std::string& fleet, FleetSeen& seen)> labels;
  };
  // All are borrowed.
  Deployments(Jobs& jobs, EndpointHost& host, const Clock& clock, Settings settings);
  ~Deployments();  // what is on its way is gone on with by the next
  Deployments(const Deployments&) = delete;
  Deployments& operator=(const Deployments&) = delete;

  void begin();                             // with what an earlier process left; once
  void changed(std::string_view endpoint);  // its record may have a deployment; any thread

 private:
  void work();
  void resume_all();
  std::optional<Millis> look_at(const std::string& endpoint);  // the time to the next look, or none
  std::string trouble(const std::string& endpoint, const Json& record, const Deployment& deployment) const;
  Status move(const std::string& endpoint, const Deployment& deployment, RolloutDecision decision);

  Jobs& jobs_;
  EndpointHost& host_;
  const Clock& clock_;
  const Settings settings_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::set<std::string> active_;  // endpoints to look at; guarded by mutex_
  bool stopping_ = false, woken_ = false;
  std::jthread thread_;  // last: it uses the rest
};

}  // namespace millrace::tasks
