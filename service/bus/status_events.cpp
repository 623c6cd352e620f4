#include "service/bus/status_events.h"

#include "service/bus/delivery.h"

namespace millrace::bus {
namespace {

constexpr std::size_t kRowsAtOnce = 500;
constexpr std::size_t kDocumentsMax = 253'952;  // AWS: 248 KiB of input and output together

void write_document(JsonWriter& out, std::string_view name, const Payload* document, bool included) {
  out.key(name);
  if (document && included)
    out.string(document->text());
  else
    out.null();
}

void write_text(JsonWriter& out, std::string_view name, const std::string* text) {
  out.key(name);
  if (text)
    out.string(*text);
  else
    out.null();
}

}  // namespace

void StatusEvents::put(const Change& change) {
  const std::string_view status = states::name_of(change.status);
  const std::string name = std::string(kNames) + change.identity.arn + "/" + std::string(status) + "/" +
                           std::to_string(change.redrives);
  const Payload* output = change.output ? &*change.output : nullptr;
  const bool fits = change.input.size() + (output ? output->size() : 0) <= kDocumentsMax;
  JsonWriter out;
  out.begin_object().key("version").string("0").key("id").string(uuid_named(name));
  out.key("detail-type").string(kDetailType).key("source").string(kSource);
  out.key("account").string(place_.account).key("time").string(format_rfc3339(change.at).substr(0, 19) + "Z");
  out.key("region")
      .string(place_.region)
      .key("resources")
      .begin_array()
      .string(change.identity.arn)
      .end_array();
  out.key("detail").begin_object();
  out.key("executionArn")
      .string(change.identity.arn)
      .key("stateMachineArn")
      .string(change.identity.machine_arn);
  out.key("name").string(change.identity.name).key("status").string(status);
  out.key("startDate").number(to_millis(change.started)).key("stopDate");
  if (change.stopped)
    out.number(to_millis(*change.stopped));
  else
    out.null();
  write_document(out, "input", &change.input, fits);
  write_document(out, "output", output, fits);
  const std::string &version = change.identity.version_arn, &alias = change.identity.alias_arn;
  write_text(out, "stateMachineVersionArn", version.empty() ? nullptr : &version);
  write_text(out, "stateMachineAliasArn", alias.empty() ? nullptr : &alias);
  out.key("redriveCount").number(static_cast<std::int64_t>(change.redrives)).key("redriveDate");
  if (change.redriven)
    out.number(to_millis(*change.redriven));
  else
    out.null();
  out.key("inputDetails").begin_object().key("included").boolean(fits).end_object();
  out.key("outputDetails");
  if (output)
    out.begin_object().key("included").boolean(fits).end_object();
  else
    out.null();
  const Failure* failure = change.failure ? &*change.failure : nullptr;
  write_text(out, "error", failure && failure->has_error ? &failure->error : nullptr);
  write_text(out, "cause", failure && failure->has_cause ? &failure->cause : nullptr);
  out.end_object().end_object();
  put_(name, "default", out.finish(), {});
}

void StatusEvents::on_step(const orchestrator::Observed& what, const orchestrator::StepTally& tally,
                           std::span<const states::Event>) {
  if (!since_ || what.in_memory || what.child) return;
  if (!tally.started && !tally.ended && !tally.redriven) return;
  const states::Execution& e = what.execution;
  const auto change = [&](states::ExecutionStatus status, Instant at) {
    const bool over = status != states::ExecutionStatus::Running;
    static const std::optional<Payload> kNoOutput;
    static const std::optional<Failure> kNoFailure;
    put({e.identity, status, e.started, over ? e.stopped : std::nullopt, e.input, over ? e.output : kNoOutput,
         over ? e.failure : kNoFailure, e.redrives, e.redriven, at});
  };
  if (tally.started) change(states::ExecutionStatus::Running, e.started);
  if (tally.redriven) change(states::ExecutionStatus::Running, e.redriven.value_or(e.started));
  if (tally.ended && e.ended()) change(e.status, e.stopped.value_or(e.started));
}

void StatusEvents::make_up(Instant since) {
  look_through(ExecutionId{}, since);
}

void StatusEvents::look_through(ExecutionId before, Instant since) {
  engine_.queries().ask<std::vector<orchestrator::ExecutionRow>>(
      [before](orchestrator::Store& store) { return store.executions({}, before, kRowsAtOnce); },
      [this, since, alive = std::weak_ptr(alive_)](Result<std::vector<orchestrator::ExecutionRow>> rows) {
        if (alive.expired() || !rows || rows->empty()) return;
        for (const orchestrator::ExecutionRow& row : *rows) {
          const bool changed = row.started >= since || (row.stopped && *row.stopped >= since) ||
                               (row.redriven && *row.redriven >= since);
          if (!changed) continue;
          engine_.queries().ask<orchestrator::MachineRow>(
              [id = row.machine](orchestrator::Store& store) { return store.machine(id); },
              [this, name = row.name, since,
               gone = std::weak_ptr(alive_)](Result<orchestrator::MachineRow> machine) {
                if (gone.expired() || !machine || machine->type == orchestrator::MachineType::Express) return;
                put_row(orchestrator::execution_arn(engine_.settings(), machine->name, name), since);
              });
        }
        look_through(rows->back().id, since);
      });
}

void StatusEvents::put_row(const std::string& arn, Instant since) {
  engine_.queries().describe(
      arn, [this, since, alive = std::weak_ptr(alive_)](const Result<orchestrator::ExecutionView>& view) {
        if (alive.expired() || !view) return;
        const orchestrator::ExecutionRow& row = view->row;
        static const std::optional<Payload> kNoOutput;
        static const std::optional<Failure> kNoFailure;
        if (row.started >= since)
          put({view->identity, states::ExecutionStatus::Running, row.started, std::nullopt, view->input,
               kNoOutput, kNoFailure, 0, std::nullopt, row.started});
        if (row.redriven && *row.redriven >= since)
          put({view->identity, states::ExecutionStatus::Running, row.started, std::nullopt, view->input,
               kNoOutput, kNoFailure, row.redrives, row.redriven, *row.redriven});
        if (row.stopped && *row.stopped >= since && row.status != states::ExecutionStatus::Running)
          put({view->identity, row.status, row.started, row.stopped, view->input, view->output, view->failure,
               row.redrives, row.redriven, *row.stopped});
      });
}

}  // namespace millrace::bus
