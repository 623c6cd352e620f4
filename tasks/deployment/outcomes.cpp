#include "tasks/deployment/outcomes.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>

#include "base/log.h"
#include "base/payload.h"

namespace millrace::tasks {
namespace {

constexpr const char* kOutcomesSchema =
    "CREATE TABLE IF NOT EXISTS inference ("
    " number INTEGER PRIMARY KEY AUTOINCREMENT, endpoint TEXT NOT NULL, id TEXT NOT NULL, fleet TEXT NOT "
    "NULL,"
    " variant TEXT NOT NULL, time INTEGER NOT NULL, answer TEXT NOT NULL,"
    " outcome REAL, right INTEGER, told INTEGER, UNIQUE (endpoint, id));"
    "CREATE INDEX IF NOT EXISTS inference_arm ON inference (endpoint, fleet, variant, outcome, right)";
constexpr std::size_t kNotedAnswerBytesMax = 512;  // of a noted answer: one row's
constexpr std::size_t kOutcomesAtOnceMax = 100'000;

std::optional<double> finite_number(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) return std::nullopt;
  return value;
}

std::string_view without_margins(std::string_view text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == ' '))
    text.remove_suffix(1);
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  return text;
}

std::string text_of_value(JsonView value) {
  return value.is_string() ? value.string() : std::string(value.text());
}

// The cells of the only row; empty when there is none, or more than one.
std::vector<std::string> cells_of_json(JsonView answer) {
  if (answer.is_object()) {
    for (const char* list : {"predictions", "instances"})
      if (const JsonView rows = answer.find(list)) return cells_of_json(rows);
    for (const char* member : {"predicted_label", "score", "label"})
      if (const JsonView value = answer.find(member)) return cells_of_json(value);
    return {};
  }
  std::vector<std::string> cells;
  if (!answer.is_array()) return {text_of_value(answer)};
  if (answer.size() == 1) {
    for (const JsonView only : answer.elements()) return cells_of_json(only);
  }
  for (const JsonView cell : answer.elements()) {
    if (!cell.is_number()) return {};
    cells.emplace_back(cell.text());
  }
  return cells;
}

std::vector<std::string> cells_of_answer(std::string_view answer) {
  answer = without_margins(answer);
  if (answer.empty() || answer.find('\n') != std::string_view::npos) return {};
  if (answer.front() == '{' || answer.front() == '[') {
    const auto parsed = Payload::parse(answer);
    return parsed ? cells_of_json(parsed->view()) : std::vector<std::string>();
  }
  std::vector<std::string> cells;
  for (;;) {
    const std::size_t comma = answer.find(',');
    cells.emplace_back(without_margins(answer.substr(0, comma)));
    if (comma == std::string_view::npos) return cells;
    answer.remove_prefix(comma + 1);
  }
}

tl::unexpected<Error> wrong_outcome(std::size_t row, const std::string& what) {
  return invalid(
      "outcome " + std::to_string(row) + ": " + what,
      "a row is {\"InferenceId\": \"…\", \"Outcome\": 1} or {\"InferenceId\": \"…\", \"Label\": \"…\"}");
}

Status check_outcome(const ReportedOutcome& outcome, std::size_t row) {
  if (outcome.id.empty()) return wrong_outcome(row, "InferenceId is missing");
  if (!outcome.value && !outcome.label) return wrong_outcome(row, "there is neither an Outcome nor a Label");
  return {};
}

Result<ReportedOutcome> reported_outcome(JsonView row, std::size_t number) {
  if (!row.is_object()) return wrong_outcome(number, "is no object");
  ReportedOutcome outcome;
  if (const JsonView id = row.find("InferenceId"); id && id.is_string()) outcome.id = id.string();
  if (const JsonView value = row.find("Outcome"); value && !value.is_null()) {
    if (value.is_boolean())
      outcome.value = value.text() == "true" ? 1 : 0;
    else if (value.is_number() && std::isfinite(value.number()))
      outcome.value = value.number();
    else
      return wrong_outcome(number, "Outcome is neither a number nor true or false");
  }
  if (const JsonView label = row.find("Label"); label && !label.is_null())
    outcome.label = text_of_value(label);
  MR_DO(check_outcome(outcome, number));
  return outcome;
}

Result<std::vector<ReportedOutcome>> outcomes_of_json(std::string_view text) {
  std::vector<ReportedOutcome> outcomes;
  const std::string_view all = without_margins(text);
  if (all.starts_with('[')) {
    MR_TRY(document, Payload::parse(all));
    for (const JsonView row : document.view().elements()) {
      MR_TRY(outcome, reported_outcome(row, outcomes.size() + 1));
      outcomes.push_back(std::move(outcome));
    }
    return outcomes;
  }
  for (std::string_view left = all; !left.empty();) {
    const std::string_view line = without_margins(left.substr(0, left.find('\n')));
    left.remove_prefix(
        std::min(left.size(), left.find('\n') == std::string_view::npos ? left.size() : left.find('\n') + 1));
    if (line.empty()) continue;
    const auto row = Payload::parse(line);
    if (!row) return wrong_outcome(outcomes.size() + 1, row.error().message);
    MR_TRY(outcome, reported_outcome(row->view(), outcomes.size() + 1));
    outcomes.push_back(std::move(outcome));
  }
  return outcomes;
}

