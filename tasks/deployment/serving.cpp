#include "tasks/deployment/serving.h"

#include <charconv>
#include <filesystem>
#include <list>
#include <mutex>

#include "tasks/training/model_source.h"
#include "tasks/training/own_form.h"

namespace millrace::tasks {
namespace {

constexpr std::size_t kModelsKept = 16;

// Least recently used first out. A cache of immutable values: what it holds never changes what a request
// answers.
class ModelCache {
 public:
  Result<std::shared_ptr<const LoadedModel>> get(const ObjectStore& objects, const std::string& uri) {
    MR_TRY(file, model_written_file(objects, uri));
    std::error_code code;
    const auto written = std::filesystem::last_write_time(file, code);
    if (code)
      return fail(ErrorCode::NotFound,
                  "Could not find model data at " + uri + ": there is no model_card.json");
    const std::string id = file.string();
    {
      const std::lock_guard lock(mutex_);
      for (auto entry = entries_.begin(); entry != entries_.end(); ++entry) {
        if (entry->id != id || entry->written != written) continue;
        entries_.splice(entries_.begin(), entries_, entry);
        return entry->model;
      }
    }
    MR_TRY(model, LoadedModel::load(objects, uri));  // outside the lock: other models are served meanwhile
    const std::lock_guard lock(mutex_);
    entries_.remove_if([&](const Entry& entry) { return entry.id == id; });
    entries_.push_front({id, written, model});
    if (entries_.size() > kModelsKept) entries_.pop_back();
    return model;
  }

 private:
  struct Entry {
    std::string id;
    std::filesystem::file_time_type written;
    std::shared_ptr<const LoadedModel> model;
  };
  std::mutex mutex_;
  std::list<Entry> entries_;
};

void append_number(std::string& out, float value) {
  char buffer[32];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value).ptr;
  out.append(buffer, end);
}

void append_row(std::string& out, const Matrix& scores, std::size_t row) {
  for (std::size_t j = 0; j < scores.cols; ++j) {
    if (j > 0) out += ',';
    append_number(out, scores.at(row, j));
  }
}

// The columns that a field holds, from column `at` on: how many, and whether they are a list.
std::pair<std::size_t, bool> field_columns(const Answer& answer, const AnswerForm::Field& field,
                                           std::size_t at) {
  if (field.shape == AnswerForm::Shape::Number) return {1, false};
  const std::size_t left = answer.values.cols - at;
  return {left, left != 1 || field.shape == AnswerForm::Shape::List};
}

std::size_t predicted_label(const Matrix& scores, std::size_t row, double threshold) {
  if (scores.cols == 1) return static_cast<double>(scores.at(row, 0)) > threshold ? 1 : 0;
  std::size_t best = 0;
  for (std::size_t j = 1; j < scores.cols; ++j)
    if (scores.at(row, j) > scores.at(row, best)) best = j;
  return best;
}

// {"score":…}; a number that is none has no JSON form and becomes null.
void append_json_row(std::string& out, const Answer& answer, std::size_t row) {
  std::size_t at = 0;
  for (const AnswerForm::Field& field : answer.form.fields) {
    out += at == 0 ? "{\"" : ",\"";
    out.append(field.name) += "\":";
    const auto [columns, list] = field_columns(answer, field, at);
    if (list) out += '[';
    for (const std::size_t begin = at, end = at + columns; at < end; ++at) {
      if (at > begin) out += ',';
      const float value = answer.values.at(row, at);
      if (value - value == 0)
        append_number(out, value);
      else
        out += "null";
    }
    if (list) out += ']';
  }
  if (answer.form.label)
    out +=
        ",\"predicted_label\":" + std::to_string(predicted_label(answer.values, row, answer.form.threshold));
  out += '}';
}

// Outputs of one container by the names the next one asks for, by position.
Result<Table> as_rows(const Matrix& outputs, const std::vector<std::string>& columns) {
  if (outputs.cols != columns.size())
    return invalid("a container of the model gives " + std::to_string(outputs.cols) +
                   " values, but the next one expects " + std::to_string(columns.size()));
  Table table;
  table.rows = outputs.rows;
  for (std::size_t j = 0; j < columns.size(); ++j) {
    Column column;
    column.name = columns[j];
    column.numbers.reserve(outputs.rows);
    for (std::size_t i = 0; i < outputs.rows; ++i) column.numbers.push_back(outputs.at(i, j));
    table.columns.push_back(std::move(column));
  }
  return table;
}

}  // namespace

bool ServingChain::takes_missing() const {
  const EstimatorKind* kind = find_estimator(models.front()->model().algorithm());
  return kind != nullptr && kind->needs.missing;
}

Result<Answer> ServingChain::answer(const Table& rows) const {
  MR_TRY(scores, models.front()->predict(rows));
  return answer_rest(std::move(scores));
}

Result<Answer> ServingChain::answer(MatrixView features) const {
  MR_TRY(scores, models.front()->model().predict(features));
  return answer_rest(std::move(scores));
}

Result<Answer> ServingChain::answer_rest(Matrix scores) const {
  for (std::size_t i = 1; i < models.size(); ++i) {
    MR_TRY(next_rows, as_rows(scores, models[i]->input_columns()));
    MR_TRY(next_scores, models[i]->predict(next_rows));
    scores = std::move(next_scores);
  }
  const Model& last = models.back()->model();
  return Answer{last.answer_form(), last.answer(std::move(scores))};
}

Result<const OwnFormModel*> ServingChain::own_form() const {
  for (const auto& model : models) {
    const OwnFormModel* own = model->model().own_form();
    if (own == nullptr) continue;
    if (models.size() == 1) return own;
    return invalid("a model of " + std::string(own->algorithm()) +
                       " takes and gives requests in its own form, so it can't be one of several containers",
                   "serve it alone");
  }
  return nullptr;
}

Result<ServingChain> load_chain(const ObjectStore& objects, const std::vector<std::string>& uris) {
  // Never destroyed: a model must not outlive the libraries that made it, and at the end of the process those
  // go first.
  static ModelCache& cache = *new ModelCache;
  ServingChain chain;
  for (const std::string& uri : uris) {
    MR_TRY(model, cache.get(objects, uri));
    chain.models.push_back(std::move(model));
  }
  return chain;
}

std::string answer_as_csv(const Answer& answer) {
  std::string out;
  for (std::size_t i = 0; i < answer.values.rows; ++i) {
    append_row(out, answer.values, i);
    out += '\n';
  }
  return out;
}

std::string answer_as_json(const Answer& answer) {
  std::string out = "{\"";
  out.append(answer.form.list) += "\":[";
  for (std::size_t i = 0; i < answer.values.rows; ++i) {
    if (i > 0) out += ',';
    append_json_row(out, answer, i);
  }
  return out + "]}";
}

std::string answer_as_jsonlines(const Answer& answer) {
  std::string out;
  for (std::size_t i = 0; i < answer.values.rows; ++i) {
    append_json_row(out, answer, i);
    out += '\n';
  }
  return out;
}

std::vector<std::string> column_names(const Answer& answer) {
  std::vector<std::string> names;
  for (const AnswerForm::Field& field : answer.form.fields) {
    const auto [columns, list] = field_columns(answer, field, names.size());
    for (std::size_t j = 0; j < columns; ++j)
      names.push_back(std::string(field.name) + (list ? "_" + std::to_string(j) : ""));
  }
  return names;
}

}  // namespace millrace::tasks
