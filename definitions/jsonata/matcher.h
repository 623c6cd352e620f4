#pragma once
// What $match, $contains, $split and $replace search with: a regular expression, or any function that answers
// objects {match, start, end, groups, next}. Positions are UTF-16 units. Source: docs.jsonata.org, "Regex".

#include <optional>
#include <string>
#include <string_view>

#include "definitions/jsonata/evaluation.h"

namespace millrace::definitions::jsonata {

struct Found {
  std::string_view match;
  double start = 0, end = 0;
  Value groups;  // an array
};

// The matches of `pattern` in `text`, one after the other.
class Matcher {
 public:
  Matcher(Evaluation& evaluation, Value pattern, std::string_view text);
  // The next match; nothing when there is none, or the evaluation failed.
  std::optional<Found> next();
  // The part of the text between two positions in UTF-16 units.
  std::string_view part(double begin, double end);
  double size();  // of the text in UTF-16 units

 private:
  std::optional<Found> next_of_regex();
  std::optional<Found> next_of_function();
  std::size_t byte_of(std::size_t unit);

  Evaluation& evaluation_;
  Value pattern_;
  std::string_view text_;
  bool ascii_;
  bool first_ = true;
  std::u16string units_;
  std::size_t from_ = 0;
  std::size_t known_unit_ = 0, known_byte_ = 0;  // a position known in both counts
  Value following_;                              // the `next` of a function's match
};

// A regular expression called as a function: /ab+/("xabb").
Value call_regex(Evaluation& evaluation, const Function& function, std::span<const Value> arguments);

}  // namespace millrace::definitions::jsonata
