#pragma once
// FunctionPool: one function's queue and its worker processes. The host's thread only.

#include <deque>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tasks/functions/function_log.h"
#include "tasks/functions/host.h"
#include "tasks/functions/worker.h"
#include "tasks/request_ids.h"

namespace millrace::tasks {

struct FunctionJob {
  std::uint64_t id = 0;
  Invocation invocation;
  FunctionHost::Reply reply;
  std::string request_id;
};

class FunctionPool {
 public:
  FunctionPool(const FunctionHost::Settings& settings, const Clock& clock, RequestIds& ids, std::string name);
  ~FunctionPool();

  void add(FunctionJob job) { queue_.push_back(std::move(job)); }
  bool cancel(std::uint64_t id);  // false: it is not here
  // Gives waiting invocations to workers; starts at most `starts_max` new ones. How many were started.
  int dispatch(int starts_max);
  // What the workers wait for, and what they have to say.
  void waits_for(std::vector<pollfd>& polled) const;
  void pump();
  // Ends what is over time or too long idle. The next moment (uptime) at which this has to be asked again.
  std::optional<Millis> expire(Millis now);
  bool drop_idle_worker();  // to make room for another function
  std::size_t waiting() const { return queue_.size(); }
  std::size_t workers() const { return seats_.size(); }

 private:
  struct Seat;  // a worker and what it does
  using Seats = std::list<std::unique_ptr<Seat>>;

  void refresh();
  void fail_waiting(InvocationAnswer::Kind kind, const std::string& why);
  bool start_seat();
  void begin(Seat& seat);
  void take_log(Seat& seat);
  bool handle(Seat& seat, WorkerMessage message);  // false: the seat is to be dropped
  void answer(Seat& seat, InvocationAnswer answer);
  InvocationAnswer result_of(const Seat& seat, const std::string& body) const;
  void time_out(Seat& seat);

  const FunctionHost::Settings& settings_;
  const Clock& clock_;
  RequestIds& ids_;
  const std::string name_;
  std::optional<Function> function_;
  std::uint64_t revision_ = 0;      // counts the versions of its files that were seen
  Millis look_again_{0};            // uptime
  void say(std::string_view text);  // to the logs
  FunctionLog log_;
  std::deque<FunctionJob> queue_;
  Seats seats_;
};

}  // namespace millrace::tasks
