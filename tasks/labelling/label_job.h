#pragma once
// Labelling jobs as SageMaker Ground Truth has them: a manifest of objects, a list of categories, people who
// say which; the output manifest. Here: their requests as values, the lines of both manifests. Pure but for
// reading objects. Source: SageMaker API reference, CreateLabelingJob; developer guide, "Output data".

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "base/time.h"
#include "tasks/artifacts/object_store.h"

namespace millrace::tasks {

inline constexpr std::size_t kLabelledObjectsMax = 100'000;  // of one job
inline constexpr std::size_t kLabelLineBytesMax = 100'000;
inline constexpr std::size_t kCategoriesMax = 50;

struct LabelJob {
  std::string name, attribute, title, description;
  std::int64_t number = 0;  // names its rows; a job that is made again under the same name has another
  std::string manifest_uri, output_uri;
  std::vector<std::string> categories;
  int workers = 1;                     // that each object is shown to
  std::optional<std::int64_t> enough;  // objects: then the job stops
  std::string status;

  // Of a record that this part made. DataLoss: it is none.
  static Result<LabelJob> of(const Json& record);
};

// What can be said about a request, with the categories that its LabelCategoryConfigS3Uri lists.
// InvalidArgument, NotFound.
Result<std::vector<std::string>> check_labeling_request(const Json& request, const ObjectStore& objects);
// The objects of a manifest, one JSON line each. InvalidArgument names file and line; LimitExceeded.
Result<std::vector<std::string>> read_label_manifest(const ObjectStore& objects, const std::string& uri);

// What people said of one object: votes by category.
struct LabelVotes {
  std::map<std::size_t, int> by_category;
  std::int64_t newest_ms = 0;
};
// The object's line of the output manifest: its own members, the category and the metadata. Of equal numbers
// of votes the category that is listed first.
std::string labelled_line(const LabelJob& job, JsonView object, const LabelVotes& votes);

}  // namespace millrace::tasks
