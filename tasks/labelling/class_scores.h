#pragma once
// What label-select and label-apply share: a pool of rows, a model's probability of each class for them, and
// the labels that people gave. Worker thread.

#include <map>
#include <string>
#include <vector>

#include "tasks/numeric/matrix.h"
#include "tasks/processing/processors.h"
#include "tasks/table/table.h"

namespace millrace::tasks {

// Probabilities of every class, (rows, classes), and the classes' names; two classes have two columns.
struct ClassScores {
  Matrix probabilities;
  std::vector<std::string> classes;

  std::size_t best(std::size_t row) const;
};
// InvalidArgument: the model tells no classes apart, or the rows lack a column of its.
Result<ClassScores> class_scores(const NamedUri& model, const NamedUri& rows_input, const Table& rows,
                                 TaskContext& context);

// Labels in the manifests that labelling jobs wrote, by the row of the pool they are about (its number, or
// the value of the column `id_column`). `attribute`: LabelAttributeName of those jobs. Several may be one
// behind the other; the last one counts. InvalidArgument names file and line.
using RowLabels = std::map<std::string, std::string>;
Result<RowLabels> read_row_labels(const ObjectStore& objects, const std::string& uri,
                                  const std::string& attribute, const std::string& id_column);
// What a row goes by in manifests.
Result<std::string> row_key(const Table& pool, std::size_t row, const std::string& id_column);

}  // namespace millrace::tasks
