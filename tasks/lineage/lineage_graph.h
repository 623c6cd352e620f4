#pragma once
// LineageGraph: what came from what: artifacts (data, models, packages), trial components (jobs), actions
// (deployments, approvals) and contexts (endpoints, groups, executions), with edges in the direction of the
// data. Built from the records of a home: nothing is kept twice, so nothing can disagree. Artifacts are told
// apart by place and content: data that was overwritten is another artifact. One thread. Source: SageMaker
// developer guide, "Lineage tracking entities", QueryLineage.

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "tasks/jobs/jobs.h"

namespace millrace::tasks {

enum class LineageType { Artifact, TrialComponent, Action, Context };
std::string_view lineage_type_name(LineageType type);

struct LineageVertex {
  LineageType kind = LineageType::Artifact;
  std::string arn, name;
  std::string type;                     // "DataSet", "Model", "SageMakerTrainingJob", "Endpoint", …
  std::string source_uri, source_type;  // where the thing itself is: s3://…, an ARN, an image
  std::string sha256;                   // of an artifact, when it is known
  std::string status, note;             // for people: "Completed", "execution nightly-3, state Train"
  std::int64_t created_ms = 0, modified_ms = 0;
  std::map<std::string, std::string> properties;
  bool stored = false;  // somebody made it; else it follows from records
};

struct LineageEdge {
  std::size_t from = 0, to = 0;
  std::string type;  // ContributedTo, AssociatedWith, DerivedFrom, Produced, SameAs
  std::int64_t created_ms = 0;
  bool stored = false;
};

class LineageGraph {
 public:
  // By its ARN; one that is there already gains what it did not have.
  std::size_t add(LineageVertex vertex);
  // Twice the same is one.
  void connect(std::size_t from, std::size_t to, std::string_view type, std::int64_t created_ms,
               bool stored = false);

  const std::vector<LineageVertex>& vertices() const { return vertices_; }
  const std::vector<LineageEdge>& edges() const { return edges_; }
  const LineageVertex* find(std::string_view arn) const;
  // The vertices an ARN, a source (s3://…, a job's ARN) or a short name (endpoint/NAME, training-job/NAME)
  // stands for; of a place in S3 without a vertex of its own, those of the places around it. Perhaps none.
  std::vector<std::size_t> named(std::string_view name) const;

  enum class Direction { Ascendants, Descendants, Both };
  // What can be reached from `starts` in at most `depth` steps, with the starts: nearest first.
  std::vector<std::size_t> reach(const std::vector<std::size_t>& starts, Direction direction,
                                 int depth) const;

 private:
  std::vector<LineageVertex> vertices_;
  std::vector<LineageEdge> edges_;
  std::map<std::string, std::size_t, std::less<>> by_arn_;
  std::map<std::string, std::vector<std::size_t>, std::less<>> by_source_;
  std::map<std::pair<std::size_t, std::size_t>, std::vector<std::string>> known_;
};

// All records, also those that people made with CreateArtifact and the like.
Result<LineageGraph> build_lineage(const Jobs& jobs);

std::string artifact_arn(std::string_view source_uri, std::string_view sha256);
// "s3://b/k" of "s3://b/k/".
std::string plain_uri(std::string_view uri);

// The kind of the records of AddAssociation.
inline constexpr std::string_view kAssociationKind = "Association";
inline constexpr std::size_t kLineageRecordsMax = 1'000'000;  // of one kind

}  // namespace millrace::tasks
