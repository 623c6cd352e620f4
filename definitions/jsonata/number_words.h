#pragma once
// Integers as English words, Roman numerals and letters, both ways. Pure. Numbers are doubles, as everywhere
// in JSONata; what cannot be read is NaN.

#include <string>
#include <string_view>
#include <vector>

#include "definitions/jsonata/fault.h"

namespace millrace::definitions::jsonata {

// "One Thousand, Two Hundred and Thirty-Four", or as an ordinal "… and Thirty-Fourth". `value` is an integer,
// 0 or more. Fault U1001 if it is not finite.
Checked<std::string> words_of(double value, bool ordinal);
// Reads words in lower case, cardinal or ordinal.
double number_of_words(std::string_view text);
// Every word there is, in lower case.
std::vector<std::string> number_words();

// "mcmlxxxiv"; nothing for 0. Fault U1001 beyond 5,000,000.
Checked<std::string> roman_of(double value);
double number_of_roman(std::string_view upper_case);

// a … z, aa … zz and so on; `first` is 'a' or 'A'.
std::string letters_of(double value, char first);
double number_of_letters(std::u16string_view letters, char first);

}  // namespace millrace::definitions::jsonata
