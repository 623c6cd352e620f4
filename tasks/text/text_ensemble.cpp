// Fitting: settings, folds, members.

#include "tasks/text/text_ensemble.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "base/random.h"
#include "tasks/training/hyperparameters.h"

namespace millrace::tasks {
namespace {

using enum HyperParameterRule::Type;

constexpr HyperParameterRule kTextEnsembleRules[] = {
    {"members", Text, "", 0, 0, "", true, "JSON list of {algorithm, hyperparameters, weight}"},
    {"folds", Integer, "5", 2, 100, "", false, "parts of train, where nothing else is held out"},
    {"validation_fraction", Real, "", 0.001, 0.9, "", false,
     "share of train that is held out once, in place of folds"},
    {"text_column", Text, "text", 0, 0, "", false, "the column of texts; `target` names that of labels"},
    {"selection_steps", Integer, "50", 1, 10'000, "", false, "of the choice of weights"},
};
constexpr std::string_view kTextEnsembleMetrics[] = {
    "validation:accuracy",
    "validation:logloss",
    "validation:mlogloss",
    "validation:auc",
    "validation:f1",
    "validation:precision",
    "validation:recall",
    "validation:macro_f1",
    "validation:macro_precision",
    "validation:macro_recall",
    "validation:balanced_accuracy",
};
constexpr HyperParameterRule kTfidfParameters[] = {
    {"tfidf_max_features", Integer, "2000", 1, 20'000, "", false, "the most frequent terms"},
    {"tfidf_ngram_max", Integer, "1", 1, 3, "", false, "words in a row that count as one term"},
};
constexpr std::size_t kTextRowsMin = 2;

bool takes_texts(std::string_view algorithm) {
  return find_estimator(algorithm)->own_form != nullptr;
}

// A member's own hyperparameters, and those of its terms.
struct MemberParameters {
  HyperParameters own, tfidf;
};
MemberParameters split_parameters(const EnsembleMember& member) {
  MemberParameters out;
  for (const auto& [name, value] : member.parameters)
    (name.starts_with("tfidf_") && !takes_texts(member.algorithm) ? out.tfidf : out.own)[name] = value;
  return out;
}

HyperParameters own_parameters(const EnsembleMember& member, EnsembleTask task, std::size_t classes) {
  EnsembleMember own = member;
  own.parameters = split_parameters(member).own;
  if (!takes_texts(member.algorithm)) return complete_member(own, task, classes);
  own.parameters.emplace("mode", "supervised");
  return own.parameters;
}

Status check_text_member(const EnsembleMember& member) {
  const MemberParameters parameters = split_parameters(member);
  MR_DO(check_against_rules("text-ensemble", kTfidfParameters, parameters.tfidf));
  const EstimatorKind& kind = *find_estimator(member.algorithm);
  // What follows from the data is not known yet; it is fine.
  return check_hyperparameters(kind, own_parameters(member, EnsembleTask::Binary, 2));
}

Status check_text_ensemble(const HyperParameters& parameters) {
  const ParameterReader read(kTextEnsembleRules, parameters);
  MR_TRY(members, parse_members(read.text("members"), kTextMembers));
  std::size_t with_weight = 0;
  for (std::size_t i = 0; i < members.size(); ++i) {
    with_weight += members[i].weight.has_value();
    if (const Status checked = check_text_member(members[i]); !checked)
      return invalid("hyperparameter 'members'[" + std::to_string(i) + "]: " + checked.error().message,
                     checked.error().hint);
  }
  if (with_weight != 0 && with_weight != members.size())
    return invalid("hyperparameter 'members': give all of them a weight, or none");
  return {};
}

// Labels as numbers: their places.
Result<std::vector<double>> label_numbers(const LabelledTexts& texts, const std::vector<std::string>& labels,
                                          const std::string& channel) {
  std::vector<double> out;
  for (const std::string& label : texts.labels) {
    const auto at = std::ranges::lower_bound(labels, label);
    if (at == labels.end() || *at != label)
      return invalid(channel + ": label '" + label.substr(0, 60) + "' is not in the train channel");
    out.push_back(static_cast<double>(at - labels.begin()));
  }
  return out;
}

LabelledTexts chosen_texts(const LabelledTexts& from, const std::vector<std::size_t>& rows) {
  LabelledTexts out;
  for (const std::size_t i : rows) out.texts.push_back(from.texts[i]), out.labels.push_back(from.labels[i]);
  return out;
}

Matrix tfidf_matrix(const TfidfTerms& terms, const TfidfSettings& settings,
                    std::span<const std::string> texts) {
  Matrix out(texts.size(), terms.terms.size());
  for (std::size_t i = 0; i < texts.size(); ++i)
    for (const auto& [place, weight] : tfidf_weights(terms, settings, texts[i]))
      out.at(i, place) = static_cast<float>(weight);
  return out;
}

// A fold's answers: shares of the labels by their numbers.
Result<Matrix> fold_answers(const EnsembleShape& shape, const std::vector<std::string>& labels,
                            const TextPart& part, const TextPart::Fold& fold,
                            std::span<const std::string> texts) {
  if (fold.terms) {
    constexpr std::size_t kRowsAtOnce = 1024;
    Matrix out(texts.size(), shape.outputs());
    for (std::size_t begin = 0; begin < texts.size(); begin += kRowsAtOnce) {
      const auto block = texts.subspan(begin, std::min(kRowsAtOnce, texts.size() - begin));
      MR_TRY(given, fold.model->predict(tfidf_matrix(*fold.terms, part.tfidf, block)));
      const Matrix adapted = adapt_answers(shape, {}, std::move(given));
      std::ranges::copy(adapted.values,
                        out.values.begin() + static_cast<std::ptrdiff_t>(begin * shape.outputs()));
    }
    return out;
  }
  const auto* model = dynamic_cast<const TextModel*>(fold.model.get());
  if (model == nullptr) return fail(ErrorCode::DataLoss, "a member of the text-ensemble takes no texts");
  // The labels that this fold's texts had, by their places among all.
  std::vector<std::size_t> places;
  for (const std::string& label : model->labels())
    places.push_back(static_cast<std::size_t>(std::ranges::lower_bound(labels, label) - labels.begin()));
  Matrix out(texts.size(), shape.outputs());
  const std::size_t first = shape.task == EnsembleTask::Binary ? 1 : 0;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const std::vector<double> shares = model->probabilities(texts[i]);
    for (std::size_t c = 0; c < places.size(); ++c)
      if (places[c] >= first && places[c] < labels.size())
        out.at(i, places[c] - first) = static_cast<float>(shares[c]);
  }
  return out;
}

class TextEnsembleFit {
 public:
  TextEnsembleFit(const HyperParameters& parameters, const FitContext& context)
      : read_(kTextEnsembleRules, parameters), context_(context) {}

  Result<Fitted> run(const HeldOutTexts& texts) {
    MR_TRY(members, parse_members(read_.text("members"), kTextMembers));
    Fitted fitted;
    std::vector<std::shared_ptr<const TextPart>> parts;
    std::vector<Matrix> answers;
    for (const EnsembleMember& member : members) {
      MR_TRY(part, fit_part(member, texts, members.size(), fitted.rounds));
      MR_TRY(held, held_out_answers(texts, *part));
      parts.push_back(std::move(part)), answers.push_back(std::move(held));
      if (report_metric(texts, answers.back(), static_cast<std::int64_t>(parts.size()) - 1)) break;
    }
    std::vector<double> weights = member_weights(members, parts.size());
    if (weights.empty())
      weights = select_weights(texts.shape, answers, texts.held_y,
                               static_cast<std::size_t>(read_.integer("selection_steps")));
    fitted.metrics =
        ensemble_metrics(texts.shape, texts.held_y, combine_predictions(texts.shape, answers, weights));
    std::vector<std::shared_ptr<const TextPart>> kept;
    std::vector<double> kept_weights;
    for (std::size_t m = 0; m < parts.size(); ++m)
      if (weights[m] > 0) kept.push_back(parts[m]), kept_weights.push_back(weights[m]);
    fitted.model = std::make_unique<TextEnsembleModel>(texts.labels, std::string(read_.text("text_column")),
                                                       std::move(kept), std::move(kept_weights));
    return fitted;
  }

 private:
  Result<std::shared_ptr<const TextPart>> fit_part(const EnsembleMember& member, const HeldOutTexts& texts,
                                                   std::size_t members, std::int64_t& rounds) const {
    auto part = std::make_shared<TextPart>();
    part->algorithm = member.algorithm;
    const HyperParameters tfidf = split_parameters(member).tfidf;
    const ParameterReader read(kTfidfParameters, tfidf);
    part->tfidf.ngram_max = static_cast<std::size_t>(read.integer("tfidf_ngram_max"));
    part->tfidf.sublinear = true;
    const auto fits =
        static_cast<std::size_t>(kTfidfNumbersMax / static_cast<double>(texts.train.texts.size()));
    part->tfidf.max_features =
        std::clamp(fits, std::size_t{50}, static_cast<std::size_t>(read.integer("tfidf_max_features")));
    for (std::size_t f = 0; f < texts.folds; ++f) {
      if (context_.cancelled && context_.cancelled())
        return fail(ErrorCode::Cancelled, "training was stopped");
      std::vector<std::size_t> inside, outside;
      for (std::size_t i = 0; i < texts.train.texts.size(); ++i)
        (texts.train_fold_of[i] == f ? outside : inside).push_back(i);
      MR_TRY(fold, fit_text_fold(member, *part, texts, chosen_texts(texts.train, inside),
                                 chosen_texts(texts.train, outside), f));
      part->folds.push_back(std::move(fold));
      Progress progress;
      progress.phase = "Training", progress.round = ++rounds;
      progress.rounds = static_cast<std::int64_t>(members * texts.folds);
      if (context_.progress) context_.progress(progress);
    }
    return std::shared_ptr<const TextPart>(std::move(part));
  }

  Result<TextPart::Fold> fit_text_fold(const EnsembleMember& member, const TextPart& part,
                                       const HeldOutTexts& texts, const LabelledTexts& in,
                                       const LabelledTexts& out, std::size_t f) const {
    FitContext inner;
    inner.seed = mix(context_.seed, f);
    inner.threads = context_.threads, inner.cancelled = context_.cancelled;
    const HyperParameters own = own_parameters(member, texts.shape.task, texts.shape.classes);
    TextPart::Fold fold;
    if (takes_texts(member.algorithm)) {
      MR_TRY(fitted, fit_labelled_texts(own, in, inner));
      fold.model = std::move(fitted.model);
      return fold;
    }
    auto terms = fit_tfidf_terms(in.texts, part.tfidf);
    if (!terms) return fail(terms.error().code, "the texts: it " + terms.error().message);
    fold.terms = std::move(*terms);
    Dataset train, held;
    for (const auto& [side, rows] : {std::pair(&train, &in), {&held, &out}}) {
      side->X = tfidf_matrix(*fold.terms, part.tfidf, rows->texts);
      MR_TRY(y, label_numbers(*rows, texts.labels, "train"));
      side->y = std::move(y);
      for (std::size_t j = 0; j < side->X.cols; ++j) side->feature_names.push_back("f" + std::to_string(j));
    }
    MR_TRY(estimator, find_estimator(member.algorithm)->make(own));
    MR_TRY(fitted, estimator->fit(train, held.y.empty() ? nullptr : &held, inner));
    fold.model = std::move(fitted.model);
    return fold;
  }

  // A member's own metric; true: no more members.
  bool report_metric(const HeldOutTexts& texts, const Matrix& answers, std::int64_t round) const {
    const std::string name =
        texts.shape.task == EnsembleTask::Binary ? "validation:logloss" : "validation:mlogloss";
    const MetricPoint point{name, ensemble_metrics(texts.shape, texts.held_y, answers).at(name), round};
    if (context_.metric) context_.metric(point);
    return context_.stop_early && context_.stop_early(point);
  }

  // Those that were given, sum 1; empty: to be chosen.
  static std::vector<double> member_weights(const std::vector<EnsembleMember>& members, std::size_t count) {
    std::vector<double> weights;
    double sum = 0;
    for (std::size_t m = 0; m < count && members[m].weight; ++m) {
      weights.push_back(*members[m].weight);
      sum += weights.back();
    }
    if (weights.size() < count || !(sum > 0)) return {};
    for (double& weight : weights) weight /= sum;
    return weights;
  }

  const ParameterReader read_;
  const FitContext& context_;
};

Result<Fitted> fit_text_ensemble(const HyperParameters& parameters, const ObjectChannels& data,
                                 const FitContext& context) {
  MR_TRY(texts, hold_out_texts(parameters, data, context.seed));
  return TextEnsembleFit(parameters, context).run(texts);
}

constexpr OwnForm kTextEnsembleForm{check_text_ensemble, fit_text_ensemble, "text/plain|text/csv",
                                    "validation"};

}  // namespace

Result<HeldOutTexts> hold_out_texts(const HyperParameters& parameters, const ObjectChannels& data,
                                    std::uint64_t seed) {
  const ParameterReader read(kTextEnsembleRules, parameters);
  const std::string text_column(read.text("text_column"));
  HeldOutTexts out;
  MR_TRY(train, read_labelled_texts(data.train, text_column, data.target, true));
  out.train = std::move(train);
  const std::set<std::string> distinct(out.train.labels.begin(), out.train.labels.end());
  out.labels.assign(distinct.begin(), distinct.end());
  if (out.labels.size() < 2)
    return invalid("train: every text has the label '" + out.labels.front().substr(0, 60) + "'",
                   "training needs two labels or more");
  out.shape.task = out.labels.size() == 2 ? EnsembleTask::Binary : EnsembleTask::Classes;
  out.shape.classes = out.labels.size();
  out.shape.features = 1;
  MR_TRY(y, label_numbers(out.train, out.labels, "train"));
  if (data.other) {
    MR_TRY(held, read_labelled_texts(*data.other, text_column, data.target, true));
    out.held = std::move(held);
    MR_TRY(held_y, label_numbers(out.held, out.labels, data.other->name));
    out.held_y = std::move(held_y);
    out.fold_of.assign(out.held_y.size(), 0);
    out.train_fold_of.assign(y.size(), 1);
    return out;
  }
  const bool once = read.given("validation_fraction");
  const auto parts = once
                         ? static_cast<std::size_t>(std::max(2.0, 1 / read.real("validation_fraction") + 0.5))
                         : static_cast<std::size_t>(read.integer("folds"));
  out.folds = once ? 1 : std::min(parts, y.size());
  out.train_fold_of = assign_folds(y, out.labels.size(), once ? parts : out.folds, seed);
  for (std::size_t i = 0; i < y.size(); ++i) {
    if (out.train_fold_of[i] >= out.folds) continue;
    out.held.texts.push_back(out.train.texts[i]), out.held.labels.push_back(out.train.labels[i]);
    out.held_y.push_back(y[i]), out.fold_of.push_back(out.train_fold_of[i]);
  }
  if (out.held_y.size() < kTextRowsMin)
    return invalid("train has " + std::to_string(y.size()) + " texts: there is nothing to hold out",
                   "give more texts, or a channel validation");
  return out;
}

Result<Matrix> held_out_answers(const HeldOutTexts& texts, const TextPart& part) {
  Matrix out(texts.held_y.size(), texts.shape.outputs());
  for (std::size_t f = 0; f < part.folds.size(); ++f) {
    std::vector<std::size_t> rows;
    std::vector<std::string> own;
    for (std::size_t i = 0; i < texts.held_y.size(); ++i)
      if (texts.fold_of[i] == f) rows.push_back(i), own.push_back(texts.held.texts[i]);
    MR_TRY(answers, fold_answers(texts.shape, texts.labels, part, part.folds[f], own));
    for (std::size_t r = 0; r < rows.size(); ++r)
      std::copy_n(answers.values.data() + r * out.cols, out.cols, out.values.data() + rows[r] * out.cols);
  }
  return out;
}

Result<std::vector<std::vector<double>>> TextEnsembleModel::shares(std::span<const std::string> texts) const {
  EnsembleShape shape;
  shape.task = labels_.size() == 2 ? EnsembleTask::Binary : EnsembleTask::Classes;
  shape.classes = labels_.size(), shape.features = 1;
  std::vector<Matrix> members;
  for (const auto& part : parts_) {
    std::vector<Matrix> folds;
    for (const TextPart::Fold& fold : part->folds) {
      MR_TRY(answers, fold_answers(shape, labels_, *part, fold, texts));
      folds.push_back(std::move(answers));
    }
    const std::vector<double> equal(folds.size(), 1.0 / static_cast<double>(folds.size()));
    members.push_back(combine_predictions(shape, folds, equal));
  }
  const Matrix all = combine_predictions(shape, members, weights_);
  std::vector<std::vector<double>> out(texts.size());
  for (std::size_t i = 0; i < texts.size(); ++i) {
    if (shape.task == EnsembleTask::Binary)
      out[i] = {1 - static_cast<double>(all.at(i, 0)), static_cast<double>(all.at(i, 0))};
    for (std::size_t c = 0; shape.task == EnsembleTask::Classes && c < labels_.size(); ++c)
      out[i].push_back(static_cast<double>(all.at(i, c)));
  }
  return out;
}

std::span<const HyperParameterRule> text_ensemble_rules() {
  return kTextEnsembleRules;
}
std::span<const std::string_view> text_ensemble_metrics() {
  return kTextEnsembleMetrics;
}
const OwnForm& text_ensemble_form() {
  return kTextEnsembleForm;
}

}  // namespace millrace::tasks
