#include "tasks/text/tfidf.h"

#include <algorithm>
#include <cmath>
#include <map>

namespace millrace::tasks {
namespace {

constexpr std::size_t kTermsMax = 2'000'000;  // seen while fitting

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

}  // namespace

Result<TfidfTerms> fit_tfidf_terms(std::span<const std::string> texts, const TfidfSettings& settings) {
  struct Counts {
    double rows = 0, total = 0;
  };
  std::map<std::string, Counts> seen;
  const auto n = static_cast<double>(texts.size());
  for (const std::string& text : texts) {
    for (const auto& [term, count] : terms_of(text, settings.ngram_max)) {
      Counts& entry = seen[term];
      entry.rows += 1;
      entry.total += count;
    }
    if (seen.size() > kTermsMax)
      return fail(ErrorCode::LimitExceeded, "has more than " + std::to_string(kTermsMax) + " terms",
                  "lower ngram_max, or use the step hash");
  }
  std::vector<std::pair<double, std::string>> kept;
  for (const auto& [term, counts] : seen) {
    if (counts.rows >= settings.rows_min && counts.rows <= settings.share_max * n)
      kept.emplace_back(counts.total, term);
  }
  if (kept.empty()) return invalid("has no words that are left", "drop it, or change min_df and max_df");
  std::stable_sort(kept.begin(), kept.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
  kept.resize(std::min(kept.size(), settings.max_features));
  TfidfTerms out;
  for (const auto& [total, term] : kept) out.terms.push_back(term);
  std::sort(out.terms.begin(), out.terms.end());
  for (const std::string& term : out.terms) out.idf.push_back(std::log((1 + n) / (1 + seen[term].rows)) + 1);
  return out;
}

std::vector<std::pair<std::size_t, double>> tfidf_weights(const TfidfTerms& fitted,
                                                          const TfidfSettings& settings,
                                                          const std::string& text) {
  std::vector<std::pair<std::size_t, double>> weights;
  double squares = 0;
  for (const auto& [term, count] : terms_of(text, settings.ngram_max)) {
    const auto at = std::lower_bound(fitted.terms.begin(), fitted.terms.end(), term);
    if (at == fitted.terms.end() || *at != term) continue;
    const auto place = static_cast<std::size_t>(at - fitted.terms.begin());
    const double weight = (settings.sublinear ? 1 + std::log(count) : count) * fitted.idf[place];
    weights.emplace_back(place, weight);
    squares += weight * weight;
  }
  for (auto& [place, weight] : weights) weight /= std::sqrt(squares);
  return weights;
}

}  // namespace millrace::tasks
