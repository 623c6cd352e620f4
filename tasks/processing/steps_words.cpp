// The step tfidf: a column of texts to weights of its terms (tasks/text/tfidf.h).

#include "tasks/processing/steps.h"
#include "tasks/text/tfidf.h"

namespace millrace::tasks {
namespace {

using Type = SettingRule::Type;

constexpr SettingRule kTfidfRules[] = {
    {"max_features", Type::Number, "1000", "", 1, 20'000, "the most frequent words"},
    {"min_df", Type::Number, "1", "", 1, 1e9, "rows that a word is in at least"},
    {"max_df", Type::Number, "1", "", 0, 1, "share of the rows that a word is in at most"},
    {"ngram_max", Type::Number, "1", "", 1, 3, "words in a row that count as one term"},
    {"sublinear", Type::Flag, "false", "", 0, 0, "1 + ln(count) in place of the count"},
};

TfidfSettings tfidf_settings(const StepSettings& settings) {
  return {static_cast<std::size_t>(settings.number("max_features")), settings.number("min_df"),
          settings.number("max_df"), static_cast<std::size_t>(settings.number("ngram_max")),
          settings.number("sublinear") != 0};
}

// texts: the terms, sorted; numbers: the idf of each.
Result<FittedColumn> fit_tfidf(const Column& column, const StepSettings& settings, FitInput&) {
  auto fitted = fit_tfidf_terms(column.texts, tfidf_settings(settings));
  if (!fitted)
    return fail(fitted.error().code, "column \"" + column.name + "\" " + fitted.error().message,
                fitted.error().hint);
  return FittedColumn{column.name, std::move(fitted->idf), std::move(fitted->terms)};
}

Status apply_tfidf(const FittedColumn& fitted, const StepSettings& settings, Column column,
                   StepKind::Columns& out) {
  const TfidfSettings how = tfidf_settings(settings);
  const TfidfTerms terms{fitted.texts, fitted.numbers};
  const std::size_t first = out.size(), rows = column.texts.size();
  for (const std::string& term : terms.terms)
    out.push_back(number_column(column.name + ":" + term, std::vector<double>(rows)));
  for (std::size_t i = 0; i < rows; ++i)
    for (const auto& [place, weight] : tfidf_weights(terms, how, column.texts[i]))
      out[first + place].numbers[i] = weight;
  return {};
}

}  // namespace

std::span<const StepKind> word_step_kinds() {
  static constexpr StepKind kKinds[] = {
      {.name = "tfidf",
       .summary = "texts to the weights of their words",
       .needs = StepKind::Needs::Text,
       .rules = kTfidfRules,
       .fit = fit_tfidf,
       .apply = apply_tfidf,
       .numbers_per_text = 1},
  };
  return kKinds;
}

}  // namespace millrace::tasks
