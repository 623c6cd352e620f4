#include "tasks/deployment/score.h"

#include <algorithm>
#include <limits>
#include <optional>

#include "base/payload.h"
#include "tasks/table/number_scan.h"
#include "tasks/table/record_io.h"
#include "tasks/table/request_rows.h"
#include "tasks/table/table.h"
#include "tasks/training/own_form.h"

namespace millrace::tasks {
namespace {

constexpr std::string_view kCsv = "text/csv", kJson = "application/json", kLines = "application/jsonlines",
                           kLibsvm = "text/libsvm", kRecordIo = "application/x-recordio-protobuf";
constexpr std::string_view kRowTypes[] = {kCsv,    kJson,           kLines,   "application/x-ndjson",
                                          kLibsvm, "text/x-libsvm", kRecordIo};
constexpr float kUnsaid = std::numeric_limits<float>::quiet_NaN();

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

// A media type without its parameters: "text/csv" of "Text/CSV; header=absent".
bool is_media_type(std::string_view given, std::string_view type) {
  given = given.substr(0, given.find_first_of("; "));
  return given.size() == type.size() &&
         std::equal(given.begin(), given.end(), type.begin(), [](char a, char b) { return lower(a) == b; });
}

bool is_libsvm(std::string_view content_type) {
  return is_media_type(content_type, kLibsvm) || is_media_type(content_type, "text/x-libsvm");
}

std::string_view without_blanks(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t\r");
  return begin == std::string_view::npos ? std::string_view() : text.substr(begin);
}

// What the scores are answered as: the first type of the list that there is.
Result<std::string_view> answer_type(std::string_view accept, std::string_view content_type) {
  for (std::string_view left = accept; !left.empty();) {
    const std::string_view asked = without_blanks(left.substr(0, left.find(',')));
    left.remove_prefix(
        std::min(left.size(), left.find(',') == std::string_view::npos ? left.size() : left.find(',') + 1));
    for (const std::string_view type : {kCsv, kJson, kLines})
      if (is_media_type(asked, type)) return type;
    if (is_media_type(asked, "*/*")) accept = {};
  }
  if (!accept.empty())
    return invalid("Accept \"" + std::string(accept) + "\" is not supported",
                   "use text/csv, application/json or application/jsonlines");
  if (is_media_type(content_type, kJson)) return kJson;
  const bool lines =
      is_media_type(content_type, kLines) || is_media_type(content_type, "application/x-ndjson");
  return lines ? kLines : kCsv;
}

// Lines of `columns` plain decimals each; nothing when there is anything else, which the table's reader knows
// about.
std::optional<Matrix> plain_csv(std::string_view body, std::size_t columns) {
  if (columns == 0) return std::nullopt;
  Matrix X;
  X.cols = columns;
  const char *p = body.data(), *const end = p + body.size();
  while (p != end) {
    for (std::size_t j = 0; j < columns; ++j) {
      double value = 0;
      p = scan_decimal(p, end, value);
      if (!p) return std::nullopt;
      X.values.push_back(static_cast<float>(value));
      if (j + 1 < columns && (p == end || *p++ != ',')) return std::nullopt;
    }
    ++X.rows;
    if (p != end && *p == '\r') ++p;
    if (p != end && *p++ != '\n') return std::nullopt;
  }
  if (X.rows == 0) return std::nullopt;
  return X;
}

// One row of numbers in the order of the columns; null is a missing one.
bool add_plain_row(JsonView row, Matrix& X) {
  if (row.is_object()) {
    row = row.find("features");
    if (!row) return false;
  }
  if (!row.is_array() || row.size() != X.cols) return false;
  for (const JsonView cell : row.elements()) {
    if (!cell.is_number() && !cell.is_null()) return false;
    X.values.push_back(cell.is_null() ? std::numeric_limits<float>::quiet_NaN()
                                      : static_cast<float>(cell.number()));
  }
  ++X.rows;
  return true;
}

std::optional<Matrix> plain_json(std::string_view body, std::size_t columns) {
  const auto parsed = Payload::parse(body);
  if (!parsed || columns == 0) return std::nullopt;
  const JsonView document = parsed->view();
  const JsonView rows = document.is_object() ? document.find("instances") : document;
  if (!rows || !rows.is_array() || rows.size() == 0) return std::nullopt;
  Matrix X;
  X.cols = columns;
  for (const JsonView row : rows.elements())
    if (!add_plain_row(row, X)) return std::nullopt;
  return X;
}

tl::unexpected<Error> wrong_libsvm(std::size_t row, const std::string& what) {
  return invalid("Invalid data format. Row " + std::to_string(row) + ": " + what,
                 "text/libsvm is a line of index:value pairs a row");
}

struct LibsvmCell {
  std::size_t row;
  std::size_t index;
  float value;
};

// The index:value pairs of a line; its label, if there is one, is passed over.
Status add_libsvm_row(std::string_view line, std::size_t row, std::size_t columns,
                      std::vector<LibsvmCell>& cells) {
  for (bool first = true; (line = without_blanks(line)).size() > 0; first = false) {
    const std::string_view pair = line.substr(0, line.find_first_of(" \t\r"));
    line.remove_prefix(pair.size());
    const std::size_t colon = pair.find(':');
    if (colon == std::string_view::npos && first) continue;
    double index = 0, value = 0;
    if (colon == std::string_view::npos || !parse_number(pair.substr(0, colon), index) ||
        !parse_number(pair.substr(colon + 1), value))
      return wrong_libsvm(row, "\"" + std::string(pair.substr(0, 60)) + "\" is no index:value");
    if (!(index >= 0 && index <= static_cast<double>(columns)))
      return wrong_libsvm(row, "feature " + std::string(pair.substr(0, colon)) + ", but the model expects " +
                                   std::to_string(columns) + " features");
    cells.push_back({row, static_cast<std::size_t>(index), static_cast<float>(value)});
  }
  return {};
}

// Whether indices count from 0 or 1, as training finds out: by an index 0. A request has few rows, so that
// the last feature must say that they count from 1; between the two nothing is guessed.
Result<std::size_t> first_libsvm_index(const std::vector<LibsvmCell>& cells, std::size_t columns) {
  const auto has = [&](std::size_t index) {
    return std::any_of(cells.begin(), cells.end(),
                       [&](const LibsvmCell& cell) { return cell.index == index; });
  };
  const bool zero = has(0), last = has(columns);
  if (zero && last)
    return invalid("Invalid data format. Features 0 and " + std::to_string(columns) +
                   ", but the model expects " + std::to_string(columns) + " features");
  if (!zero && !last && !cells.empty())
    return invalid("Invalid data format. Do the indices count from 0 or from 1?",
                   "name feature 0, or feature " + std::to_string(columns) + ", in one of the rows: 0:0");
  return zero ? 0 : 1;
}

// `unsaid`: the value of what is not said.
Result<Matrix> libsvm_rows_of(std::string_view body, std::size_t columns, float unsaid) {
  std::vector<LibsvmCell> cells;
  std::size_t rows = 0;
  while (!body.empty()) {
    std::string_view line = body.substr(0, body.find('\n'));
    body.remove_prefix(std::min(body.size(), line.size() + 1));
    line = line.substr(0, line.find('#'));
    if (!without_blanks(line).empty()) MR_DO(add_libsvm_row(line, ++rows, columns, cells));
  }
  if (rows == 0) return invalid("Invalid data format. The request has no rows");
  MR_TRY(first, first_libsvm_index(cells, columns));
  Matrix X(rows, columns);
  std::fill(X.values.begin(), X.values.end(), unsaid);
  for (const LibsvmCell& cell : cells) X.at(cell.row - 1, cell.index - first) = cell.value;
  return X;
}

Result<Answer> answer_of(const ServingChain& chain, std::string_view content_type, std::string_view body) {
  const std::size_t columns = chain.input_columns().size();
  if (is_libsvm(content_type)) {
    if (!chain.takes_features())
      return invalid("text/libsvm has no texts, but the model prepares its columns itself",
                     "send text/csv or application/json");
    MR_TRY(X, libsvm_rows_of(body, columns, chain.takes_missing() ? kUnsaid : 0.0f));
    return chain.answer(X);
  }
  if (is_media_type(content_type, kRecordIo)) {
    if (!chain.takes_features())
      return invalid("records of RecordIO have no texts, but the model prepares its columns itself",
                     "send text/csv or application/json");
    RecordIoRows rows;
    MR_DO(parse_record_io(body, "the request", rows));
    if (rows.features != columns)
      return invalid("Input data has " + std::to_string(rows.features) + " while the model expects " +
                     std::to_string(columns));
    Matrix X(rows.rows, columns);
    std::transform(rows.values.begin(), rows.values.end(), X.values.begin(),
                   [](double value) { return static_cast<float>(value); });
    return chain.answer(X);
  }
  if (chain.takes_features()) {
    std::optional<Matrix> X;
    if (is_media_type(content_type, kCsv)) X = plain_csv(body, columns);
    if (is_media_type(content_type, kJson)) X = plain_json(body, columns);
    if (X) return chain.answer(*X);
  }
  MR_TRY(rows, parse_request_rows(body, content_type, chain.input_columns()));
  return chain.answer(rows);
}

}  // namespace

bool can_read(const ServingChain& chain, std::string_view content_type) {
  const auto own = chain.own_form();
  if (!own || *own != nullptr || content_type.empty()) return true;
  return std::any_of(std::begin(kRowTypes), std::end(kRowTypes),
                     [&](auto type) { return is_media_type(content_type, type); });
}

Result<ScoredRows> score_rows(const ServingChain& chain, std::string_view content_type, std::string_view body,
                              std::string_view accept) {
  if (content_type.empty()) content_type = kCsv;
  MR_TRY(own, chain.own_form());
  if (own != nullptr) {
    MR_TRY(answer, own->answer({.body = body, .content_type = content_type, .accept = accept}));
    return ScoredRows{std::move(answer.body), std::move(answer.content_type)};
  }
  MR_TRY(type, answer_type(accept, content_type));
  MR_TRY(answer, answer_of(chain, content_type, body));
  ScoredRows scored;
  scored.content_type = type;
  scored.body = type == kJson  ? answer_as_json(answer)
                : type == kCsv ? answer_as_csv(answer)
                               : answer_as_jsonlines(answer);
  return scored;
}

}  // namespace millrace::tasks
