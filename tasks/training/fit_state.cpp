#include "tasks/training/fit_state.h"

namespace millrace::tasks {

namespace {

constexpr std::string_view kStateMagic = "MRFS";
constexpr std::uint8_t kStateVersion = 1;

}  // namespace

FitState::FitState(std::string_view algorithm) : writer_(std::in_place, kStateMagic, kStateVersion) {
  writer_->put(algorithm);
}

Result<FitState> FitState::of(std::string_view algorithm, std::string_view bytes) {
  MR_TRY(reader,
         ModelReader::open(std::string(algorithm) + " checkpoint", kStateMagic, kStateVersion, bytes));
  FitState state(std::move(reader));
  state.require(state.reader_->text() == algorithm);
  return state;
}

void FitState::field(std::int64_t& value) {
  auto bits = static_cast<std::uint64_t>(value);
  field(bits);
  value = static_cast<std::int64_t>(bits);
}

void FitState::field(std::uint64_t& value) {
  if (writer_)
    writer_->put(value);
  else
    value = reader_->u64();
}

void FitState::field(double& value) {
  if (writer_)
    writer_->put(value);
  else
    value = reader_->real();
}

void FitState::field(std::string& value) {
  if (writer_)
    writer_->put(std::string_view(value));
  else
    value = reader_->text();
}

template <class T>
void FitState::vector_field(std::vector<T>& values, std::vector<T> (ModelReader::*get)()) {
  if (writer_) {
    writer_->put(std::span<const T>(values));
    return;
  }
  std::vector<T> read = ((*reader_).*get)();
  require(values.empty() || read.size() == values.size());
  if (values.empty() || read.size() == values.size()) values = std::move(read);
}

void FitState::field(std::vector<double>& values) {
  vector_field(values, &ModelReader::reals);
}
void FitState::field(std::vector<float>& values) {
  vector_field(values, &ModelReader::floats);
}

void FitState::field(std::map<std::string, double>& values) {
  std::uint64_t count = values.size();
  field(count);
  if (writer_) {
    for (const auto& [name, value] : values) writer_->put(std::string_view(name)).put(value);
    return;
  }
  values.clear();
  for (std::uint64_t k = 0; k < count && reader_->whole(); ++k) {
    std::string name = reader_->text();
    values[std::move(name)] = reader_->real();
  }
}

std::string FitState::written() && {
  return std::move(*writer_).finish();
}

Status FitState::read() const {
  return reader_->finish(consistent_);
}

bool checkpoint_due(const FitContext& context, std::int64_t rounds_done) {
  if (!context.checkpoint || context.checkpoint_rounds <= 0) return false;
  return rounds_done % context.checkpoint_rounds == 0 ||
         (context.checkpoint_overdue && context.checkpoint_overdue());
}

}  // namespace millrace::tasks
