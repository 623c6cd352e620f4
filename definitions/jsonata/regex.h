#pragma once
// JsRegex: JavaScript's regular expressions (no flag u) on PCRE2, within limits on work and memory, so that
// no pattern runs away. Positions are UTF-16 units. Any thread: immutable, a search has its own working
// memory.
//
// What is missing: look-behind whose length varies (compile refuses it), and groups inside a repetition keep
// their last match where JavaScript forgets it.

#include <cstddef>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "definitions/jsonata/fault.h"

namespace millrace::definitions::jsonata {

struct UnitRange {
  std::size_t begin = 0, end = 0;  // UTF-16 units
};

struct RegexMatch {
  UnitRange all;
  std::vector<std::optional<UnitRange>> groups;  // from 1; nothing: took no part
};

class JsRegex {
 public:
  // `flags`: i and m. InvalidArgument in JavaScript's words.
  static Result<JsRegex> compile(std::string_view pattern, std::string_view flags);
  // The first match that begins at `from` or later; nothing if there is none; Fault U1001 when a limit was
  // reached. Convert the text once (utf16_of) and search it often.
  Checked<std::optional<RegexMatch>> find(std::u16string_view text, std::size_t from = 0) const;

 private:
  std::shared_ptr<const void> code_;
};

}  // namespace millrace::definitions::jsonata
