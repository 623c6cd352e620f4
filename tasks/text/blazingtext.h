#pragma once
// blazingtext, mode supervised: texts to labels, by a bag of hashed word and character n-grams
// (text_features.h, text_model.h), trained by stochastic gradient descent on one thread, so that equal data,
// settings and seed give equal bytes. Data: fastText's lines `__label__x words …` (one label each), or CSV
// with a column of texts and one of labels. What differs from BlazingText: texts are normalised unless
// normalize_text is false, and subwords are on unless switched off. The modes that make word vectors are not
// offered. Source: Joulin et al. 2016; SageMaker developer guide, BlazingText.

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "tasks/training/own_form.h"

namespace millrace::tasks {

std::span<const HyperParameterRule> blazingtext_rules();
std::span<const std::string_view> blazingtext_metrics();
const OwnForm& blazingtext_form();
Result<std::unique_ptr<const Model>> load_blazingtext(std::string_view bytes);

// Texts with one label each. An empty label: the row has none.
struct LabelledTexts {
  std::vector<std::string> texts, labels;
};
// The rows of a channel. `target`: of CSV, the column of labels; empty: the other column. InvalidArgument
// names object, line and column; a row without a label is one unless `gaps`, then it is left out.
Result<LabelledTexts> read_labelled_texts(const ObjectChannel& channel, const std::string& text_column,
                                          const std::string& target, bool gaps = false);
// A fit to texts that were read; the model is a TextModel. `parameters` must have been checked.
Result<Fitted> fit_labelled_texts(const HyperParameters& parameters, const LabelledTexts& train,
                                  const FitContext& context);

}  // namespace millrace::tasks
