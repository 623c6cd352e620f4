#include "tasks/labelling/label_select.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>

#include "base/random.h"
#include "tasks/arguments.h"
#include "tasks/processing/channels.h"
#include "tasks/text/text_features.h"

namespace millrace::tasks {
namespace {

constexpr std::int64_t kAskedMax = 10'000;
constexpr std::size_t kWordPlaces = 256, kNumberPlaces = 64;  // of a row's features
constexpr std::size_t kCandidatesPerRow = 10, kCandidatesMin = 1000;

constexpr std::pair<std::string_view, AskStrategy> kStrategies[] = {
    {"margin", AskStrategy::Margin},   {"least_confidence", AskStrategy::LeastConfidence},
    {"entropy", AskStrategy::Entropy}, {"committee", AskStrategy::Committee},
    {"random", AskStrategy::Random},
};

struct SelectSettings {
  AskStrategy strategy = AskStrategy::Margin;
  std::string strategy_name, text_column, id_column, attribute;
  std::size_t count = 50;
  bool diversity = true;
  std::uint64_t seed = 0;
};

std::vector<const NamedUri*> models_in(const ProcessingInputs& inputs) {
  std::vector<const NamedUri*> models;
  for (const NamedUri& input : inputs.inputs)
    if (input.name == "model" || input.name.starts_with("model-")) models.push_back(&input);
  return models;
}

Result<SelectSettings> read_select_settings(const ProcessingInputs& inputs, std::uint64_t seed) {
  MR_DO(check_setting_names(
      inputs.settings, {"count", "strategy", "diversity", "text_column", "id_column", "attribute", "seed"},
      "label-select"));
  const Arguments arguments(inputs.settings);
  const std::size_t models = models_in(inputs).size();
  SelectSettings settings;
  MR_TRY(name, arguments.text_or("strategy", models == 0 ? "random" : models == 1 ? "margin" : "committee"));
  MR_DO(arguments.one_of("strategy", name, "margin|least_confidence|entropy|committee|random"));
  for (const auto& [known, strategy] : kStrategies)
    if (known == name) settings.strategy = strategy;
  if (settings.strategy != AskStrategy::Random && models == 0)
    return arguments.wrong("strategy", name + " needs an input named \"model\"");
  if (settings.strategy == AskStrategy::Committee && models < 2)
    return arguments.wrong("strategy", "committee needs two models or more: inputs named model and model-…");
  MR_TRY(count, arguments.integer_or("count", 50));
  if (count < 1 || count > kAskedMax)
    return arguments.wrong("count", "must be from 1 to " + std::to_string(kAskedMax));
  MR_TRY(diversity, arguments.boolean_or("diversity", true));
  MR_TRY(text, arguments.text_or("text_column", ""));
  MR_TRY(id, arguments.text_or("id_column", ""));
  MR_TRY(attribute, arguments.text_or("attribute", "label"));
  MR_TRY(own_seed, arguments.integer_or("seed", static_cast<std::int64_t>(seed)));
  settings.strategy_name = std::move(name), settings.text_column = std::move(text);
  settings.id_column = std::move(id), settings.attribute = std::move(attribute);
  settings.count = static_cast<std::size_t>(count), settings.diversity = diversity;
  settings.seed = static_cast<std::uint64_t>(own_seed);
  return settings;
}

double entropy_of(std::span<const float> probabilities) {
  double sum = 0;
  for (const float p : probabilities)
    if (p > 0) sum -= static_cast<double>(p) * std::log(static_cast<double>(p));
  return probabilities.size() < 2 ? 0 : sum / std::log(static_cast<double>(probabilities.size()));
}

// Words of texts, hashed, and numbers by their place in the column; rows of length 1.
Matrix row_features(const Table& pool, std::span<const std::size_t> rows, const std::string& id_column) {
  Matrix features(rows.size(), kWordPlaces + kNumberPlaces);
  std::size_t number_place = kWordPlaces;
  for (const Column& column : pool.columns) {
    if (column.name == id_column) continue;
    double sum = 0, squares = 0, n = 0;
    if (column.type == Column::Type::Number) {
      for (const std::size_t row : rows)
        if (!is_missing(column, row))
          sum += column.numbers[row], squares += column.numbers[row] * column.numbers[row], ++n;
    }
    const double mean = n > 0 ? sum / n : 0;
    const double deviation = n > 0 ? std::sqrt(std::max(squares / n - mean * mean, 0.0)) : 0;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      if (is_missing(column, rows[i])) continue;
      if (column.type == Column::Type::Number) {
        if (deviation > 0 && number_place < features.cols)
          features.at(i, number_place) = static_cast<float>((column.numbers[rows[i]] - mean) / deviation);
        continue;
      }
      for (const std::string& word : words_of(column.texts[rows[i]], true))
        features.at(i, hash64(word) % kWordPlaces) += 1;
    }
    if (column.type == Column::Type::Number) ++number_place;
  }
  for (std::size_t i = 0; i < features.rows; ++i) {
    double length = 0;
    for (std::size_t c = 0; c < features.cols; ++c)
      length += static_cast<double>(features.at(i, c) * features.at(i, c));
    if (length <= 0) continue;
    const auto scale = static_cast<float>(1 / std::sqrt(length));
    for (std::size_t c = 0; c < features.cols; ++c) features.at(i, c) *= scale;
  }
  return features;
}

// What a person is shown of a row, and what names it.
Result<std::string> manifest_line(const Table& pool, std::size_t row, const SelectSettings& settings) {
  JsonWriter out;
  out.begin_object().key("source");
  if (settings.text_column.empty()) {
    std::string text;
    for (const Column& column : pool.columns)
      if (!is_missing(column, row))
        text += (text.empty() ? "" : ", ") + column.name + ": " + column.texts[row];
    out.string(text);
  } else {
    const Column& column = *pool.find(settings.text_column);
    out.string(is_missing(column, row) ? std::string() : column.texts[row]);
  }
  MR_TRY(key, row_key(pool, row, settings.id_column));
  if (settings.id_column.empty())
    out.key("row").number(static_cast<std::int64_t>(row));
  else
    out.key(settings.id_column).string(key);
  // The same once more, for pages that show rows as such.
  if (settings.text_column.empty()) {
    out.key("columns").begin_object();
    for (const Column& column : pool.columns)
      if (!is_missing(column, row)) out.key(column.name).string(column.texts[row]);
    out.end_object();
  }
  return std::string(out.end_object().finish().text());
}

// Rows that nobody has labelled yet.
Result<std::vector<std::size_t>> open_rows(const ProcessingInputs& inputs, const Table& pool,
                                           const SelectSettings& settings, TaskContext& context) {
  RowLabels known;
  if (const NamedUri* labels = inputs.input("labels")) {
    MR_TRY(read, read_row_labels(context.objects(), labels->uri, settings.attribute, settings.id_column));
    known = std::move(read);
  }
  std::vector<std::size_t> rows;
  for (std::size_t row = 0; row < pool.rows; ++row) {
    MR_TRY(key, row_key(pool, row, settings.id_column));
    if (known.count(key) == 0) rows.push_back(row);
  }
  if (rows.empty()) return invalid("every row of the pool is labelled: there is nothing to ask about");
  return rows;
}

Result<std::vector<double>> row_scores(const ProcessingInputs& inputs, const NamedUri& pool_input,
                                       const Table& pool, std::span<const std::size_t> rows,
                                       const SelectSettings& settings, TaskContext& context) {
  std::vector<double> scores(rows.size());
  if (settings.strategy == AskStrategy::Random) {
    Random random = Random(settings.seed).derive("label-select");
    for (double& score : scores) score = random.uniform();
    return scores;
  }
  std::vector<ClassScores> members;
  for (const NamedUri* model : models_in(inputs)) {
    MR_TRY(member, class_scores(*model, pool_input, pool, context));
    if (!members.empty() && member.classes != members[0].classes)
      return invalid("input \"" + model->name + "\": its classes are not those of the first model");
    members.push_back(std::move(member));
    if (settings.strategy != AskStrategy::Committee) break;
  }
  std::vector<std::span<const float>> of_row(members.size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    for (std::size_t m = 0; m < members.size(); ++m) {
      const Matrix& p = members[m].probabilities;
      of_row[m] = std::span<const float>(p.values).subspan(rows[i] * p.cols, p.cols);
    }
    scores[i] = unsureness(settings.strategy, of_row);
  }
  return scores;
}

}  // namespace

