// State machines: CreateStateMachine.

#include "orchestrator/arns.h"
#include "service/api/errors.h"
#include "service/api/operations.h"
#include "service/api/pagination.h"

namespace millrace::api {

void create_state_machine(Call call) {
  if (text_of(call.input, "type") == "EXPRESS")
    return call.reply(refuse("StateMachineTypeNotSupported", "EXPRESS state machines are not served yet"));
  call.services.engine.create_machine(text_of(call.input, "name"), text_of(call.input, "definition"),
                                      [reply = std::move(call.reply)](Result<orchestrator::MachineRow> row) {
                                        if (!row) return reply(refuse(row.error(), kMachineErrors));
                                        JsonWriter out;
                                        out.begin_object().key("stateMachineArn").string(row->arn);
                                        write_time(out, "creationDate", row->created);
                                        out.end_object();
                                        reply(out.finish());
                                      });
}

}  // namespace millrace::api
