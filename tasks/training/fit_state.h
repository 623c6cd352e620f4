#pragma once
// FitState: what a fit knows between two rounds, as the bytes of a checkpoint. One list of fields writes and
// reads: a fit names them in a function of FitState&, which takes them down or gives them their values back,
// so that the two can't differ. Bytes have a checksum (model_bytes.h); they are of no use to another
// algorithm, other data or other settings. One thread.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "tasks/training/estimator.h"
#include "tasks/training/model_bytes.h"

namespace millrace::tasks {

class FitState {
 public:
  explicit FitState(std::string_view algorithm);  // writes
  // Reads. DataLoss: the bytes are damaged, or another algorithm's.
  static Result<FitState> of(std::string_view algorithm, std::string_view bytes);

  bool reading() const { return reader_.has_value(); }
  void field(std::int64_t& value);
  void field(std::uint64_t& value);
  void field(double& value);
  void field(std::string& value);
  // A vector that has values already keeps its length: other bytes are refused.
  void field(std::vector<double>& values);
  void field(std::vector<float>& values);
  void field(std::map<std::string, double>& values);
  // While reading: what must hold for the state to be used.
  void require(bool holds) { consistent_ &= holds; }

  std::string written() &&;
  Status read() const;  // DataLoss unless everything was read and holds

 private:
  explicit FitState(ModelReader reader) : reader_(std::move(reader)) {}
  template <class T>
  void vector_field(std::vector<T>& values, std::vector<T> (ModelReader::*get)());

  std::optional<ModelWriter> writer_;
  std::optional<ModelReader> reader_;
  bool consistent_ = true;
};

// After so many rounds of `context`, or when the last checkpoint is long ago.
bool checkpoint_due(const FitContext& context, std::int64_t rounds_done);

// Goes on from context.resume_from, which rank 0 has: true when there was something. DataLoss.
template <class Fields>
Result<bool> resume_fit(const FitContext& context, std::string_view algorithm, Fields&& fields) {
  std::string bytes(context.resume_from);
  if (context.ranks != nullptr) MR_DO(context.ranks->collective.broadcast(bytes));
  if (bytes.empty()) return false;
  MR_TRY(state, FitState::of(algorithm, bytes));
  fields(state);
  MR_DO(state.read());
  return true;
}

// To be called behind a round that is not the last.
template <class Fields>
void keep_checkpoint(const FitContext& context, std::string_view algorithm, std::int64_t rounds_done,
                     Fields&& fields) {
  if (!checkpoint_due(context, rounds_done)) return;
  FitState state(algorithm);
  fields(state);
  context.checkpoint(std::move(state).written());
}

}  // namespace millrace::tasks
