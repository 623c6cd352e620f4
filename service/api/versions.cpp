// Versions: PublishStateMachineVersion, ListStateMachineVersions, DeleteStateMachineVersion.

#include "orchestrator/arns.h"
#include "orchestrator/machines.h"
#include "orchestrator/queries.h"
#include "service/api/errors.h"
#include "service/api/operations.h"
#include "service/api/pagination.h"

namespace millrace::api {
namespace {

using orchestrator::VersionRow;
using Versions = std::vector<VersionRow>;

void write_version(JsonWriter& out, const std::string& machine_arn, const VersionRow& version) {
  out.begin_object();
  out.key("stateMachineVersionArn").string(machine_arn + ":" + std::to_string(version.number));
  write_time(out, "creationDate", version.created);
  out.end_object();
}

}  // namespace

void publish_state_machine_version(Call call) {
  const std::string arn = text_of(call.input, "stateMachineArn");
  const Instant now = call.services.loop.clock().now();
  call.services.engine.machines().change<VersionRow>(
      arn,
      [arn, now, revision = text_of(call.input, "revisionId"),
       description = text_of(call.input, "description")](orchestrator::Store& store) {
        return orchestrator::publish_version(store, arn, revision, description, now);
      },
      [arn, reply = std::move(call.reply)](Result<VersionRow> version) {
        if (!version) return reply(refuse(version.error(), kMachineErrors));
        JsonWriter out;
        write_version(out, arn, *version);
        reply(out.finish());
      });
}

void list_state_machine_versions(Call call) {
  const std::string arn = text_of(call.input, "stateMachineArn");
  const std::string scope = "ListStateMachineVersions " + arn;
  const auto below = page_number(call.input, scope);
  if (!below) return call.reply(tl::unexpected<ApiError>(below.error()));
  const std::size_t limit = page_size(call.input);
  call.services.engine.queries().ask<Versions>(
      [arn, limit, below = static_cast<std::uint32_t>(*below)](orchestrator::Store& store) {
        return orchestrator::list_versions(store, arn, below, limit + 1);
      },
      [arn, scope, limit, reply = std::move(call.reply)](Result<Versions> versions) {
        if (!versions) return reply(refuse(versions.error(), kMachineErrors));
        const bool more = versions->size() > limit;
        if (more) versions->resize(limit);
        JsonWriter out;
        out.begin_object().key("stateMachineVersions").begin_array();
        for (const VersionRow& version : *versions) write_version(out, arn, version);
        out.end_array();
        if (more) out.key("nextToken").string(page_token(scope, std::to_string(versions->back().number)));
        out.end_object();
        reply(out.finish());
      });
}

void delete_state_machine_version(Call call) {
  const std::string text = text_of(call.input, "stateMachineVersionArn");
  const auto arn = orchestrator::parse_arn(text, "stateMachine");
  if (!arn) return call.reply(refuse(arn.error(), kMachineErrors));
  call.services.engine.machines().change<void>(
      arn->unqualified(),
      [text](orchestrator::Store& store) { return orchestrator::remove_version(store, text); },
      [reply = std::move(call.reply)](Status done) {
        if (!done) return reply(refuse(done.error(), kMachineErrors));
        reply(empty_answer());
      });
}

}  // namespace millrace::api
