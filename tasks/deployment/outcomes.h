#pragma once
// Outcomes: what became of the requests of endpoints: a conversion, a number, the true label. A request with
// an inference id (X-Amzn-SageMaker-Inference-Id) is noted with the variant that answered it and its answer;
// what comes later under that id is its outcome. HOME/outcomes.db, made when it is needed first. Notes are
// written by a thread in batches, at most Settings::interval later, and dropped and counted when too many
// wait: they never hold up a request. Outcomes are durable when add() returns; one that comes again replaces
// the one before. Any thread.

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/metrics.h"
#include "base/result.h"
#include "base/sqlite.h"
#include "tasks/deployment/sequential.h"

namespace millrace::tasks {

// A request that was answered.
struct NotedInference {
  std::string endpoint, id;
  std::string fleet, variant;  // see fleet_of in deployments.h
  std::string answer;          // the body, when it is small
};

struct ReportedOutcome {
  std::string id;
  std::optional<double> value;       // 1 of a conversion, an amount, …
  std::optional<std::string> label;  // the truth that the prediction is compared with
};

// Whether a prediction was right. `answer`: a body in one of the forms of score.h, of one row. One score
// between 0 and 1 is a probability of the label 1; several are the classes' scores; a predicted_label or any
// other single value is compared as it is. Nothing where the answer has no row, or more than one, or the
// label doesn't go with it. Pure.
std::optional<bool> prediction_is_right(std::string_view answer, std::string_view label);

// Outcomes as people send them: a JSON array or JSON lines of {"InferenceId", "Outcome" and/or "Label"}, or
// CSV with a header of inference_id, outcome, label. InvalidArgument names the row.
Result<std::vector<ReportedOutcome>> read_outcomes(std::string_view text, std::string_view content_type);

// What is known of one variant of one fleet.
struct OutcomesOfVariant {
  std::string fleet, variant;
  std::uint64_t requests = 0;  // with an inference id
  ArmOutcomes outcomes;        // a label without an outcome counts as 1 when the prediction was right, else 0
  std::uint64_t judged = 0, right = 0;  // labels
};

class OutcomeStore {
 public:
  struct Settings {
    std::int64_t rows_max = 1'000'000;  // requests that are kept; the oldest go
    std::size_t queue_max = 100'000;    // notes that wait to be written
    Millis interval{500};
  };
  struct Taken {
    std::size_t accepted = 0;
    std::vector<std::string> unknown;  // ids that no request of the endpoint had
  };
  // The clock is borrowed; the registry may be null.
  OutcomeStore(std::string path, const Clock& clock, metrics::Registry* registry, Settings settings);
  ~OutcomeStore();  // writes what waits
  OutcomeStore(const OutcomeStore&) = delete;
  OutcomeStore& operator=(const OutcomeStore&) = delete;

  void note(NotedInference inference);
  Result<Taken> add(std::string_view endpoint, const std::vector<ReportedOutcome>& outcomes);
  // By fleet and variant.
  Result<std::vector<OutcomesOfVariant>> of(std::string_view endpoint);

  static constexpr std::size_t kIdBytesMax = 64;  // as AWS; longer ones are not noted

 private:
  Status open(bool make);  // `database_` is there, or there is no file and none is to be made
  Status write_waiting();  // with database_mutex_ held
  Result<Taken> write_outcomes(std::string_view endpoint, const std::vector<ReportedOutcome>& outcomes);
  void work();

  const std::string path_;
  const Clock& clock_;
  const Settings settings_;
  metrics::Counter* dropped_ = nullptr;
  std::mutex database_mutex_;  // over the next
  std::optional<Database> database_;
  std::mutex mutex_;  // over what follows; taken after database_mutex_ where both are
  std::condition_variable wake_;
  std::vector<NotedInference> waiting_;
  bool stopping_ = false, complained_ = false;
  std::jthread thread_;  // last: it uses the rest
};

}  // namespace millrace::tasks
