#pragma once
// What answers texts with their labels, and how it is asked; and the classifier of blazingtext: each feature
// has a vector, a text is the mean of its features' vectors, and a layer on it gives the labels' shares by
// softmax. Immutable; any thread.
//
//   request  {"instances": ["free entry …"], "configuration": {"k": 2}}, or JSON lines {"source": "…", "k":
//   1}, or
//            CSV with the text's column (or only it), or text/plain with a text a line
//   answer   [{"label": ["__label__spam"], "prob": [0.99]}]; JSON lines of the same objects; CSV: label,prob
//   a line
// Source of the forms: SageMaker developer guide, BlazingText, inference.

#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "tasks/text/text_features.h"
#include "tasks/training/own_form.h"

namespace millrace::tasks {

// A model that is asked in the forms above.
class TextClassifier : public OwnFormModel {
 public:
  Result<OwnAnswer> answer(const OwnRequest& request) const final;

  virtual const std::vector<std::string>& labels() const = 0;   // sorted
  virtual const std::string& column() const = 0;                // of CSV: that of the texts
  virtual std::string_view label_prefix() const { return {}; }  // of labels in answers
  // For each text the shares of the labels, in their order. Errors: those of the model.
  virtual Result<std::vector<std::vector<double>>> shares(std::span<const std::string> texts) const = 0;

 private:
  Json likeliest(const std::vector<double>& shares, std::size_t k) const;
  Result<OwnAnswer> answer_json(const OwnRequest& request) const;
  Result<OwnAnswer> answer_lines(const OwnRequest& request) const;
  Result<OwnAnswer> answer_texts(const std::vector<std::string>& texts, std::size_t k, std::string_view types,
                                 const OwnRequest& request) const;
};

inline constexpr std::string_view kLabelPrefix = "__label__";

struct TextWeights {
  std::size_t dimensions = 0;
  std::vector<std::uint64_t> keys;  // of the rows of `vectors`, ascending
  std::vector<float> vectors;       // (keys, dimensions)
  std::vector<float> output;        // (labels, dimensions)
};

class TextModel final : public TextClassifier {
 public:
  TextModel(TextFeatures features, std::vector<std::string> labels, std::string text_column,
            TextWeights weights);

  std::string_view algorithm() const override { return "blazingtext"; }
  std::string save() const override;

  const std::vector<std::string>& labels() const override { return labels_; }
  const std::string& column() const override { return text_column_; }
  std::string_view label_prefix() const override { return kLabelPrefix; }
  Result<std::vector<std::vector<double>>> shares(std::span<const std::string> texts) const override;
  // Shares of the labels, in their order.
  std::vector<double> probabilities(std::string_view text) const;

 private:
  const TextFeatures features_;
  const std::vector<std::string> labels_;  // sorted, without "__label__"
  const std::string text_column_;
  const TextWeights weights_;
  std::unordered_map<std::uint64_t, std::uint32_t> rows_;  // only looked up: its order reaches nothing
};

}  // namespace millrace::tasks
