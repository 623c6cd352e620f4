#pragma once
// Decimal: DynamoDB's numbers, exact: up to 38 significant digits, magnitudes from 1E-130 to 9.99…E+125.
// Pure. Source: Amazon DynamoDB developer guide, "Data types: Number".

#include <string>
#include <string_view>

#include "base/result.h"

namespace millrace::tasks::dynamodb {

class Decimal {
 public:
  Decimal() = default;  // 0
  // InvalidArgument in DynamoDB's words: no number, more than 38 digits, too large, too small.
  static Result<Decimal> parse(std::string_view text);

  std::string text() const;  // plain notation, no zeros that say nothing: "-0.5", "1200"
  // Bytes that sort (memcmp, shorter first) as the numbers do.
  std::string sort_key() const;
  std::size_t digits() const { return digits_.size(); }
  // Exact; InvalidArgument when the sum has more than 38 digits or is too large.
  Result<Decimal> plus(const Decimal& other) const;
  Decimal negated() const;
  int compare(const Decimal& other) const;  // < 0, 0, > 0
  bool operator==(const Decimal& other) const = default;

 private:
  static Result<Decimal> checked(Decimal number);

  bool negative_ = false;
  std::string digits_;  // '1'..'9' first, no '0' last; empty: 0
  int exponent_ = 0;    // of the first digit: 120 is digits 12, exponent 2
};

}  // namespace millrace::tasks::dynamodb
