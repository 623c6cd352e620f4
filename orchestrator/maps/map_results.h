#pragma once
// Results of a map run's children on their way out: into the state's output, or into files of the object
// store. One after the other in the order of the items; no more than one is held.
// Source: Step Functions developer guide, "ResultWriter (Map)".

#include <memory>
#include <optional>
#include <string>

#include "base/failure.h"
#include "definitions/nodes.h"
#include "orchestrator/maps/object_source.h"
#include "orchestrator/store/store.h"

namespace millrace::orchestrator {

// What is told of one child. A child that was never started has an input and nothing else.
struct ChildResult {
  std::string name;
  std::optional<states::ExecutionStatus> status;  // nothing: pending
  Instant started, stopped;
  std::optional<Payload> input, output;
  std::optional<Failure> failure;
  std::uint32_t redrives = 0;
};

// The names that a run's children are told under.
struct ChildNames {
  std::string execution_prefix;  // arn:aws:states:R:A:execution:MACHINE/LABEL
  std::string machine_arn;       // arn:aws:states:R:A:stateMachine:MACHINE/LABEL
  static ChildNames of(const std::string& map_run_arn);
};
// The last part of a map run's ARN, its UUID; and MACHINE/LABEL.
std::string_view run_uuid(std::string_view map_run_arn);
std::string_view run_machine(std::string_view map_run_arn);

// The array of results that becomes the state's output. Nothing once it is larger than `bytes_max`.
class ResultArray {
 public:
  ResultArray(const definitions::ResultWriter* writer, ChildNames names, std::size_t bytes_max);
  void add(const ChildResult& child);
  std::optional<Payload> finish();

 private:
  const definitions::ResultTransformation transformation_;
  const ChildNames names_;
  const std::size_t bytes_max_;
  JsonWriter out_;
  std::size_t bytes_ = 2;
};

// Result files. `objects` is borrowed; one thread at a time.
class ResultFiles {
 public:
  ResultFiles(ObjectSource& objects, const definitions::ResultWriter& writer, const Payload& arguments,
              std::string map_run_arn, std::uint32_t redrives);
  ~ResultFiles();
  Status add(const ChildResult& child);
  // Writes the manifest; {"MapRunArn": …, "ResultWriterDetails": {"Bucket": …, "Key": …}}.
  Result<Payload> finish();

 private:
  struct File;
  Result<File*> file_for(std::size_t kind, std::size_t more);
  Status close(File& file);

  ObjectSource& objects_;
  const definitions::ResultTransformation transformation_;
  const bool lines_;
  const std::string arn_, bucket_;
  std::string folder_;
  const ChildNames names_;
  std::unique_ptr<File> files_[3];  // failed, pending, succeeded
  std::vector<std::pair<std::string, std::uint64_t>> written_[3];
};

// One page of a run's children with what there is to tell of them, from those after `after` (an execution's
// id or, for EXPRESS, the index after the last one). Store thread.
struct ResultPage {
  std::vector<ChildResult> children;
  std::uint64_t next = 0;
  bool last = false;
};
Result<ResultPage> read_results(Store& store, const MapRunRow& run, std::uint64_t after, std::size_t limit,
                                bool inputs);

}  // namespace millrace::orchestrator
