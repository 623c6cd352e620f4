#pragma once
// TF-IDF: texts as weights of their terms, as scikit-learn's TfidfVectorizer gives them: words of two
// characters or more in lower case (of ASCII letters) and runs of them, counts times
// ln((1 + n) / (1 + df)) + 1, each row of length 1. Pure.

#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"

namespace millrace::tasks {

struct TfidfSettings {
  std::size_t max_features = 1000;     // the most frequent terms
  double rows_min = 1, share_max = 1;  // rows that a term is in: at least so many, at most this share
  std::size_t ngram_max = 1;           // words in a row that count as one term
  bool sublinear = false;              // 1 + ln(count) in place of the count
};

struct TfidfTerms {
  std::vector<std::string> terms;  // sorted
  std::vector<double> idf;         // of each
};

// Errors: LimitExceeded beyond 2,000,000 terms; InvalidArgument: no term is left.
Result<TfidfTerms> fit_tfidf_terms(std::span<const std::string> texts, const TfidfSettings& settings);
// The terms that a text has, by their places, ascending, with their weights; empty: none of them.
std::vector<std::pair<std::size_t, double>> tfidf_weights(const TfidfTerms& fitted,
                                                          const TfidfSettings& settings,
                                                          const std::string& text);

}  // namespace millrace::tasks
