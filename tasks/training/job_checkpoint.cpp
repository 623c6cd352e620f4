#include "tasks/training/job_checkpoint.h"

#include "base/encoding.h"
#include "tasks/artifacts/object_store.h"

namespace millrace::tasks {

namespace {

constexpr std::int64_t kCheckpointRounds = 10;  // rounds between checkpoints
constexpr Millis kCheckpointMost{10'000};       // and the longest time between two
constexpr std::string_view kCheckpointMark = "millrace-checkpoint 1 ";
constexpr std::size_t kHashText = 64;

// "<mark><hash of what it belongs to> <hash of the bytes>\n", then the bytes.
std::string sealed(const std::string& belongs_to, std::string_view bytes) {
  std::string out(kCheckpointMark);
  out += belongs_to + " " + digest_hex(Digest::Sha256, bytes) + "\n";
  return out.append(bytes);
}

std::string settings_of(const TrainingSpec& spec) {
  std::string text(spec.kind->name);
  const auto add = [&](std::string_view part) { text += '\0', text += part; };
  for (const auto& [name, value] : spec.parameters) add(name), add(value);
  for (const std::string& part : {std::to_string(spec.seed), spec.target, spec.weight, spec.group}) add(part);
  return text;
}

}  // namespace

JobCheckpoint::JobCheckpoint(const TrainingSpec& spec, std::string_view data, TaskContext& context,
                             Write write)
    : spec_(spec), context_(context), write_(std::move(write)), last_(context.clock().uptime()) {
  belongs_to_ = digest_hex(Digest::Sha256, settings_of(spec).append(1, '\0').append(data));
}

Status JobCheckpoint::attach(FitContext& fit) {
  if (spec_.checkpoint_uri.empty()) return {};
  if (!spec_.keeps_checkpoints()) {
    context_.log(std::string(spec_.kind->name) +
                 " keeps no checkpoints with these settings: after an interruption it begins again");
    return {};
  }
  const std::string name = spec_.checkpoint_name();
  fit.checkpoint_rounds = kCheckpointRounds;
  fit.checkpoint_overdue = [this] { return context_.clock().uptime() - last_ >= kCheckpointMost; };
  fit.checkpoint = [this, name](std::string_view bytes) {
    const std::string whole = sealed(belongs_to_, bytes);
    if (written_) written_ = write_ ? write_(name, whole) : context_.objects().write(name, whole);
    last_ = context_.clock().uptime();
  };
  auto bytes = context_.objects().read(name);
  if (!bytes && bytes.error().code == ErrorCode::NotFound) return {};
  if (!bytes) return tl::make_unexpected(bytes.error());
  const std::size_t head = kCheckpointMark.size() + 2 * kHashText + 2;
  const std::string_view body = std::string_view(*bytes).substr(std::min(head, bytes->size()));
  if (!bytes->starts_with(kCheckpointMark) || bytes->size() < head ||
      bytes->substr(head - kHashText - 1, kHashText) != digest_hex(Digest::Sha256, body))
    return tl::make_unexpected(
        Error{ErrorCode::DataLoss, name + " is not a whole checkpoint", "delete it to begin from the start"});
  if (bytes->substr(kCheckpointMark.size(), kHashText) != belongs_to_) {
    context_.log(name + " is of other data or settings: training begins from the start");
    return {};
  }
  context_.log("continuing from " + name);
  resumed_ = body;
  fit.resume_from = resumed_;
  return {};
}

}  // namespace millrace::tasks
