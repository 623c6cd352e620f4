#pragma once
// blazingtext, mode supervised: texts to labels, by a bag of hashed word and character n-grams
// (text_features.h, text_model.h), trained by stochastic gradient descent on one thread, so that equal data,
// settings and seed give equal bytes. Data: fastText's lines `__label__x words …` (one label each), or CSV
// with a column of texts and one of labels. What differs from BlazingText: texts are normalised unless
// normalize_text is false, and subwords are on unless switched off. The modes that make word vectors are not
// offered. Source: Joulin et al. 2016; SageMaker developer guide, BlazingText.

#include <memory>
#include <span>
#include <string_view>

#include "base/result.h"
#include "tasks/training/own_form.h"

namespace millrace::tasks {

std::span<const HyperParameterRule> blazingtext_rules();
std::span<const std::string_view> blazingtext_metrics();
const OwnForm& blazingtext_form();
Result<std::unique_ptr<const Model>> load_blazingtext(std::string_view bytes);

}  // namespace millrace::tasks
