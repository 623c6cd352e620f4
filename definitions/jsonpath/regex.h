#pragma once
// Regular expressions of filters (`@.name =~ /re.*/i`): compiled once with the path, matched within limits,
// so that no pattern runs away. Any thread: immutable, a match has its own working memory. Source: Jayway
// JsonPath (Java's Matcher.matches: the whole text); the engine is PCRE2, whose syntax holds Java's but for a
// few rarities (\p{javaLowerCase}, class intersections [a-z&&[^x]]).

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "base/result.h"

namespace millrace::definitions::jsonpath {

class Regex {
 public:
  // `flags`: i without regard to case, m lines, s a dot matches line ends, x blanks and comments; d, u and U
  // are accepted. InvalidArgument with the engine's reason and its column in the pattern.
  static Result<Regex> compile(std::string_view pattern, std::string_view flags);
  // Whether all of `text` matches; nothing when `steps_max` calls of the matcher did not tell, or memory ran
  // out.
  std::optional<bool> matches(std::string_view text, std::uint32_t steps_max) const;

 private:
  std::shared_ptr<const void> code_;
};

}  // namespace millrace::definitions::jsonpath
