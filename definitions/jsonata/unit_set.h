#pragma once
// UnitSet: a set of UTF-16 units, as a character class of a regular expression denotes it. A value.

#include <string>
#include <utility>
#include <vector>

namespace millrace::definitions::jsonata {

class UnitSet {
 public:
  UnitSet() = default;
  UnitSet(std::initializer_list<std::pair<char16_t, char16_t>> ranges) : ranges_(ranges) {}

  static const UnitSet& digits();            // \d: ASCII
  static const UnitSet& word();              // \w: ASCII
  static const UnitSet& white_space();       // \s: Unicode's, and U+FEFF
  static const UnitSet& line_terminators();  // what a dot does not match

  UnitSet& add(char16_t first, char16_t last);  // first <= last
  UnitSet& add(const UnitSet& other);
  UnitSet complement() const;
  // With all that the flag `i` takes for the same.
  UnitSet without_case() const;
  // As PCRE2 writes it in 16-bit mode: `[\x{61}-\x{7a}]`, or `(?!)` if empty.
  std::string pattern() const;

 private:
  std::vector<std::pair<char16_t, char16_t>> merged() const;  // in order, apart from each other

  std::vector<std::pair<char16_t, char16_t>> ranges_;  // first and last, in any order
};

}  // namespace millrace::definitions::jsonata
