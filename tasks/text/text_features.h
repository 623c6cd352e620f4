#pragma once
// Texts as lists of numbers: words, runs of words and runs of characters, hashed. The features are
// fastText's: word n-grams up to word_ngrams, character n-grams of "<word>" by code points, and one for the
// end of the text. Source: Joulin et al. 2016, "Bag of tricks for efficient text classification"; Bojanowski
// et al. 2016. Pure.

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::tasks {

struct TextFeatures {
  int word_ngrams = 2;
  bool subwords = true;
  int min_char = 3, max_char = 6;
  std::uint64_t buckets = 2'000'000;  // n-grams share so many numbers; words have their own
  bool normalize = true;
};

// The words of a text: what blanks separate; normalised: in lower case (ASCII), with .,!?'"()/:; as words.
std::vector<std::string> words_of(std::string_view text, bool normalize);
// A word's number, which no n-gram has.
std::uint64_t word_key(std::string_view word);
// The features of a text, with repetitions. `known`: whether a word counts by itself (a rare one does not;
// its n-grams still do).
std::vector<std::uint64_t> text_keys(const TextFeatures& features, std::string_view text,
                                     const std::function<bool(std::uint64_t word)>& known);

}  // namespace millrace::tasks
