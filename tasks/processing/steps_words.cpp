// The step tfidf: a column of texts to weights of its words, as scikit-learn's TfidfVectorizer gives them:
// words of two characters or more in lower case (of ASCII letters), counts times ln((1 + n) / (1 + df)) + 1,
// each row of length 1.

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "tasks/processing/steps.h"

namespace millrace::tasks {
namespace {

using Type = SettingRule::Type;

constexpr std::size_t kTermsMax = 2'000'000;  // seen while fitting

constexpr SettingRule kTfidfRules[] = {
    {"max_features", Type::Number, "1000", "", 1, 20'000, "the most frequent words"},
    {"min_df", Type::Number, "1", "", 1, 1e9, "rows that a word is in at least"},
    {"max_df", Type::Number, "1", "", 0, 1, "share of the rows that a word is in at most"},
    {"ngram_max", Type::Number, "1", "", 1, 3, "words in a row that count as one term"},
    {"sublinear", Type::Flag, "false", "", 0, 0, "1 + ln(count) in place of the count"},
};

bool is_word_byte(char c) {
  const auto u = static_cast<unsigned char>(c);
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || u >= 0x80;
}

// The terms of a text with their counts.
std::map<std::string, double> terms_of(const std::string& text, std::size_t ngram_max) {
  std::vector<std::string> words;
  std::string word;
  std::size_t characters = 0;
  const auto end_word = [&] {
    if (characters >= 2) words.push_back(word);
    word.clear();
    characters = 0;
  };
  for (char c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    if (!is_word_byte(c)) {
      end_word();
      continue;
    }
    word += c;
    characters += (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }
  end_word();
  std::map<std::string, double> out;
  for (std::size_t i = 0; i < words.size(); ++i) {
    std::string term;
    for (std::size_t n = 0; n < ngram_max && i + n < words.size(); ++n) {
      term += (n > 0 ? " " : "") + words[i + n];
      out[term] += 1;
    }
  }
  return out;
}

// texts: the terms, sorted; numbers: the idf of each.
Result<FittedColumn> fit_tfidf(const Column& column, const StepSettings& settings, FitInput&) {
  const auto ngrams = static_cast<std::size_t>(settings.number("ngram_max"));
  struct Counts {
    double rows = 0, total = 0;
  };
  std::map<std::string, Counts> seen;
  const auto n = static_cast<double>(column.texts.size());
  for (const std::string& text : column.texts) {
    for (const auto& [term, count] : terms_of(text, ngrams)) {
      Counts& entry = seen[term];
      entry.rows += 1;
      entry.total += count;
    }
    if (seen.size() > kTermsMax)
      return fail(ErrorCode::LimitExceeded,
                  "column \"" + column.name + "\" has more than " + std::to_string(kTermsMax) + " terms",
                  "lower ngram_max, or use the step hash");
  }
  std::vector<std::pair<double, std::string>> kept;
  for (const auto& [term, counts] : seen) {
    if (counts.rows >= settings.number("min_df") && counts.rows <= settings.number("max_df") * n)
      kept.emplace_back(counts.total, term);
  }
  if (kept.empty())
    return invalid("column \"" + column.name + "\" has no words that are left",
                   "drop it, or change min_df and max_df");
  std::stable_sort(kept.begin(), kept.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
  kept.resize(std::min(kept.size(), static_cast<std::size_t>(settings.number("max_features"))));
  FittedColumn out{column.name, {}, {}};
  for (const auto& [total, term] : kept) out.texts.push_back(term);
  std::sort(out.texts.begin(), out.texts.end());
  for (const std::string& term : out.texts)
    out.numbers.push_back(std::log((1 + n) / (1 + seen[term].rows)) + 1);
  return out;
}

Status apply_tfidf(const FittedColumn& fitted, const StepSettings& settings, Column column,
                   StepKind::Columns& out) {
  const auto ngrams = static_cast<std::size_t>(settings.number("ngram_max"));
  const bool sublinear = settings.number("sublinear") != 0;
  const std::size_t first = out.size(), rows = column.texts.size();
  for (const std::string& term : fitted.texts)
    out.push_back(number_column(column.name + ":" + term, std::vector<double>(rows)));
  for (std::size_t i = 0; i < rows; ++i) {
    std::vector<std::pair<std::size_t, double>> weights;
    double squares = 0;
    for (const auto& [term, count] : terms_of(column.texts[i], ngrams)) {
      const auto at = std::lower_bound(fitted.texts.begin(), fitted.texts.end(), term);
      if (at == fitted.texts.end() || *at != term) continue;
      const auto place = static_cast<std::size_t>(at - fitted.texts.begin());
      const double weight = (sublinear ? 1 + std::log(count) : count) * fitted.numbers[place];
      weights.emplace_back(place, weight);
      squares += weight * weight;
    }
    for (const auto& [place, weight] : weights) out[first + place].numbers[i] = weight / std::sqrt(squares);
  }
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
