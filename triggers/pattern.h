#pragma once
// Pattern: what an event must look like, in EventBridge's language, compiled once. An event is seen as its
// leaves: each a path of member names joined with dots ("detail.state") and a scalar; elements of arrays are
// leaves of the same path. A pattern is an alternative of conjunctions of conditions on paths ($or is
// multiplied out). Pure; any thread. Source: EventBridge user guide, "Event patterns"; the behaviour of the
// Event Ruler library (paths with dots, leaves only, array consistency).

#include <array>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/payload.h"
#include "base/result.h"

namespace millrace::triggers {

inline constexpr std::size_t kPatternBytesMax = 65'536;  // AWS: 4096
inline constexpr std::size_t kAlternativesMax = 1000;    // that $or multiplies out to
inline constexpr int kWildcardsMax = 5;                  // in one wildcard

namespace condition {
// A scalar: its JSON text; a number is compared as one, whatever way it is written.
struct Equals {
  std::string text;
  bool number = false;
  double value = 0;
};
enum class Part { Whole, Prefix, Suffix };
// A string, or its beginning or end; without regard to case when `folded` (then `text` is in lower case).
struct Text {
  Part part = Part::Whole;
  std::string text;
  bool folded = false;
};
// '*' stands for any characters; the text between them, escapes resolved.
struct Wildcard {
  std::vector<std::string> pieces;  // one more than there are '*'
};
struct Numeric {
  double low = 0, high = 0;
  bool has_low = false, has_high = false, low_open = false, high_open = false;
};
// An address of that network; IPv4 in the last four bytes.
struct Network {
  std::array<unsigned char, 16> address = {};
  int bits = 0;
  bool v6 = false;
};
struct Exists {
  bool there = true;
};
using Simple = std::variant<Equals, Text, Wildcard, Numeric, Network, Exists>;
// None of these.
struct AnythingBut {
  std::vector<Simple> these;
};
}  // namespace condition
using Condition = std::variant<condition::Equals, condition::Text, condition::Wildcard, condition::Numeric,
                               condition::Network, condition::Exists, condition::AnythingBut>;

// One path, and the conditions of which one must hold.
struct PatternLeaf {
  std::string path;
  std::vector<Condition> any_of;
};
using Conjunction = std::vector<PatternLeaf>;
struct Pattern {
  std::vector<Conjunction> alternatives;
};

// InvalidArgument: "Event pattern is not valid. Reason: …", in AWS's words.
Result<Pattern> compile_pattern(std::string_view text);

// Whether a leaf with that value meets the condition (Exists{false} is met by none).
bool meets(const Condition& condition, JsonView value);
// Whether the event meets the pattern. For many patterns at once: RuleIndex.
bool matches(const Pattern& pattern, JsonView event);

}  // namespace millrace::triggers
