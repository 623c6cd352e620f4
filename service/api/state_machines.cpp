// State machines: Create-, Update-, Describe-, DeleteStateMachine, ListStateMachines,
// DescribeStateMachineForExecution.

#include "definitions/compile.h"
#include "definitions/variables.h"
#include "orchestrator/arns.h"
#include "orchestrator/machines.h"
#include "orchestrator/queries.h"
#include "service/api/configuration.h"
#include "service/api/errors.h"
#include "service/api/operations.h"
#include "service/api/pagination.h"

namespace millrace::api {
namespace {

using orchestrator::MachineRow;

std::optional<ApiError> check_version_description(JsonView input) {
  if (!member(input, "versionDescription") || flag_of(input, "publish")) return std::nullopt;
  return ApiError{"ValidationException", "Version description can only be set when publish is true", 400};
}

void write_version_arn(JsonWriter& out, const orchestrator::MachineChange& change) {
  if (change.version != 0)
    out.key("stateMachineVersionArn").string(change.row.arn + ":" + std::to_string(change.version));
}

// Which variables each state reads; nothing when none does.
void write_variable_references(JsonWriter& out, const std::string& definition) {
  const definitions::Compiled compiled = definitions::compile(definition);
  if (!compiled.program) return;
  const auto references = definitions::variable_references(*compiled.program);
  if (references.empty()) return;
  out.key("variableReferences").begin_object();
  for (const auto& [state, names] : references) {
    out.key(state).begin_array();
    for (const std::string& name : names) out.string(name);
    out.end_array();
  }
  out.end_object();
}

// What both describe operations show.
void write_machine(JsonWriter& out, const MachineRow& row, bool with_data) {
  out.key("name").string(row.name);
  if (with_data) out.key("definition").string(row.definition);
  out.key("roleArn").string(row.role_arn);
  write_configuration(out, row.logging, row.tracing);
  if (with_data) write_variable_references(out, row.definition);
  if (!row.revision.empty()) out.key("revisionId").string(row.revision);
}

// A state machine as DescribeStateMachine shows it: the newest revision, or a version's.
struct Shown {
  std::string arn;
  MachineRow row;
  Instant created;
  std::string description;
};

Result<Shown> read_shown(orchestrator::Store& store, const std::string& text) {
  MR_TRY(arn, orchestrator::parse_arn(text, "stateMachine"));
  const auto none = [&] { return fail(ErrorCode::NotFound, "State Machine Does Not Exist: '" + text + "'"); };
  if (arn.qualifier.empty()) {
    MR_TRY(row, store.newest_machine(text));
    return Shown{text, row, row.machine_created, {}};
  }
  if (!arn.is_version()) return none();
  const auto versions = orchestrator::list_versions(store, text, 0, ~std::size_t{0});
  if (!versions) return versions.error().code == ErrorCode::NotFound ? none() : fail(versions.error());
  for (const orchestrator::VersionRow& version : *versions) {
    if (std::to_string(version.number) != arn.qualifier) continue;
    MR_TRY(row, store.machine(version.machine));
    return Shown{text, row, version.created, version.description};
  }
  return none();
}

Payload describe(const Shown& shown, bool with_data) {
  JsonWriter out;
  out.begin_object().key("stateMachineArn").string(shown.arn);
  out.key("status").string(shown.row.status == orchestrator::MachineStatus::Active ? "ACTIVE" : "DELETING");
  out.key("type").string(name_of(shown.row.type));
  write_time(out, "creationDate", shown.created);
  write_machine(out, shown.row, with_data);
  if (!shown.description.empty()) out.key("description").string(shown.description);
  out.end_object();
  return out.finish();
}

}  // namespace

void create_state_machine(Call call) {
  if (auto wrong = check_version_description(call.input))
    return call.reply(tl::unexpected<ApiError>(*std::move(wrong)));
  if (auto wrong = check_encryption(call.input))
    return call.reply(tl::unexpected<ApiError>(*std::move(wrong)));
  auto logging = logging_text(member(call.input, "loggingConfiguration"));
  if (!logging) return call.reply(tl::unexpected<ApiError>(logging.error()));
  auto& engine = call.services.engine;
  orchestrator::NewMachine request;
  request.name = text_of(call.input, "name");
  if (const Status ok = orchestrator::check_name(request.name, engine.settings().limits); !ok)
    return call.reply(refuse(ok.error(), kMachineErrors));
  request.arn = orchestrator::machine_arn(engine.settings(), request.name);
  request.definition = text_of(call.input, "definition");
  request.role_arn = text_of(call.input, "roleArn");
  request.type = text_of(call.input, "type") == "EXPRESS" ? orchestrator::MachineType::Express
                                                          : orchestrator::MachineType::Standard;
  request.logging = *std::move(logging);
  request.tracing = tracing_text(member(call.input, "tracingConfiguration"));
  request.tags = tags_of(call.input);
  request.publish = flag_of(call.input, "publish");
  request.description = text_of(call.input, "versionDescription");
  engine.machines().create(std::move(request), call.services.loop.clock().now(),
                           [reply = std::move(call.reply)](Result<orchestrator::MachineChange> change) {
                             if (!change) return reply(refuse(change.error(), kMachineErrors));
                             JsonWriter out;
                             out.begin_object().key("stateMachineArn").string(change->row.arn);
                             write_time(out, "creationDate", change->row.machine_created);
                             write_version_arn(out, *change);
                             out.end_object();
                             reply(out.finish());
                           });
}

void update_state_machine(Call call) {
  const auto given = [&](std::string_view name) { return static_cast<bool>(member(call.input, name)); };
  if (!given("definition") && !given("roleArn") && !given("loggingConfiguration") &&
      !given("tracingConfiguration") && !given("encryptionConfiguration"))
    return call.reply(refuse("MissingRequiredParameter",
                             "Either the definition, the role ARN, the LoggingConfiguration, or the "
                             "TracingConfiguration must be specified"));
  if (auto wrong = check_version_description(call.input))
    return call.reply(tl::unexpected<ApiError>(*std::move(wrong)));
  if (auto wrong = check_encryption(call.input))
    return call.reply(tl::unexpected<ApiError>(*std::move(wrong)));
  orchestrator::MachineEdit edit;
  edit.arn = text_of(call.input, "stateMachineArn");
  if (given("definition")) edit.definition = text_of(call.input, "definition");
  if (given("roleArn")) edit.role_arn = text_of(call.input, "roleArn");
  if (given("loggingConfiguration")) {
    auto logging = logging_text(member(call.input, "loggingConfiguration"));
    if (!logging) return call.reply(tl::unexpected<ApiError>(logging.error()));
    edit.logging = *std::move(logging);
  }
  if (given("tracingConfiguration")) edit.tracing = tracing_text(member(call.input, "tracingConfiguration"));
  edit.publish = flag_of(call.input, "publish");
  edit.description = text_of(call.input, "versionDescription");
  const Instant now = call.services.loop.clock().now();
  call.services.engine.machines().update(
      std::move(edit), now, [now, reply = std::move(call.reply)](Result<orchestrator::MachineChange> change) {
        if (!change) return reply(refuse(change.error(), kMachineErrors));
        JsonWriter out;
        out.begin_object();
        write_time(out, "updateDate", now);
        if (!change->row.revision.empty()) out.key("revisionId").string(change->row.revision);
        write_version_arn(out, *change);
        out.end_object();
        reply(out.finish());
      });
}

void delete_state_machine(Call call) {
  const std::string arn = text_of(call.input, "stateMachineArn");
  if (const auto parsed = orchestrator::parse_arn(arn, "stateMachine"); !parsed)
    return call.reply(refuse(parsed.error(), kMachineErrors));
  call.services.engine.delete_machine(arn, [reply = std::move(call.reply)](Status done) {
    if (!done) return reply(refuse(done.error(), kMachineErrors));
    reply(empty_answer());
  });
}

void describe_state_machine(Call call) {
  const std::string arn = text_of(call.input, "stateMachineArn");
  const bool with_data = text_of(call.input, "includedData") != "METADATA_ONLY";
  call.services.engine.queries().ask<Shown>(
      [arn](orchestrator::Store& store) { return read_shown(store, arn); },
      [with_data, reply = std::move(call.reply)](Result<Shown> shown) {
        if (!shown) return reply(refuse(shown.error(), kMachineErrors));
        reply(describe(*shown, with_data));
      });
}

void describe_state_machine_for_execution(Call call) {
  const bool with_data = text_of(call.input, "includedData") != "METADATA_ONLY";
  call.services.engine.queries().describe(
      text_of(call.input, "executionArn"),
      [with_data, reply = std::move(call.reply)](Result<orchestrator::ExecutionView> view) {
        if (!view) return reply(refuse(view.error(), kExecutionErrors));
        JsonWriter out;
        out.begin_object().key("stateMachineArn").string(view->identity.machine_arn);
        write_machine(out, view->machine, with_data);
        write_time(out, "updateDate", view->machine.created);
        out.end_object();
        reply(out.finish());
      });
}

void list_state_machines(Call call) {
  const std::string scope = "ListStateMachines";
  const auto after = page_position(call.input, scope);
  if (!after) return call.reply(tl::unexpected<ApiError>(after.error()));
  const std::size_t limit = page_size(call.input);
  call.services.engine.queries().ask<std::vector<MachineRow>>(
      [after = *after, limit](orchestrator::Store& store) {
        return store.catalog().machines(after, limit + 1);
      },
      [scope, limit, reply = std::move(call.reply)](Result<std::vector<MachineRow>> rows) {
        if (!rows) return reply(refuse(rows.error(), kMachineErrors));
        const bool more = rows->size() > limit;
        if (more) rows->resize(limit);
        JsonWriter out;
        out.begin_object().key("stateMachines").begin_array();
        for (const MachineRow& row : *rows) {
          out.begin_object().key("stateMachineArn").string(row.arn).key("name").string(row.name);
          out.key("type").string(name_of(row.type));
          write_time(out, "creationDate", row.machine_created);
          out.end_object();
        }
        out.end_array();
        if (more) out.key("nextToken").string(page_token(scope, rows->back().name));
        out.end_object();
        reply(out.finish());
      });
}

}  // namespace millrace::api
