#pragma once
// What an endpoint was asked and what it answered, row by row, from the JSON lines that data capture wrote
// (…/yyyy/mm/dd/hh/*.jsonl, perhaps with a variant's folder above the year), and the ground truth that came
// later (the same folders; one line a request, found by its inference id, else by the id of the captured
// event). Bodies are CSV, JSON or JSON lines. Worker thread. Source: SageMaker developer guide, "Capture data
// from real-time endpoint", "Ingest ground truth labels and merge them with predictions".

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "base/time.h"
#include "tasks/artifacts/object_store.h"

namespace millrace::tasks {

// From `from` on, up to but without `until`.
struct TimeSpan {
  Instant from, until;
};
inline constexpr std::int64_t kSpanHoursMax = 24 * 400;
inline constexpr std::int64_t kCapturedRowsMax = 1'000'000;  // unless a setting says otherwise

// The cells of one row: by position when there are no names; a missing cell has no text.
struct CapturedCells {
  std::vector<std::string> names;
  std::vector<std::optional<std::string>> cells;

  // By name, or by a place from 0 ("2"); null when there is no such cell.
  const std::optional<std::string>* find(const std::string& name_or_place) const;
};

struct CapturedRow {
  CapturedCells input, output;  // output: without cells when the answer has not a row for each of the request
  std::string id;               // of the request: what ground truth names
  std::size_t place = 0;        // of the row in its request
};

struct CaptureTally {
  std::int64_t requests = 0, rows = 0;
  std::int64_t unreadable = 0;  // lines that are no capture, or whose body is of a type that has no rows
};

// Calls `take` with every row captured in the span, hour by hour, in the order of objects and lines; folders
// of variants that are left out are not looked into.
// InvalidArgument: the span is empty or longer than kSpanHoursMax; LimitExceeded: more than `rows_max` rows;
// an error of `take`. Nothing there is no error.
Result<CaptureTally> read_captured(const ObjectStore& objects, const std::string& uri, const TimeSpan& span,
                                   std::int64_t rows_max,
                                   const std::function<Status(const CapturedRow&)>& take,
                                   const std::set<std::string>& variants_left_out = {});

// Labels by id: one a row of the request. The last one given counts.
using GroundTruth = std::map<std::string, std::vector<std::string>, std::less<>>;
// What is in the folders of the span's hours. A label is kept under the hour it came in, which is no earlier
// than its request's.
Result<GroundTruth> read_ground_truth(const ObjectStore& objects, const std::string& uri,
                                      const TimeSpan& span);

// A cell's text, or what an attribute is called, of a JSON value: 0 and "0" are the same.
std::string cell_name(const Json& value);

// The rows of a body. InvalidArgument for a type that is none of text/csv, application/json,
// application/jsonlines, and for what does not parse.
Result<std::vector<CapturedCells>> rows_of_body(std::string_view body, std::string_view content_type);

}  // namespace millrace::tasks