double unsureness(AskStrategy strategy, std::span<const std::span<const float>> members) {
  if (members.empty() || members[0].empty()) return 0;
  const std::span<const float> first = members[0];
  std::vector<float> sorted(first.begin(), first.end());
  std::sort(sorted.begin(), sorted.end(), std::greater<>());
  const double k = static_cast<double>(first.size());
  switch (strategy) {
    case AskStrategy::Random:
      return 0;
    case AskStrategy::LeastConfidence:
      return k < 2 ? 0 : (1 - static_cast<double>(sorted[0])) * k / (k - 1);
    case AskStrategy::Margin:
      return k < 2 ? 0 : 1 - static_cast<double>(sorted[0] - sorted[1]);
    case AskStrategy::Entropy:
      return entropy_of(first);
    case AskStrategy::Committee:
      break;
  }
  std::vector<float> mean(first.size());
  double own = 0;
  for (const std::span<const float> member : members) {
    for (std::size_t c = 0; c < mean.size(); ++c) mean[c] += member[c] / static_cast<float>(members.size());
    own += entropy_of(member) / static_cast<double>(members.size());
  }
  return std::max(0.0, entropy_of(mean) - own);
}

std::vector<std::size_t> choose_rows(std::span<const double> scores, const Matrix* features,
                                     std::size_t count) {
  std::vector<std::size_t> order(scores.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return scores[a] > scores[b]; });
  count = std::min(count, order.size());
  if (!features) {
    order.resize(count);
    return order;
  }
  // Of length 1 and at most opposite: a distance is 1 - cosine.
  std::vector<double> distance(scores.size(), 1.0);
  std::vector<bool> taken(scores.size());
  std::vector<std::size_t> chosen;
  while (chosen.size() < count) {
    std::size_t best = order.size();
    for (const std::size_t row : order) {
      if (taken[row]) continue;
      if (best == order.size() || scores[row] * distance[row] > scores[best] * distance[best]) best = row;
    }
    taken[best] = true;
    chosen.push_back(best);
    const float* one = &features->values[best * features->cols];
    for (std::size_t row = 0; row < scores.size(); ++row) {
      if (taken[row]) continue;
      const float* other = &features->values[row * features->cols];
      double cosine = 0;
      for (std::size_t c = 0; c < features->cols; ++c) cosine += static_cast<double>(one[c] * other[c]);
      distance[row] = std::min(distance[row], std::max(0.0, 1 - cosine));
    }
  }
  return chosen;
}