// A header, then a row a line; ids and labels have no commas in this form.
Result<std::vector<ReportedOutcome>> outcomes_of_csv(std::string_view text) {
  std::vector<ReportedOutcome> outcomes;
  std::vector<std::string> header;
  for (std::string_view left = without_margins(text); !left.empty();) {
    const std::size_t end = left.find('\n');
    const std::string_view line = without_margins(left.substr(0, end));
    left.remove_prefix(end == std::string_view::npos ? left.size() : end + 1);
    if (line.empty()) continue;
    std::vector<std::string> cells = cells_of_answer(line);
    if (header.empty()) {
      header = std::move(cells);
      if (std::find(header.begin(), header.end(), "inference_id") == header.end())
        return invalid("the header of the outcomes has no column inference_id",
                       "its columns are inference_id, outcome, label");
      continue;
    }
    ReportedOutcome outcome;
    if (cells.size() != header.size())
      return wrong_outcome(outcomes.size() + 1, "has " + std::to_string(cells.size()) +
                                                    " cells, the header " + std::to_string(header.size()));
    for (std::size_t j = 0; j < cells.size(); ++j) {
      if (header[j] == "inference_id") outcome.id = cells[j];
      if (header[j] == "label" && !cells[j].empty()) outcome.label = cells[j];
      if (header[j] != "outcome" || cells[j].empty()) continue;
      outcome.value = finite_number(cells[j]);
      if (!outcome.value)
        return wrong_outcome(outcomes.size() + 1, "outcome \"" + cells[j] + "\" is no number");
    }
    MR_DO(check_outcome(outcome, outcomes.size() + 1));
    outcomes.push_back(std::move(outcome));
  }
  return outcomes;
}

}  // namespace

std::optional<bool> prediction_is_right(std::string_view answer, std::string_view label) {
  const std::vector<std::string> cells = cells_of_answer(answer);
  if (cells.empty()) return std::nullopt;
  const auto truth = finite_number(without_margins(label));
  if (cells.size() > 1) {
    if (!truth || *truth < 0 || *truth >= static_cast<double>(cells.size())) return std::nullopt;
    std::size_t best = 0;
    for (std::size_t i = 0; i < cells.size(); ++i) {
      const auto score = finite_number(cells[i]), most = finite_number(cells[best]);
      if (!score || !most) return std::nullopt;
      if (*score > *most) best = i;
    }
    return static_cast<double>(best) == *truth;
  }
  const auto score = finite_number(cells[0]);
  if (!score || !truth) return cells[0] == without_margins(label);
  const bool probability = *score >= 0 && *score <= 1 && (*truth == 0 || *truth == 1);
  if (probability) return (*score >= 0.5) == (*truth == 1);
  return *score == *truth;
}

Result<std::vector<ReportedOutcome>> read_outcomes(std::string_view text, std::string_view content_type) {
  const bool csv = content_type.starts_with("text/csv");
  MR_TRY(outcomes, csv ? outcomes_of_csv(text) : outcomes_of_json(text));
  if (outcomes.empty()) return invalid("there are no outcomes in the request");
  if (outcomes.size() > kOutcomesAtOnceMax)
    return fail(ErrorCode::LimitExceeded, "at most " + std::to_string(kOutcomesAtOnceMax) +
                                              " outcomes are taken at a time, got " +
                                              std::to_string(outcomes.size()));
  return outcomes;
}

OutcomeStore::OutcomeStore(std::string path, const Clock& clock, metrics::Registry* registry,
                           Settings settings)
    : path_(std::move(path)), clock_(clock), settings_(settings) {
  if (registry)
    dropped_ = &registry->counter("millrace_endpoint_inferences_dropped_total",
                                  "Requests with an inference id that were not noted: too many waited");
  thread_ = std::jthread([this] { work(); });
}

OutcomeStore::~OutcomeStore() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
}

void OutcomeStore::note(NotedInference inference) {
  if (path_.empty() || inference.id.empty() || inference.id.size() > kIdBytesMax) return;
  if (inference.answer.size() > kNotedAnswerBytesMax) inference.answer.clear();
  const std::lock_guard lock(mutex_);
  if (waiting_.size() >= settings_.queue_max) {
    if (dropped_) dropped_->add();
    return;
  }
  waiting_.push_back(std::move(inference));
}

Status OutcomeStore::open(bool make) {
  if (database_) return {};
  std::error_code error;
  if (!make && !std::filesystem::exists(path_, error)) return {};
  MR_TRY(database, Database::open(path_));
  MR_DO(database.execute(kOutcomesSchema));
  database_ = std::move(database);
  return {};
}

