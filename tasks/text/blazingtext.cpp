#include "tasks/text/blazingtext.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <set>

#include "base/random.h"
#include "tasks/table/csv.h"
#include "tasks/text/text_model.h"
#include "tasks/training/fit_state.h"
#include "tasks/training/hyperparameters.h"

namespace millrace::tasks {
namespace {

using enum HyperParameterRule::Type;

constexpr std::size_t kTextsMax = 50'000'000, kLabelsMax = 100'000;
// BlazingText's defaults are for millions of texts. Of fewer than so many a few passes of small steps learn
// next to nothing, and rare words are most of what there is.
constexpr std::size_t kFewTexts = 50'000;
constexpr std::int64_t kEpochsFull = 5, kEpochsMost = 25, kTextsOfEpochs = 60'000;
constexpr double kRateFull = 0.05, kRateFew = 0.2;
constexpr std::int64_t kDimensionsFull = 100, kDimensionsFew = 16, kMinCountFull = 5, kMinCountFew = 1;
constexpr std::size_t kLabelsOfFewDimensions = 16;
constexpr std::size_t kExamplesBetweenChecks = 256;  // of whether to stop

constexpr HyperParameterRule kBlazingtextRules[] = {
    {"mode", Choice, "", 0, 0, "supervised", true,
     "word vectors (skipgram, cbow, batch_skipgram) are not offered"},
    {"epochs", Integer, "auto", 1, 10'000, "auto", false,
     "passes over the texts; auto: 5, and up to 25 of fewer than 12,000 texts"},
    {"learning_rate", Real, "auto", 1e-6, 100, "auto", false,
     "of the first step; it falls to 0; auto: 0.05, of fewer than 50,000 texts 0.2"},
    {"vector_dim", Integer, "auto", 1, 10'000, "auto", false,
     "numbers of a feature's vector; auto: 100, of fewer than 50,000 texts 16, or 32 with more than 16 "
     "labels"},
    {"min_count", Integer, "auto", 0, 1e9, "auto", false,
     "words that come less often have no vector of their own; auto: 5, of fewer than 50,000 texts 1"},
    {"word_ngrams", Integer, "2", 1, 20, "", false, "words of the longest run"},
    {"buckets", Integer, "2000000", 1, 1e9, "", false, "numbers that the runs share"},
    {"subwords", Boolean, "True", 0, 0, "", false, "runs of characters, too"},
    {"min_char", Integer, "3", 1, 50, "", false, "characters of the shortest run"},
    {"max_char", Integer, "6", 1, 50, "", false, "characters of the longest run"},
    {"early_stopping", Boolean, "False", 0, 0, "", false, "stop when validation:accuracy does not rise"},
    {"patience", Integer, "4", 1, 10'000, "", false, "epochs without a rise"},
    {"min_epochs", Integer, "5", 1, 10'000, "", false, "epochs before the first stop"},
    {"normalize_text", Boolean, "true", 0, 0, "", false, "lower case, marks as words of their own"},
    {"text_column", Text, "text", 0, 0, "", false,
     "of CSV: the column of texts; `target` names that of labels"},
};

constexpr std::string_view kBlazingtextMetrics[] = {"validation:accuracy", "train:accuracy"};

Status take_fasttext_lines(const ObjectChannel::Object& object, LabelledTexts& out) {
  std::string_view rest = object.bytes;
  for (std::size_t number = 1; !rest.empty(); ++number) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    std::string_view line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    const std::string where = object.name + ":" + std::to_string(number) + ": ";
    const auto take_label = [&]() -> std::string_view {
      line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
      if (!line.starts_with(kLabelPrefix)) return {};
      const std::string_view label = line.substr(0, line.find_first_of(" \t\r"));
      line.remove_prefix(label.size());
      return label.substr(kLabelPrefix.size());
    };
    const std::string_view label = take_label();
    if (label.empty())
      return invalid(where + "the line does not begin with a label", "write __label__spam free entry …");
    if (!take_label().empty())
      return invalid(where + "there are two labels", "one label a line is supported");
    out.labels.emplace_back(label), out.texts.emplace_back(line);
  }
  return {};
}

Status take_csv_rows(const ObjectChannel::Object& object, const std::string& text_column, std::string target,
                     bool gaps, LabelledTexts& out) {
  CsvOptions options;
  options.header = false;
  MR_TRY(head, parse_csv(first_csv_record(object.bytes), object.name, options));
  std::vector<std::string> names;
  for (const Column& cell : head.columns) names.push_back(as_texts(cell).texts.at(0));
  options.header = std::ranges::find(names, text_column) != names.end();
  if (!options.header && names.size() != 2)
    return invalid(object.name + ": there is no column '" + text_column + "'",
                   "set text_column, or give labels and texts without a header");
  if (!options.header && !target.empty())
    return invalid(object.name + ": there is no column '" + text_column + "' beside target '" + target + "'",
                   "set text_column");
  if (!options.header) options.column_names = names = {"label", text_column};
  if (target.empty()) target = names[0] == text_column && names.size() > 1 ? names[1] : names[0];
  if (std::ranges::find(names, target) == names.end() || target == text_column)
    return invalid(object.name + ": there is no column '" + target + "' for the target");
  options.types = {{text_column, Column::Type::Text}, {target, Column::Type::Text}};
  options.missing = {""};
  MR_TRY(table, parse_csv(object.bytes, object.name, options));
  const Column &texts = *table.find(text_column), &labels = *table.find(target);
  for (std::size_t i = 0; i < table.rows; ++i) {
    std::string label = labels.texts[i];
    if (label.starts_with(kLabelPrefix)) label.erase(0, kLabelPrefix.size());
    if (label.empty() && gaps) continue;
    if (label.empty())
      return invalid(object.name + ": row " + std::to_string(i + 1) + ", column '" + target +
                     "': the label is missing");
    out.labels.push_back(std::move(label)), out.texts.push_back(texts.texts[i]);
  }
  return {};
}

Result<LabelledTexts> read_texts_of(const ObjectChannel& channel, const std::string& text_column,
                                    const std::string& target, bool gaps) {
  LabelledTexts out;
  for (const ObjectChannel::Object& object : channel.objects) {
    const std::size_t at = object.bytes.find_first_not_of(" \t\r\n");
    const bool fasttext =
        channel.content_type == "text/plain" ||
        (at != std::string::npos && std::string_view(object.bytes).substr(at).starts_with(kLabelPrefix));
    if (fasttext)
      MR_DO(take_fasttext_lines(object, out));
    else
      MR_DO(take_csv_rows(object, text_column, target, gaps, out));
    if (out.texts.size() > kTextsMax)
      return fail(ErrorCode::LimitExceeded,
                  channel.name + ": more than " + std::to_string(kTextsMax) + " texts");
  }
  if (out.texts.empty()) return invalid(channel.name + ": there are no texts");
  return out;
}

// The training texts as rows of vectors. Numbers of rows are given as features first come.
struct Corpus {
  std::vector<std::uint64_t> keys;  // of the rows
  std::vector<std::uint32_t> rows;  // of all texts, one after the other
  std::vector<std::size_t> begin;   // of each text in `rows`, and the end
  std::vector<std::uint32_t> labels;
};

constexpr std::string_view kTextAlgorithm = "blazingtext";

class TextFit {
 public:
  TextFit(const HyperParameters& parameters, const ObjectChannels& data, const FitContext& context)
      : read_(kBlazingtextRules, parameters), data_(data), context_(context), random_(context.seed) {}

  Result<Fitted> run() {
    const std::string text_column(read_.text("text_column"));
    MR_TRY(train, read_texts_of(data_.train, text_column, data_.target, false));
    if (data_.other) {
      MR_TRY(validation, read_texts_of(*data_.other, text_column, data_.target, false));
      validation_ = std::move(validation);
    }
    return fit(train);
  }

  Result<Fitted> fit(const LabelledTexts& train) {
    few_ = train.texts.size() < kFewTexts;
    epochs_ = read_.integer_or(
        "epochs",
        std::clamp(kTextsOfEpochs / static_cast<std::int64_t>(train.texts.size()), kEpochsFull, kEpochsMost));
    MR_DO(number_labels(train));
    MR_DO(number_features(train));
    start_weights();
    MR_DO(descend());
    Fitted fitted;
    fitted.rounds = epochs_done_;
    fitted.metrics = std::move(metrics_);
    fitted.model = make_model();
    return fitted;
  }

 private:
  Status number_labels(const LabelledTexts& train);
  Status number_features(const LabelledTexts& train);
  void start_weights();
  Status descend();
  bool step(std::size_t text, float rate);
  void end_epoch(std::int64_t epoch, double accuracy);
  std::unique_ptr<const TextModel> make_model() const;
  bool cancelled() const { return context_.cancelled && context_.cancelled(); }

  const ParameterReader read_;
  const ObjectChannels& data_;
  const FitContext& context_;
  Random random_;
  LabelledTexts validation_;
  TextFeatures features_;
  std::vector<std::string> labels_;
  Corpus corpus_;
  std::size_t d_ = 0;
  bool few_ = false;  // texts
  std::int64_t epochs_ = 0;
  std::vector<float> vectors_, output_, mean_, gradient_, scores_;
  std::int64_t epochs_done_ = 0;
  double best_ = -1;
  std::int64_t best_epoch_ = 0;
  bool stop_ = false;
  std::pair<std::vector<float>, std::vector<float>> best_weights_;
  std::map<std::string, double> metrics_;
};

Status TextFit::number_labels(const LabelledTexts& train) {
  const std::set<std::string> distinct(train.labels.begin(), train.labels.end());
  labels_.assign(distinct.begin(), distinct.end());
  if (labels_.size() < 2)
    return invalid("train: every text has the label '" + labels_.front() + "'",
                   "training needs two labels or more");
  if (labels_.size() > kLabelsMax)
    return fail(ErrorCode::LimitExceeded, "train: more than " + std::to_string(kLabelsMax) + " labels");
  for (const std::string& label : train.labels)
    corpus_.labels.push_back(
        static_cast<std::uint32_t>(std::ranges::lower_bound(labels_, label) - labels_.begin()));
  for (const std::string& label : validation_.labels)
    if (!distinct.contains(label))
      return invalid(data_.other->name + ": label '" + label + "' is not in the train channel");
  return {};
}

Status TextFit::number_features(const LabelledTexts& train) {
  features_.word_ngrams = static_cast<int>(read_.integer("word_ngrams"));
  features_.subwords = read_.boolean("subwords");
  features_.min_char = static_cast<int>(read_.integer("min_char"));
  features_.max_char = static_cast<int>(read_.integer("max_char"));
  features_.buckets = static_cast<std::uint64_t>(read_.integer("buckets"));
  features_.normalize = read_.boolean("normalize_text");
  std::unordered_map<std::uint64_t, std::int64_t> counts;  // only looked up
  for (const std::string& text : train.texts)
    for (const std::string& word : words_of(text, features_.normalize)) ++counts[word_key(word)];
  const std::int64_t min_count = read_.integer_or("min_count", few_ ? kMinCountFew : kMinCountFull);
  std::unordered_map<std::uint64_t, std::uint32_t> places;
  for (std::size_t i = 0; i < train.texts.size(); ++i) {
    if (i % kExamplesBetweenChecks == 0 && cancelled())
      return fail(ErrorCode::Cancelled, "training was stopped");
    corpus_.begin.push_back(corpus_.rows.size());
    for (const std::uint64_t key : text_keys(features_, train.texts[i],
                                             [&](std::uint64_t word) { return counts[word] >= min_count; })) {
      const auto [place, added] = places.emplace(key, static_cast<std::uint32_t>(corpus_.keys.size()));
      if (added) corpus_.keys.push_back(key);
      corpus_.rows.push_back(place->second);
    }
  }
  corpus_.begin.push_back(corpus_.rows.size());
  return {};
}

// Vectors begin at 0, so that a feature counts for what it has learnt; the labels' at random, so that they
// differ.
void TextFit::start_weights() {
  const std::int64_t few = labels_.size() > kLabelsOfFewDimensions ? 2 * kDimensionsFew : kDimensionsFew;
  d_ = static_cast<std::size_t>(read_.integer_or("vector_dim", few_ ? few : kDimensionsFull));
  vectors_.assign(corpus_.keys.size() * d_, 0.0f);
  output_.resize(labels_.size() * d_);
  Random random = random_.derive("output");
  const double size = 1 / std::sqrt(static_cast<double>(d_));
  for (float& w : output_) w = static_cast<float>(random.uniform(-size, size));
  mean_.resize(d_), gradient_.resize(d_), scores_.resize(labels_.size());
}

// One text: whether its label was the likeliest before.
bool TextFit::step(std::size_t text, float rate) {
  const std::uint32_t* begin = corpus_.rows.data() + corpus_.begin[text];
  const std::uint32_t* end = corpus_.rows.data() + corpus_.begin[text + 1];
  const float share = 1 / static_cast<float>(end - begin);
  const std::size_t d = d_, k = labels_.size(), label = corpus_.labels[text];
  std::ranges::fill(mean_, 0.0f);
  float* const mean = mean_.data();
  float* const gradient = gradient_.data();
  for (const std::uint32_t* at = begin; at != end; ++at) {
    const float* row = vectors_.data() + *at * d;
    for (std::size_t j = 0; j < d; ++j) mean[j] += row[j];
  }
  for (std::size_t j = 0; j < d; ++j) mean[j] *= share, gradient[j] = 0;
  for (std::size_t c = 0; c < k; ++c) {
    float sum = 0;
    for (std::size_t j = 0; j < d; ++j) sum += output_[c * d + j] * mean[j];
    scores_[c] = sum;
  }
  const auto likeliest = static_cast<std::size_t>(std::ranges::max_element(scores_) - scores_.begin());
  const float highest = scores_[likeliest];
  float total = 0;
  for (float& score : scores_) total += score = std::exp(score - highest);
  for (std::size_t c = 0; c < k; ++c) {
    const float change = rate * ((c == label ? 1.0f : 0.0f) - scores_[c] / total);
    float* weights = output_.data() + c * d;
    for (std::size_t j = 0; j < d; ++j) {
      gradient[j] += change * weights[j];
      weights[j] += change * mean[j];
    }
  }
  for (const std::uint32_t* at = begin; at != end; ++at) {
    float* row = vectors_.data() + *at * d;
    for (std::size_t j = 0; j < d; ++j) row[j] += gradient[j];
  }
  return likeliest == label;
}

Status TextFit::descend() {
  const std::size_t texts = corpus_.labels.size();
  const std::int64_t epochs = epochs_;
  const double rate = read_.real_or("learning_rate", few_ ? kRateFew : kRateFull),
               steps = static_cast<double>(texts) * static_cast<double>(epochs);
  std::vector<std::uint32_t> order(texts);
  std::iota(order.begin(), order.end(), 0u);
  const auto fields = [this](FitState& state) {
    state.field(epochs_done_), state.field(vectors_), state.field(output_), state.field(metrics_);
    state.field(best_), state.field(best_epoch_);
    state.field(best_weights_.first), state.field(best_weights_.second);
    const bool none = best_weights_.first.empty() && best_weights_.second.empty();
    state.require(none || (best_weights_.first.size() == vectors_.size() &&
                           best_weights_.second.size() == output_.size()));
  };
  MR_DO(resume_fit(context_, kTextAlgorithm, fields));
  const auto shuffle_texts = [&](std::int64_t epoch) {
    Random random = random_.derive("epoch", static_cast<std::uint64_t>(epoch));
    shuffle(order, random);
  };
  for (std::int64_t epoch = 0; epoch < epochs_done_; ++epoch) shuffle_texts(epoch);
  double done = static_cast<double>(texts) * static_cast<double>(epochs_done_);
  for (std::int64_t epoch = epochs_done_; epoch < epochs && !stop_; ++epoch) {
    shuffle_texts(epoch);
    double right = 0;
    for (std::size_t i = 0; i < texts; ++i, ++done) {
      if (i % kExamplesBetweenChecks == 0 && cancelled())
        return fail(ErrorCode::Cancelled, "training was stopped");
      right += step(order[i], static_cast<float>(rate * (1 - done / steps))) ? 1 : 0;
    }
    if (!std::ranges::all_of(output_, [](float w) { return std::isfinite(w); }))
      return invalid("the weights grew beyond all bounds in epoch " + std::to_string(epoch + 1),
                     "lower learning_rate");
    end_epoch(epoch, right / static_cast<double>(texts));
    if (!stop_ && epochs_done_ < epochs) keep_checkpoint(context_, kTextAlgorithm, epochs_done_, fields);
  }
  if (stop_ && !best_weights_.first.empty())
    vectors_ = std::move(best_weights_.first), output_ = std::move(best_weights_.second);
  return {};
}

void TextFit::end_epoch(std::int64_t epoch, double accuracy) {
  epochs_done_ = epoch + 1;
  const auto report = [&](const std::string& name, double value) {
    metrics_[name] = value;
    if (context_.metric) context_.metric({name, value, epoch});
    if (context_.stop_early && context_.stop_early({name, value, epoch})) stop_ = true;
  };
  report("train:accuracy", accuracy);
  const bool early = read_.boolean("early_stopping");
  if (!validation_.texts.empty()) {
    const auto model = make_model();
    double right = 0;
    for (std::size_t i = 0; i < validation_.texts.size(); ++i) {
      const std::vector<double> shares = model->probabilities(validation_.texts[i]);
      right += labels_[static_cast<std::size_t>(std::ranges::max_element(shares) - shares.begin())] ==
               validation_.labels[i];
    }
    const double now = right / static_cast<double>(validation_.texts.size());
    if (now > best_) {
      best_ = now, best_epoch_ = epoch;
      if (early) best_weights_ = {vectors_, output_};
    }
    const bool patient =
        epoch + 1 < read_.integer("min_epochs") || epoch - best_epoch_ < read_.integer("patience");
    if (early && !patient) stop_ = true;
    report("validation:accuracy", now);
    if (stop_ && early) metrics_["validation:accuracy"] = best_;
  }
  if (!context_.progress) return;
  Progress progress;
  progress.phase = "Training", progress.round = epoch + 1, progress.rounds = epochs_;
  context_.progress(progress);
}

// Rows sorted by their keys.
std::unique_ptr<const TextModel> TextFit::make_model() const {
  std::vector<std::uint32_t> order(corpus_.keys.size());
  std::iota(order.begin(), order.end(), 0u);
  std::ranges::sort(order, {}, [&](std::uint32_t row) { return corpus_.keys[row]; });
  TextWeights weights;
  weights.dimensions = d_, weights.output = output_;
  weights.keys.reserve(order.size()), weights.vectors.reserve(vectors_.size());
  for (const std::uint32_t row : order) {
    weights.keys.push_back(corpus_.keys[row]);
    const auto from = vectors_.begin() + static_cast<std::ptrdiff_t>(row * d_);
    weights.vectors.insert(weights.vectors.end(), from, from + static_cast<std::ptrdiff_t>(d_));
  }
  return std::make_unique<TextModel>(features_, labels_, std::string(read_.text("text_column")),
                                     std::move(weights));
}

Status check_blazingtext(const HyperParameters& parameters) {
  const ParameterReader read(kBlazingtextRules, parameters);
  if (read.integer("max_char") >= read.integer("min_char")) return {};
  return invalid("hyperparameter 'max_char' is " + std::to_string(read.integer("max_char")) +
                 ": expected at least min_char, " + std::to_string(read.integer("min_char")));
}

Result<Fitted> fit_blazingtext(const HyperParameters& parameters, const ObjectChannels& data,
                               const FitContext& context) {
  return TextFit(parameters, data, context).run();
}

constexpr OwnForm kTextForm{check_blazingtext, fit_blazingtext, "text/plain|text/csv", "validation"};

}  // namespace

std::span<const HyperParameterRule> blazingtext_rules() {
  return kBlazingtextRules;
}
std::span<const std::string_view> blazingtext_metrics() {
  return kBlazingtextMetrics;
}
const OwnForm& blazingtext_form() {
  return kTextForm;
}

Result<LabelledTexts> read_labelled_texts(const ObjectChannel& channel, const std::string& text_column,
                                          const std::string& target, bool gaps) {
  return read_texts_of(channel, text_column, target, gaps);
}

Result<Fitted> fit_labelled_texts(const HyperParameters& parameters, const LabelledTexts& train,
                                  const FitContext& context) {
  const ObjectChannels none;
  return TextFit(parameters, none, context).fit(train);
}

}  // namespace millrace::tasks