Status check_label_select(const ProcessingInputs& inputs) {
  MR_DO(read_select_settings(inputs, 0));
  if (!inputs.input("pool")) return invalid("ProcessingInputs: label-select needs an input named \"pool\"");
  MR_DO(inputs.output_for("ask"));
  return {};
}

Result<Json> run_label_select(const ProcessingInputs& inputs, TaskContext& context) {
  MR_DO(check_label_select(inputs));
  MR_TRY(settings, read_select_settings(inputs, context.seed()));
  const NamedUri& pool_input = *inputs.input("pool");
  MR_TRY(pool, read_channel(pool_input, context, 0.3));
  if (!settings.text_column.empty() && !pool.find(settings.text_column))
    return invalid("text_column: the pool has no column \"" + settings.text_column + "\"");
  MR_TRY(rows, open_rows(inputs, pool, settings, context));
  MR_TRY(scores, row_scores(inputs, pool_input, pool, rows, settings, context));
  // Only the most unsure are looked at for being unlike each other.
  const std::size_t candidates = std::max(settings.count * kCandidatesPerRow, kCandidatesMin);
  std::vector<std::size_t> kept = choose_rows(scores, nullptr, std::min(candidates, rows.size()));
  std::vector<std::size_t> kept_rows;
  std::vector<double> kept_scores;
  for (const std::size_t i : kept) kept_rows.push_back(rows[i]), kept_scores.push_back(scores[i]);
  const Matrix features = settings.diversity ? row_features(pool, kept_rows, settings.id_column) : Matrix();
  const std::vector<std::size_t> chosen =
      choose_rows(kept_scores, settings.diversity ? &features : nullptr, settings.count);
  std::string manifest;
  double mean = 0;
  for (const std::size_t i : chosen) {
    MR_TRY(line, manifest_line(pool, kept_rows[i], settings));
    manifest += line + "\n";
    mean += kept_scores[i] / static_cast<double>(chosen.size());
  }
  MR_TRY(uri, inputs.output_for("ask"));
  const std::string object = join_uri(uri, "ask.manifest");
  MR_DO(context.objects().write(object, manifest));
  context.log(std::to_string(chosen.size()) + " of " + std::to_string(rows.size()) + " open rows by " +
              settings.strategy_name);
  return Json{{"manifest", object},
              {"asked", chosen.size()},
              {"open_rows", rows.size()},
              {"rows", pool.rows},
              {"strategy", settings.strategy_name},
              {"mean_unsureness", mean}};
}

}  // namespace millrace::tasks
