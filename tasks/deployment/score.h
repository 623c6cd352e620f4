#pragma once
// Scores of a request's rows by a chain of models. What is plain numbers goes straight to the floats of the
// first model; everything else is read as a table (tasks/table/request_rows.h), with the same scores. Any
// thread.

#include <string>
#include <string_view>

#include "base/result.h"
#include "tasks/deployment/serving.h"

namespace millrace::tasks {

struct ScoredRows {
  std::string body;
  std::string content_type;
};

// Whether rows of that content type can be read by the chain; empty counts as text/csv. A model with a form
// of its own says so itself.
bool can_read(const ServingChain& chain, std::string_view content_type);

// `content_type`: those of request_rows.h and text/libsvm ("[label] 0:1.5 3:2"; what is not there is
// missing, or 0 for a model that takes no missing values, as in training) and
// application/x-recordio-protobuf. `accept`: text/csv, application/json ({"predictions":[{"score":…}]}) or
// application/jsonlines; empty or */*: as the request's. One row of output a row of input. Models that answer
// in a form of their own get the request as it is. InvalidArgument for what is wrong with the rows, with the
// columns that were found and expected; the model's own errors.
Result<ScoredRows> score_rows(const ServingChain& chain, std::string_view content_type, std::string_view body,
                              std::string_view accept);

}  // namespace millrace::tasks
