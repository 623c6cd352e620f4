#pragma once
// Serving: the models behind a name, loaded once and kept, and scores as text. Any thread: what is kept is
// immutable.

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "tasks/artifacts/object_store.h"
#include "tasks/training/model_artifact.h"

namespace millrace::tasks {

// What a request is answered, and by which names.
struct Answer {
  AnswerForm form;
  Matrix values;
};

// The containers of one model, in sequence: the outputs of one are the inputs of the next.
struct ServingChain {
  std::vector<std::shared_ptr<const LoadedModel>> models;  // not empty

  const std::vector<std::string>& input_columns() const { return models.front()->input_columns(); }
  // Rows that are features already need no table.
  bool takes_features() const { return !models.front()->has_pipeline(); }
  // The first of them learnt from rows with missing values.
  bool takes_missing() const;
  Result<Answer> answer(const Table& rows) const;
  Result<Answer> answer(MatrixView features) const;  // of a chain that takes them
  // The model when it answers requests in a form of its own, which it does alone; else null.
  // InvalidArgument when it is one of several.
  Result<const OwnFormModel*> own_form() const;

 private:
  Result<Answer> answer_rest(Matrix scores) const;
};

// The models at those URIs, in sequence. The last few models of the process stay in memory, known by their
// files; one that was written anew is read anew. NotFound; DataLoss for files that are no model.
Result<ServingChain> load_chain(const ObjectStore& objects, const std::vector<std::string>& uris);

// One line a row: "0.91" or, of several outputs, "0.2,0.8"; the shortest text that reads back the same float.
std::string answer_as_csv(const Answer& answer);
// {"predictions":[{"score":0.91},{"score":[0.2,0.8]}]}
std::string answer_as_json(const Answer& answer);
// {"score":0.91} a line.
std::string answer_as_jsonlines(const Answer& answer);
// The names of the columns in CSV: "score"; of a list "score_0", "score_1", …
std::vector<std::string> column_names(const Answer& answer);

}  // namespace millrace::tasks
