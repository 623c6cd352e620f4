#include "definitions/jsonata/case_mapping.h"

#include <unicode/uchar.h>
#include <unicode/ustring.h>

#include <map>
#include <vector>

#include "base/check.h"
#include "definitions/jsonata/utf16.h"

namespace millrace::definitions::jsonata {
namespace {

using Mapping = int32_t (*)(UChar*, int32_t, const UChar*, int32_t, const char*, UErrorCode*);

std::u16string mapped(std::u16string_view text, Mapping mapping) {
  std::u16string out(text.size() + 8, u'\0');
  for (;;) {
    UErrorCode error = U_ZERO_ERROR;
    const int32_t size = mapping(out.data(), static_cast<int32_t>(out.size()), text.data(),
                                 static_cast<int32_t>(text.size()), "", &error);
    const bool fits = size <= static_cast<int32_t>(out.size());
    MR_CHECK(!fits || U_SUCCESS(error), "case mapping fails on nothing but a small buffer");
    out.resize(static_cast<std::size_t>(size));
    if (fits) return out;
  }
}

// ECMAScript, Canonicalize: the upper case if that is one unit and does not leave the characters beyond
// ASCII.
char16_t canonical(char16_t c) {
  if (u_toupper(c) == static_cast<UChar32>(c)) return c;
  const std::u16string upper = mapped(std::u16string_view(&c, 1), u_strToUpper);
  return upper.size() != 1 || (c >= 128 && upper[0] < 128) ? c : upper[0];
}

struct Families {
  std::vector<char16_t> canonical_of = std::vector<char16_t>(65536);
  std::map<char16_t, std::u16string> members;  // by canonical form, where there is more than one
};

Families make_families() {
  Families made;
  for (unsigned c = 0; c < 65536; ++c) {
    const auto unit = static_cast<char16_t>(c);
    made.canonical_of[c] = canonical(unit);
    if (made.canonical_of[c] != unit) made.members[made.canonical_of[c]].push_back(unit);
  }
  for (auto& [form, members] : made.members) members.push_back(form);
  return made;
}

}  // namespace

std::string to_upper(std::string_view utf8) {
  return utf8_of(mapped(utf16_of(utf8), u_strToUpper));
}

std::string to_lower(std::string_view utf8) {
  return utf8_of(mapped(utf16_of(utf8), u_strToLower));
}

std::u16string same_without_case(char16_t c) {
  static const Families families = make_families();
  const auto family = families.members.find(families.canonical_of[c]);
  return family == families.members.end() ? std::u16string(1, c) : family->second;
}

}  // namespace millrace::definitions::jsonata
