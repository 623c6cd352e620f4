#include "tasks/integrations/group_calls.h"

#include "base/encoding.h"

namespace millrace::tasks {
namespace {

struct AskedCall {
  ServiceCall call;
  ServiceReply reply;
  std::function<CarriedOut(const ServiceCall&, GroupStore::Turn&)> run;
  ServiceAnswer answer = Payload();

  GroupStore::End work(GroupStore::Turn& turn) {
    CarriedOut carried = run(call, turn);
    answer = std::move(carried.answer);
    if (answer) return carried.waits ? GroupStore::End::Wait : GroupStore::End::Keep;
    if (!answer.error().of_store) return GroupStore::End::Undo;
    turn.error = Error{answer.error().store_code, answer.error().message, {}};
    return GroupStore::End::Broken;
  }
  void done(const Status& durable) {
    reply(durable ? std::move(answer) : ServiceAnswer(tl::unexpected<ServiceError>(durable.error())));
  }
};

}  // namespace

void submit_call(GroupStore& group, ServiceCall call, ServiceReply reply,
                 std::function<CarriedOut(const ServiceCall&, GroupStore::Turn&)> run,
                 const ServiceError& refused) {
  GroupStore::Piece piece;
  piece.gone = call.gone;
  const auto asked =
      std::make_shared<AskedCall>(AskedCall{std::move(call), std::move(reply), std::move(run)});
  piece.work = [asked](GroupStore::Turn& turn) { return asked->work(turn); };
  piece.done = [asked](const Status& durable) { asked->done(durable); };
  if (!group.submit(std::move(piece))) asked->reply(tl::unexpected<ServiceError>(refused));
}

std::string request_digest(const ServiceCall& call) {
  return digest_hex(Digest::Sha256, call.operation + "\n" + std::string(call.input.text()));
}

}  // namespace millrace::tasks