Status OutcomeStore::write_waiting() {
  std::vector<NotedInference> notes;
  {
    const std::lock_guard lock(mutex_);
    notes = std::exchange(waiting_, {});
  }
  if (notes.empty()) return {};
  MR_DO(open(true));
  MR_TRY(transaction, Transaction::begin(*database_));
  // An id that is used again stays the first request's, as long as that fleet serves.
  MR_TRY(insert,
         database_->prepare("INSERT INTO inference (endpoint, id, fleet, variant, time, answer)"
                            " VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (endpoint, id) DO UPDATE SET"
                            " fleet = excluded.fleet, variant = excluded.variant, time = excluded.time,"
                            " answer = excluded.answer, outcome = NULL, right = NULL, told = NULL"
                            " WHERE fleet <> excluded.fleet"));
  const std::int64_t now = to_millis(clock_.now());
  for (const NotedInference& note : notes) {
    insert.bind(1, note.endpoint).bind(2, note.id).bind(3, note.fleet).bind(4, note.variant);
    insert.bind(5, now).bind(6, note.answer);
    MR_DO(insert.run());
  }
  MR_TRY(clean, database_->prepare("DELETE FROM inference WHERE number <="
                                   " (SELECT coalesce(max(number), 0) FROM inference) - ?1"));
  clean.bind(1, settings_.rows_max);
  MR_DO(clean.run());
  return transaction.commit();
}

void OutcomeStore::work() {
  for (bool last = false; !last;) {
    {
      std::unique_lock lock(mutex_);
      wake_.wait_for(lock, settings_.interval, [this] { return stopping_; });
      last = stopping_;
      if (waiting_.empty()) continue;
    }
    Status written;
    {
      const std::lock_guard lock(database_mutex_);
      written = write_waiting();
    }
    if (written) {
      complained_ = false;
    } else if (!std::exchange(complained_, true)) {
      log::error("requests with inference ids can't be noted",
                 {{"file", path_}, {"why", written.error().message}});
    }
  }
}

Result<OutcomeStore::Taken> OutcomeStore::add(std::string_view endpoint,
                                              const std::vector<ReportedOutcome>& outcomes) {
  const std::lock_guard lock(database_mutex_);
  MR_DO(write_waiting());  // an outcome may come right behind the answer
  MR_DO(open(false));
  Taken none;
  if (database_) return write_outcomes(endpoint, outcomes);
  for (const ReportedOutcome& outcome : outcomes) none.unknown.push_back(outcome.id);
  return none;
}

Result<OutcomeStore::Taken> OutcomeStore::write_outcomes(std::string_view endpoint,
                                                         const std::vector<ReportedOutcome>& outcomes) {
  Taken taken;
  MR_TRY(transaction, Transaction::begin(*database_));
  MR_TRY(find, database_->prepare("SELECT number, answer FROM inference WHERE endpoint = ?1 AND id = ?2"));
  MR_TRY(update, database_->prepare(
                     "UPDATE inference SET outcome = coalesce(?1, outcome), right = coalesce(?2, right),"
                     " told = ?3 WHERE number = ?4"));
  const std::int64_t now = to_millis(clock_.now());
  for (const ReportedOutcome& outcome : outcomes) {
    find.bind(1, endpoint).bind(2, outcome.id);
    MR_TRY(there, find.step());
    if (!there) {
      taken.unknown.push_back(outcome.id);
      find.reset();
      continue;
    }
    const std::int64_t number = find.integer(0);
    std::optional<bool> right;
    if (outcome.label) right = prediction_is_right(find.text(1), *outcome.label);
    find.reset();
    outcome.value ? update.bind(1, *outcome.value) : update.bind_null(1);
    right ? update.bind(2, std::int64_t{*right}) : update.bind_null(2);
    update.bind(3, now).bind(4, number);
    MR_DO(update.run());
    ++taken.accepted;
  }
  MR_DO(transaction.commit());
  return taken;
}

Result<std::vector<OutcomesOfVariant>> OutcomeStore::of(std::string_view endpoint) {
  const std::lock_guard lock(database_mutex_);
  MR_DO(write_waiting());
  MR_DO(open(false));
  std::vector<OutcomesOfVariant> arms;
  if (!database_) return arms;
  MR_TRY(query,
         database_->prepare(
             "SELECT fleet, variant, count(*), count(coalesce(outcome, right)),"
             " total(coalesce(outcome, right)), total(coalesce(outcome, right) * coalesce(outcome, right)),"
             " count(right), total(right) FROM inference WHERE endpoint = ?1"
             " GROUP BY fleet, variant ORDER BY fleet, variant"));
  query.bind(1, endpoint);
  for (;;) {
    MR_TRY(row, query.step());
    if (!row) return arms;
    OutcomesOfVariant arm;
    arm.fleet = query.text(0);
    arm.variant = query.text(1);
    arm.requests = as_unsigned(query.integer(2));
    arm.outcomes = {as_unsigned(query.integer(3)), query.real(4), query.real(5)};
    arm.judged = as_unsigned(query.integer(6));
    arm.right = static_cast<std::uint64_t>(query.real(7));
    arms.push_back(std::move(arm));
  }
}

}  // namespace millrace::tasks
