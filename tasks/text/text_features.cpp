#include "tasks/text/text_features.h"

#include <algorithm>

#include "base/random.h"

namespace millrace::tasks {
namespace {

constexpr std::uint64_t kWordBit = std::uint64_t{1} << 63;
// Seeds that keep the kinds of n-grams apart.
constexpr std::uint64_t kWordSeed = 1, kWordRunSeed = 2, kCharacterRunSeed = 3;

bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\v' || c == '\f';
}

bool is_mark(char c) {
  return std::string_view(".,!?'\"()/:;").find(c) != std::string_view::npos;
}

// Where code points begin, and the end.
std::vector<std::size_t> code_point_starts(std::string_view text) {
  std::vector<std::size_t> starts;
  for (std::size_t i = 0; i < text.size(); ++i)
    if ((static_cast<unsigned char>(text[i]) & 0xc0) != 0x80) starts.push_back(i);
  starts.push_back(text.size());
  return starts;
}

}  // namespace

std::vector<std::string> words_of(std::string_view text, bool normalize) {
  std::vector<std::string> words;
  std::string word;
  const auto end_word = [&] {
    if (!word.empty()) words.push_back(std::move(word));
    word.clear();
  };
  for (const char c : text) {
    if (is_blank(c)) {
      end_word();
    } else if (normalize && is_mark(c)) {
      end_word();
      words.emplace_back(1, c);
    } else {
      word += normalize && c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
    }
  }
  end_word();
  return words;
}

std::uint64_t word_key(std::string_view word) {
  return hash64(word, kWordSeed) | kWordBit;
}

std::vector<std::uint64_t> text_keys(const TextFeatures& features, std::string_view text,
                                     const std::function<bool(std::uint64_t word)>& known) {
  const std::vector<std::string> words = words_of(text, features.normalize);
  std::vector<std::uint64_t> keys = {word_key("</s>")};
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::uint64_t key = word_key(words[i]);
    if (known(key)) keys.push_back(key);
    std::uint64_t run = key;
    for (std::size_t j = i + 1; j < words.size() && j < i + static_cast<std::size_t>(features.word_ngrams);
         ++j) {
      run = mix(run, word_key(words[j]));
      keys.push_back(mix(run, kWordRunSeed) % features.buckets);
    }
    if (!features.subwords) continue;
    const std::string framed = "<" + words[i] + ">";
    const std::vector<std::size_t> starts = code_point_starts(framed);
    const std::size_t length = starts.size() - 1, low = static_cast<std::size_t>(features.min_char),
                      high = std::min(length, static_cast<std::size_t>(features.max_char));
    for (std::size_t begin = 0; begin < length; ++begin) {
      for (std::size_t n = low; n <= high && begin + n <= length && n < length; ++n) {
        const std::string_view part =
            std::string_view(framed).substr(starts[begin], starts[begin + n] - starts[begin]);
        keys.push_back(hash64(part, kCharacterRunSeed) % features.buckets);
      }
    }
  }
  return keys;
}

}  // namespace millrace::tasks
