#pragma once
// LogsApi: the part of CloudWatch Logs' API that a log store here has: groups, streams, events, filters,
// retention, tags; AWS JSON 1.1, X-Amz-Target Logs_20140328.OPERATION. Loop thread; the work is done on the
// log writer's, so an answer shows what was logged before the question. Times are whole milliseconds. Source:
// CloudWatch Logs API reference, 2014-03-28.

#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/random.h"
#include "service/api/call.h"
#include "service/api/shapes.h"
#include "service/http/server.h"
#include "service/ops/log_writer.h"

namespace millrace::api {

struct LogsPlace {
  std::string region = "us-east-1", account = "123456789012";
};

// What an operation works on; on the log writer's thread.
struct LogsCall {
  service::LogStore& store;
  JsonView input;  // has passed its shape's checks
  const LogsPlace& place;
  Instant now;
};
struct LogsOperation {
  std::string_view name;
  Answer (*run)(const LogsCall& call);
  std::span<const Member> input;
};
std::span<const LogsOperation> logs_operations();

class LogsApi {
 public:
  using Post = std::function<void(std::function<void()>)>;  // runs a function on the loop; any thread

  // Borrowed. `seed`: of request ids.
  LogsApi(service::LogWriter& writer, LogsPlace place, Post post, const Clock& clock, std::uint64_t seed)
      : writer_(writer), place_(std::move(place)), post_(std::move(post)), clock_(clock), random_(seed) {}

  static constexpr std::string_view kTarget = "Logs_20140328.";
  void handle(http::ExchangePtr exchange);
  // The same for another front: the operation without its prefix, the body, and the answer on the loop.
  void call(std::string_view operation, Payload input, std::function<void(Answer)> reply);

 private:
  service::LogWriter& writer_;
  const LogsPlace place_;
  const Post post_;
  const Clock& clock_;
  Random random_;
};

// The name of the group of "arn:aws:logs:REGION:ACCOUNT:log-group:NAME:*", or the text itself.
std::string log_group_name(std::string_view identifier);

}  // namespace millrace::api
