#include "definitions/jsonata/number_words.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <limits>
#include <map>

#include "definitions/jsonata/number_text.h"

#include "definitions/jsonata/not_a_number.h"

namespace millrace::definitions::jsonata {
namespace {

constexpr double kRomanMax = 5'000'000;

constexpr std::string_view kFew[] = {"Zero",    "One",     "Two",       "Three",    "Four",
                                     "Five",    "Six",     "Seven",     "Eight",    "Nine",
                                     "Ten",     "Eleven",  "Twelve",    "Thirteen", "Fourteen",
                                     "Fifteen", "Sixteen", "Seventeen", "Eighteen", "Nineteen"};
constexpr std::string_view kOrdinals[] = {
    "Zeroth",     "First",     "Second",    "Third",       "Fourth",     "Fifth",     "Sixth",
    "Seventh",    "Eighth",    "Ninth",     "Tenth",       "Eleventh",   "Twelfth",   "Thirteenth",
    "Fourteenth", "Fifteenth", "Sixteenth", "Seventeenth", "Eighteenth", "Nineteenth"};
constexpr std::string_view kTens[] = {"Twenty", "Thirty",  "Forty",  "Fifty",
                                      "Sixty",  "Seventy", "Eighty", "Ninety"};
constexpr std::string_view kMagnitudes[] = {"Thousand", "Million", "Billion", "Trillion"};

struct Numeral {
  int value;
  std::string_view text;
};
constexpr Numeral kNumerals[] = {{1000, "m"}, {900, "cm"}, {500, "d"}, {400, "cd"}, {100, "c"},
                                 {90, "xc"},  {50, "l"},   {40, "xl"}, {10, "x"},   {9, "ix"},
                                 {5, "v"},    {4, "iv"},   {1, "i"}};

std::string below_hundred(int n, bool ordinal) {
  if (n < 20) return std::string(ordinal ? kOrdinals[n] : kFew[n]);
  std::string tens(kTens[n / 10 - 2]);
  if (n % 10 > 0) return tens + "-" + below_hundred(n % 10, ordinal);
  if (ordinal) tens.replace(tens.size() - 1, 1, "ieth");
  return tens;
}

// `behind`: words stand before these, and a conjunction joins them.
std::string words(double n, bool behind, bool ordinal) {
  if (n < 100) return (behind ? " and " : "") + below_hundred(static_cast<int>(n), ordinal);
  const int magnitude = n < 1000 ? 0 : std::min(static_cast<int>(std::floor(std::log10(n) / 3)), 4);
  const double unit = magnitude == 0 ? 100 : std::pow(10, magnitude * 3);
  const double count = std::floor(n / unit);
  const double rest = n - count * unit;
  std::string out = behind ? ", " : "";
  out += words(count, false, false) + " ";
  out += magnitude == 0 ? "Hundred" : kMagnitudes[magnitude - 1];
  if (rest > 0) return out + words(rest, true, ordinal);
  return ordinal ? out + "th" : out;
}

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

std::map<std::string, double, std::less<>> make_values() {
  std::map<std::string, double, std::less<>> made;
  for (int n = 0; n < 20; ++n) made[lower(kFew[n])] = made[lower(kOrdinals[n])] = n;
  for (int n = 20; n < 100; n += 10)
    made[lower(below_hundred(n, false))] = made[lower(below_hundred(n, true))] = n;
  made["hundred"] = made["hundredth"] = 100;
  for (int i = 0; i < 4; ++i) {
    const std::string name = lower(kMagnitudes[i]);
    made[name] = made[name + "th"] = std::pow(10, (i + 1) * 3);
  }
  return made;
}

const std::map<std::string, double, std::less<>>& values() {
  static const auto made = make_values();
  return made;
}

// Words are apart by ", ", " and ", a blank, a hyphen or a backslash.
std::vector<std::string_view> split_words(std::string_view text) {
  std::vector<std::string_view> out;
  std::size_t begin = 0;
  const auto blank = [&](std::size_t i) {
    return i < text.size() && std::isspace(static_cast<unsigned char>(text[i]));
  };
  for (std::size_t i = 0; i < text.size();) {
    std::size_t gap = 0;
    if (text[i] == ',' && blank(i + 1)) {
      gap = 2;
    } else if (blank(i) && text.substr(i + 1, 3) == "and" && blank(i + 4)) {
      gap = 5;
    } else if (blank(i) || text[i] == '-' || text[i] == '\\') {
      gap = 1;
    }
    if (gap == 0) {
      ++i;
      continue;
    }
    out.push_back(text.substr(begin, i - begin));
    begin = i += gap;
  }
  out.push_back(text.substr(begin));
  return out;
}

}  // namespace

Checked<std::string> words_of(double value, bool ordinal) {
  if (!std::isfinite(value)) return fault("U1001", number_text(value));
  return words(value, false, ordinal);
}

double number_of_words(std::string_view text) {
  std::vector<double> sums{0};  // added up at the end: 2 * 10^9, then 300 * 10^3, …
  for (const std::string_view word : split_words(text)) {
    const auto found = values().find(word);
    const double value = found == values().end() ? kNaN : found->second;
    if (!(value < 100)) {
      sums.back() *= value;
    } else if (sums.back() >= 1000) {
      sums.push_back(value);
    } else {
      sums.back() += value;
    }
  }
  double total = 0;
  for (const double sum : sums) total += sum;
  return total;
}

std::vector<std::string> number_words() {
  std::vector<std::string> out;
  for (const auto& [word, value] : values()) out.push_back(word);
  return out;
}

Checked<std::string> roman_of(double value) {
  if (value > kRomanMax) return fault("U1001", number_text(value));
  std::string out;
  for (const Numeral& numeral : kNumerals) {
    for (; value >= numeral.value; value -= numeral.value) out += numeral.text;
  }
  return out;
}

double number_of_roman(std::string_view upper_case) {
  static constexpr std::string_view kLetters = "IVXLCDM";
  static constexpr double kValues[] = {1, 5, 10, 50, 100, 500, 1000};
  double total = 0, most = 1;
  for (auto letter = upper_case.rbegin(); letter != upper_case.rend(); ++letter) {
    const std::size_t at = kLetters.find(*letter);
    if (at == kLetters.npos) return kNaN;
    if (kValues[at] < most) {
      total -= kValues[at];
    } else {
      total += most = kValues[at];
    }
  }
  return total;
}

std::string letters_of(double value, char first) {
  std::string reversed;
  for (; value > 0 && std::isfinite(value); value = std::floor((value - 1) / 26)) {
    reversed += static_cast<char>(first + static_cast<int>(std::fmod(value - 1, 26)));
  }
  return {reversed.rbegin(), reversed.rend()};
}

double number_of_letters(std::u16string_view letters, char first) {
  double total = 0, place = 0;
  for (auto letter = letters.rbegin(); letter != letters.rend(); ++letter, ++place) {
    total += (*letter - first + 1) * std::pow(26, place);
  }
  return total;
}

}  // namespace millrace::definitions::jsonata
