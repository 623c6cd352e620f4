#pragma once
// Tables: DynamoDB on one SQLite file: any thread asks, the tables' own thread answers when what was written
// is durable (group commit, see group_store.h). An attempt's write is applied once, see attempts.h.

#include <memory>

#include "base/clock.h"
#include "tasks/integrations/service_call.h"

namespace millrace::tasks::dynamodb {

class Tables {
 public:
  // Makes the file when it is missing. The clock is borrowed.
  static Result<std::unique_ptr<Tables>> open(const std::string& path, ServicePlace place, const Clock& clock,
                                              std::uint64_t seed);
  ~Tables();  // answers what was asked
  static bool has(std::string_view operation);
  void call(ServiceCall call, ServiceReply reply);

 private:
  struct State;
  explicit Tables(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace millrace::tasks::dynamodb
