#include "tasks/automl/automl_run.h"

#include <nlohmann/json.hpp>

#include "tasks/automl/automl_book.h"

namespace millrace::tasks {

Result<Json> run_automl(const AutoMLSpec& spec, JobContext& context, std::int64_t created_ms) {
  AutoMLBook book(spec, context, created_ms);
  switch (spec.kind) {
    case AutoMLSpec::Kind::Table:
      return run_automl_table(book);
    case AutoMLSpec::Kind::Texts:
      return run_automl_texts(book);
    case AutoMLSpec::Kind::Series:
      return run_automl_series(book);
  }
  return fail(ErrorCode::Internal, "an AutoML job of an unknown kind");
}

}  // namespace millrace::tasks
