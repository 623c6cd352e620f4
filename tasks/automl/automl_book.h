#pragma once
// AutoMLBook: what the AutoML jobs of tables, texts and series have in common: the record and its phases, the
// jobs that an AutoML job runs, its candidates, its budget, its end. All that it runs are jobs with records
// of their own (AutoMLJobArn says whose), one at a time, each with all threads; after a restart those that
// ended are taken from their records. Worker thread.

#include <functional>
#include <string>
#include <vector>

#include "tasks/automl/leaderboard.h"
#include "tasks/jobs/job_context.h"
#include "tasks/jobs/job_life.h"

namespace millrace::tasks {

// In the notes of the job's record: the candidates' documents, in their order.
inline constexpr const char* kCandidateDocuments = "Candidates";

class AutoMLBook {
 public:
  // Borrowed. `created_ms`: of the job, from which MaxAutoMLJobRuntimeInSeconds counts.
  AutoMLBook(const AutoMLSpec& spec, JobContext& context, std::int64_t created_ms)
      : spec_(spec),
        context_(context),
        deadline_ms_(spec.job_seconds_max > 0 ? created_ms + spec.job_seconds_max * 1000 : 0) {}

  const AutoMLSpec& spec() const { return spec_; }
  JobContext& context() { return context_; }
  BoardRules& rules() { return rules_; }
  const std::vector<Candidate>& candidates() const { return candidates_; }
  std::string child_name(const std::string& suffix) const { return spec_.job_name + "-" + suffix; }
  std::string candidate_name(std::size_t index) const;  // <job>-c01, …
  bool cancelled() const { return context_.cancelled(); }

  Status modify(const std::function<void(Json&)>& change);
  // A secondary status. Cancelled.
  Status begin(const char* secondary, double fraction);
  // What is known once the data is: into the log and the record, with the exploration report's place.
  Status explored(const std::vector<DataRemark>& remarks, const std::string& page,
                  std::size_t candidates_max);

  Result<Json> run_child(const JobKind& kind, const std::string& name, Json request, bool until_deadline);
  Status run_processing(const Json& request);  // InvalidArgument unless it completes
  // Trains candidates until there are enough or time is over. `train` adds one, of that number from 0.
  Status train_all(const char* phase, const std::function<Status(std::size_t)>& train);
  // What a training job's record says of its candidate: status, model, times.
  static void take_record(const Json& record, Candidate& candidate);
  Status add_candidate(Candidate candidate);

  // The end: workflow and leaderboard are written, the winner is deployed where that was asked for.
  // `model_uri` takes the place of the winner's model where it is not empty. The fields that Describe… shows.
  Result<Json> finish(WinningJobs jobs, const std::string& final_job = {}, const std::string& model_uri = {});
  // The end of a job that only writes definitions.
  Result<Json> finish_definitions(const WinningJobs& jobs);

 private:
  void report_progress(const char* phase, double fraction);
  bool late() const;
  std::string summary(const Candidate& candidate) const;
  Status deploy(const Candidate& winner, Json& fields);

  const AutoMLSpec& spec_;
  JobContext& context_;
  const std::int64_t deadline_ms_;
  BoardRules rules_;
  std::size_t candidates_max_ = 0;
  std::vector<Candidate> candidates_;
  std::string ended_by_ = "Completed";
};

// Metrics of held-out answers and how far they would be off on other rows like these.
Status judge_answers(const EnsembleShape& shape, const std::vector<double>& y, const Matrix& answers,
                     std::uint64_t seed, const std::function<bool()>& cancelled, Candidate& candidate);

// The work of an AutoML job over a table, over texts, over series. The fields that DescribeAutoMLJobV2 shows.
// InvalidArgument: data that nothing can be learnt from, no candidate that completed; Cancelled.
Result<Json> run_automl_table(AutoMLBook& book);
Result<Json> run_automl_texts(AutoMLBook& book);
Result<Json> run_automl_series(AutoMLBook& book);

}  // namespace millrace::tasks
