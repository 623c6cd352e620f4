#include "service/ops/operator_log.h"

#include "base/log.h"

namespace millrace::service {
namespace {

constexpr std::size_t kCauseShown = 200;  // bytes

std::string cut(const std::string& text) {
  if (log::payloads() || text.size() <= kCauseShown) return text;
  std::size_t end = kCauseShown;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return text.substr(0, end) + "…";
}

}  // namespace

void OperatorLog::on_step(const orchestrator::Observed& what, const orchestrator::StepTally& tally,
                          std::span<const states::Event>) {
  const states::Execution& e = what.execution;
  const bool ended = tally.ended && e.ended();
  if (tally.failures > 0 && !(ended && e.status != states::ExecutionStatus::Succeeded)) {
    log::info("a task failed and no Retry answers it", {{"execution", e.identity.arn},
                                                        {"machine", e.identity.machine_name},
                                                        {"failures", std::to_string(tally.failures)}});
  }
  if (!ended || e.status == states::ExecutionStatus::Succeeded) return;
  const Failure none;
  const Failure& failure = e.failure ? *e.failure : none;
  const log::Level level =
      e.status == states::ExecutionStatus::Aborted ? log::Level::Info : log::Level::Warning;
  log::write(level, "an execution did not succeed",
             {{"execution", e.identity.arn},
              {"machine", e.identity.machine_name},
              {"status", std::string(name_of(e.status))},
              {"error", failure.error},
              {"cause", cut(failure.cause)}});
}

}  // namespace millrace::service
