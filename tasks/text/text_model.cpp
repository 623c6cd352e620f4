#include "tasks/text/text_model.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>

#include "tasks/table/csv.h"
#include "tasks/text/blazingtext.h"
#include "tasks/training/model_texts.h"

namespace millrace::tasks {
namespace {

// Labels are as the training data, or whoever made the model, wrote them.
std::string dumped(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

constexpr std::string_view kTextMagic = "MRBT";
constexpr std::uint8_t kTextVersion = 1;
constexpr std::size_t kTextsAtOnce = 1024;

// k as a request writes it.
Result<std::size_t> label_count(const Json& value, const std::string& where) {
  if (value.is_null()) return std::size_t{1};
  if (!value.is_number_integer() || value.get<double>() < 1 || value.get<double>() > 1e9)
    return invalid(where + ": expected an integer of at least 1, got " + value.dump().substr(0, 60));
  return value.get<std::size_t>();
}

std::vector<std::string> lines_of(std::string_view body) {
  std::vector<std::string> lines;
  while (!body.empty()) {
    const std::size_t end = std::min(body.find('\n'), body.size());
    std::string_view line = body.substr(0, end);
    body.remove_prefix(std::min(end + 1, body.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (!line.empty()) lines.emplace_back(line);
  }
  return lines;
}

// The column of texts: by its name in a header, or the only one.
Result<std::vector<std::string>> texts_of_csv(std::string_view body, const std::string& column) {
  CsvOptions options;
  options.header = false;
  MR_TRY(cells, parse_csv(first_csv_record(body), "the body", options));
  options.header = std::ranges::any_of(cells.columns, [&](const Column& cell) {
    return cell.type == Column::Type::Text && !cell.texts.empty() && cell.texts[0] == column;
  });
  if (!options.header && cells.columns.size() != 1)
    return invalid("the body has " + std::to_string(cells.columns.size()) +
                       " columns and no header that names '" + column + "'",
                   "send only the texts, or a header");
  if (!options.header) options.column_names = {column};
  options.types = {{column, Column::Type::Text}};
  options.missing = {""};
  MR_TRY(table, parse_csv(body, "the body", options));
  return table.find(column)->texts;
}

}  // namespace

TextModel::TextModel(TextFeatures features, std::vector<std::string> labels, std::string text_column,
                     TextWeights weights)
    : features_(features),
      labels_(std::move(labels)),
      text_column_(std::move(text_column)),
      weights_(std::move(weights)) {
  rows_.reserve(weights_.keys.size());
  for (std::size_t i = 0; i < weights_.keys.size(); ++i)
    rows_.emplace(weights_.keys[i], static_cast<std::uint32_t>(i));
}

std::vector<double> TextModel::probabilities(std::string_view text) const {
  const std::size_t d = weights_.dimensions;
  std::vector<double> mean(d, 0.0);
  double count = 0;
  for (const std::uint64_t key :
       text_keys(features_, text, [&](std::uint64_t word) { return rows_.contains(word); })) {
    const auto found = rows_.find(key);
    if (found == rows_.end()) continue;
    ++count;
    const float* row = weights_.vectors.data() + found->second * d;
    for (std::size_t j = 0; j < d; ++j) mean[j] += static_cast<double>(row[j]);
  }
  std::vector<double> scores(labels_.size(), 0.0);
  for (std::size_t c = 0; count > 0 && c < scores.size(); ++c)
    for (std::size_t j = 0; j < d; ++j)
      scores[c] += static_cast<double>(weights_.output[c * d + j]) * mean[j] / count;
  const double highest = *std::ranges::max_element(scores);
  double total = 0;
  for (double& score : scores) total += score = std::exp(score - highest);
  for (double& score : scores) score /= total;
  return scores;
}

Result<std::vector<std::vector<double>>> TextModel::shares(std::span<const std::string> texts) const {
  std::vector<std::vector<double>> out;
  for (const std::string& text : texts) out.push_back(probabilities(text));
  return out;
}

// The k likeliest labels; of equal ones the first by name.
Json TextClassifier::likeliest(const std::vector<double>& shares, std::size_t k) const {
  std::vector<std::size_t> order(shares.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, std::greater(), [&](std::size_t c) { return shares[c]; });
  order.resize(std::min(k, order.size()));
  Json out = {{"label", Json::array()}, {"prob", Json::array()}};
  for (const std::size_t c : order) {
    out["label"].push_back(std::string(label_prefix()) + labels()[c]);
    out["prob"].push_back(shares[c]);
  }
  return out;
}

Result<OwnAnswer> TextClassifier::answer_texts(const std::vector<std::string>& texts, std::size_t k,
                                               std::string_view types, const OwnRequest& request) const {
  MR_TRY(type, choose_answer_type(request.accept, types));
  Json list = Json::array();
  std::string lines;
  std::vector<std::vector<double>> block;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const std::size_t at = i % kTextsAtOnce;
    if (at == 0) {
      if (request.cancelled && request.cancelled()) return fail(ErrorCode::Cancelled, "stopped");
      MR_TRY(answered, shares(std::span(texts).subspan(i, std::min(kTextsAtOnce, texts.size() - i))));
      block = std::move(answered);
    }
    Json classified = likeliest(block[at], k);
    if (type == "application/json") {
      list.push_back(std::move(classified));
    } else if (type == "application/jsonlines") {
      lines += dumped(classified) + "\n";
    } else {
      Table row;
      row.rows = 1;
      for (std::size_t j = 0; j < classified["label"].size(); ++j) {
        row.columns.push_back(text_column("", {classified["label"][j].get<std::string>()}));
        row.columns.push_back(number_column("", {classified["prob"][j].get<double>()}));
      }
      lines += format_csv(row, false);
    }
  }
  return OwnAnswer{type == "application/json" ? dumped(list) : lines, type};
}

Result<OwnAnswer> TextClassifier::answer_json(const OwnRequest& request) const {
  const Json body = Json::parse(request.body, nullptr, false);
  const char* remedy = "write {\"instances\": [\"a text\", …], \"configuration\": {\"k\": 1}}";
  if (!body.is_object()) return invalid("the body is not a JSON object", remedy);
  const Json instances = body.value("instances", Json());
  if (!instances.is_array() || instances.empty())
    return invalid("instances: expected a list of texts", remedy);
  std::vector<std::string> texts;
  for (const Json& text : instances) {
    if (!text.is_string())
      return invalid("instances[" + std::to_string(texts.size()) + "]: expected a text, got " +
                         text.dump().substr(0, 60),
                     remedy);
    texts.push_back(text.get<std::string>());
  }
  const Json configuration = body.value("configuration", Json::object());
  if (!configuration.is_object()) return invalid("configuration: expected an object", remedy);
  MR_TRY(k, label_count(configuration.value("k", Json()), "configuration.k"));
  return answer_texts(texts, k, "application/json|application/jsonlines|text/csv", request);
}

Result<OwnAnswer> TextClassifier::answer_lines(const OwnRequest& request) const {
  std::vector<std::string> texts;
  std::size_t k = 0, number = 0;
  for (const std::string& line : lines_of(request.body)) {
    const std::string where = "line " + std::to_string(++number) + ": ";
    const Json object = Json::parse(line, nullptr, false);
    if (!object.is_object() || !object.contains("source") || !object["source"].is_string())
      return invalid(where + "expected {\"source\": \"a text\"}");
    MR_TRY(count, label_count(object.value("k", Json()), where + "k"));
    if (number > 1 && count != k) return invalid(where + "k is not that of the first line");
    k = count;
    texts.push_back(object["source"].get<std::string>());
  }
  if (texts.empty()) return invalid("the body has no lines");
  return answer_texts(texts, k, "application/jsonlines|application/json|text/csv", request);
}

Result<OwnAnswer> TextClassifier::answer(const OwnRequest& request) const {
  const std::string type = media_type(request.content_type);
  if (type == "application/json") return answer_json(request);
  if (type == "application/jsonlines") return answer_lines(request);
  constexpr std::string_view kTypes = "text/csv|application/json|application/jsonlines";
  if (type == "text/plain") return answer_texts(lines_of(request.body), 1, kTypes, request);
  if (type != "text/csv")
    return invalid("ContentType \"" + std::string(request.content_type) + "\" is not supported",
                   "use application/json, application/jsonlines, text/csv or text/plain");
  MR_TRY(texts, texts_of_csv(request.body, column()));
  return answer_texts(texts, 1, kTypes, request);
}

std::string TextModel::save() const {
  ModelWriter writer(kTextMagic, kTextVersion);
  const auto number = [&](std::int64_t value) { writer.put(static_cast<std::uint64_t>(value)); };
  number(features_.word_ngrams), number(features_.subwords), number(features_.min_char),
      number(features_.max_char);
  writer.put(features_.buckets);
  number(features_.normalize);
  writer.put(std::uint64_t{weights_.dimensions});
  put_texts(writer, labels_);
  put_texts(writer, std::vector{text_column_});
  std::vector<std::uint32_t> halves;
  for (const std::uint64_t key : weights_.keys) {
    halves.push_back(static_cast<std::uint32_t>(key));
    halves.push_back(static_cast<std::uint32_t>(key >> 32));
  }
  writer.put(std::span<const std::uint32_t>(halves));
  writer.put(std::span<const float>(weights_.vectors)).put(std::span<const float>(weights_.output));
  return std::move(writer).finish();
}

Result<std::unique_ptr<const Model>> load_blazingtext(std::string_view bytes) {
  MR_TRY(reader, ModelReader::open("blazingtext", kTextMagic, kTextVersion, bytes));
  constexpr std::uint64_t kRunMax = 100, kDimensionsMax = 10'000;
  bool good = true;
  const auto number = [&](std::uint64_t most) {
    const std::uint64_t value = reader.u64();
    good = good && value <= most;
    return good ? value : 0;
  };
  TextFeatures features;
  features.word_ngrams = static_cast<int>(number(kRunMax)), features.subwords = number(1) != 0;
  features.min_char = static_cast<int>(number(kRunMax)),
  features.max_char = static_cast<int>(number(kRunMax));
  features.buckets = reader.u64();
  features.normalize = number(1) != 0;
  TextWeights weights;
  weights.dimensions = number(kDimensionsMax);
  std::vector<std::string> labels = read_texts(reader, good);
  const std::vector<std::string> columns = read_texts(reader, good);
  const std::vector<std::uint32_t> halves = reader.u32s();
  for (std::size_t i = 0; i + 1 < halves.size(); i += 2)
    weights.keys.push_back(halves[i] | static_cast<std::uint64_t>(halves[i + 1]) << 32);
  weights.vectors = reader.floats(), weights.output = reader.floats();
  const auto finite = [](const std::vector<float>& values) {
    return std::ranges::all_of(values, [](float x) { return std::isfinite(x); });
  };
  good = good && features.word_ngrams >= 1 && features.min_char >= 1 &&
         features.max_char >= features.min_char && features.buckets >= 1 && weights.dimensions >= 1 &&
         labels.size() >= 2 && columns.size() == 1 && halves.size() % 2 == 0 &&
         std::ranges::is_sorted(weights.keys) &&
         weights.vectors.size() == weights.keys.size() * weights.dimensions &&
         weights.output.size() == labels.size() * weights.dimensions && finite(weights.vectors) &&
         finite(weights.output);
  MR_DO(reader.finish(good));
  return std::make_unique<TextModel>(features, std::move(labels), columns[0], std::move(weights));
}

}  // namespace millrace::tasks
