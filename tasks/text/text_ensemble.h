#pragma once
// text-ensemble: texts to labels by several models answering as one, the weighted mean of their shares. Ours;
// what AutoML makes of texts, and usable by itself. Data, requests and answers are blazingtext's
// (text_model.h), labels without a prefix; rows without a label are left out.
//
// Members: blazingtext; and linear-learner or xgboost on TF-IDF (tfidf.h), whose hyperparameters may then say
// tfidf_max_features and tfidf_ngram_max besides. Each is fitted once for each fold without it, terms
// included; with validation_fraction once, without that share; with a channel `validation` once, on all. No
// text is judged by a model that has seen it. Weights: as of `ensemble` (ensemble.h):
//   [{"algorithm": "blazingtext", "hyperparameters": {"epochs": "20"}}, {"algorithm": "linear-learner",
//     "hyperparameters": {"tfidf_ngram_max": "2"}}]

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "tasks/text/blazingtext.h"
#include "tasks/text/text_model.h"
#include "tasks/text/tfidf.h"
#include "tasks/training/ensemble/ensemble.h"

namespace millrace::tasks {

inline constexpr std::string_view kTextMembers[] = {"blazingtext", "linear-learner", "xgboost"};
// Numbers of a dense matrix of TF-IDF weights, at most: with more rows there are fewer terms.
inline constexpr double kTfidfNumbersMax = 6e7;

// A member that was fitted: a model for each fold. Shared between ensembles.
struct TextPart {
  struct Fold {
    std::optional<TfidfTerms> terms;  // of members that take numbers
    std::shared_ptr<const Model> model;
  };
  std::string algorithm;
  TfidfSettings tfidf;
  std::vector<Fold> folds;
};

class TextEnsembleModel final : public TextClassifier {
 public:
  TextEnsembleModel(std::vector<std::string> labels, std::string text_column,
                    std::vector<std::shared_ptr<const TextPart>> parts, std::vector<double> weights)
      : labels_(std::move(labels)),
        text_column_(std::move(text_column)),
        parts_(std::move(parts)),
        weights_(std::move(weights)) {}

  std::string_view algorithm() const override { return "text-ensemble"; }
  std::string save() const override;
  const std::vector<std::string>& labels() const override { return labels_; }
  const std::string& column() const override { return text_column_; }
  Result<std::vector<std::vector<double>>> shares(std::span<const std::string> texts) const override;

  const std::vector<std::shared_ptr<const TextPart>>& parts() const { return parts_; }

 private:
  const std::vector<std::string> labels_;  // sorted
  const std::string text_column_;
  const std::vector<std::shared_ptr<const TextPart>> parts_;
  const std::vector<double> weights_;  // sum 1
};

// What the texts of a job are, and which of them are held out: by whom a text is judged.
struct HeldOutTexts {
  EnsembleShape shape;                       // Binary or Classes
  std::vector<std::string> labels;           // of all, sorted
  LabelledTexts train;                       // what is learnt from
  LabelledTexts held;                        // what is judged by
  std::vector<double> held_y;                // their labels by number
  std::vector<std::uint32_t> fold_of;        // of each of `held`: the model that has not seen it
  std::vector<std::uint32_t> train_fold_of;  // of each of `train`; >= folds: none of them
  std::size_t folds = 1;
};
// The same for the same data, hyperparameters and seed. InvalidArgument: fewer than two labels, a label of
// `validation` that train has not, labels that too few texts have.
Result<HeldOutTexts> hold_out_texts(const HyperParameters& parameters, const ObjectChannels& data,
                                    std::uint64_t seed);
// (held, outputs): each text as answered by the model of its fold alone.
Result<Matrix> held_out_answers(const HeldOutTexts& texts, const TextPart& part);

std::span<const HyperParameterRule> text_ensemble_rules();
std::span<const std::string_view> text_ensemble_metrics();
const OwnForm& text_ensemble_form();
Result<std::unique_ptr<const Model>> load_text_ensemble(std::string_view bytes);

}  // namespace millrace::tasks
