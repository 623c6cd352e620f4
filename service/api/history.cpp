// GetExecutionHistory.

#include "orchestrator/queries.h"
#include "service/api/errors.h"
#include "service/api/operations.h"
#include "service/api/pagination.h"
#include "states/history_json.h"

namespace millrace::api {

void get_execution_history(Call call) {
  orchestrator::HistoryRequest request;
  request.arn = text_of(call.input, "executionArn");
  request.reverse = flag_of(call.input, "reverseOrder");
  request.limit = page_size(call.input);
  const std::string scope = "GetExecutionHistory " + request.arn + (request.reverse ? " newest first" : "");
  const auto position = page_number(call.input, scope);
  if (!position) return call.reply(tl::unexpected<ApiError>(position.error()));
  request.position = *position;
  const JsonView data = member(call.input, "includeExecutionData");
  const bool with_data = !data || data.boolean();
  call.services.engine.queries().history(
      request, [scope, with_data, reply = std::move(call.reply)](Result<orchestrator::HistoryPage> page) {
        if (!page) return reply(refuse(page.error(), kExecutionErrors));
        JsonWriter out;
        out.begin_object().key("events").begin_array();
        for (const states::Event& event : page->events) states::write_event(out, event, with_data);
        out.end_array();
        if (page->next != 0) out.key("nextToken").string(page_token(scope, std::to_string(page->next)));
        out.end_object();
        reply(out.finish());
      });
}

}  // namespace millrace::api
