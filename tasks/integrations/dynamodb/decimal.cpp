#include "tasks/integrations/dynamodb/decimal.h"

#include <algorithm>

namespace millrace::tasks::dynamodb {
namespace {

constexpr int kDigitsMax = 38, kExponentMax = 125, kExponentMin = -130;
constexpr int kExponentDigitsMax = 4;  // more are out of range anyway

bool is_digit_char(char c) {
  return c >= '0' && c <= '9';
}

}  // namespace

Result<Decimal> Decimal::checked(Decimal number) {
  const std::size_t first = std::min(number.digits_.find_first_not_of('0'), number.digits_.size());
  number.digits_.erase(0, first);
  number.exponent_ -= static_cast<int>(first);
  while (!number.digits_.empty() && number.digits_.back() == '0') number.digits_.pop_back();
  if (number.digits_.empty()) return Decimal();
  if (number.digits_.size() > kDigitsMax)
    return invalid("Attempting to store more than 38 significant digits in a Number");
  if (number.exponent_ > kExponentMax)
    return invalid(
        "Number overflow. Attempting to store a number with magnitude larger than supported range");
  if (number.exponent_ < kExponentMin)
    return invalid(
        "Number underflow. Attempting to store a number with magnitude smaller than supported range");
  return number;
}

Result<Decimal> Decimal::parse(std::string_view text) {
  const auto no_number = [&] {
    return invalid("The parameter cannot be converted to a numeric value" +
                   (text.empty() ? std::string() : ": " + std::string(text.substr(0, 200))));
  };
  Decimal number;
  std::size_t i = 0;
  if (i < text.size() && (text[i] == '-' || text[i] == '+')) number.negative_ = text[i++] == '-';
  bool point = false, any = false;
  int whole = 0;
  for (; i < text.size() && (is_digit_char(text[i]) || text[i] == '.'); ++i) {
    if (text[i] == '.') {
      if (point) return no_number();
      point = true;
      continue;
    }
    any = true;
    if (!point) ++whole;
    number.digits_ += text[i];
  }
  if (!any) return no_number();
  int exponent = 0;
  if (i < text.size() && (text[i] == 'e' || text[i] == 'E')) {
    ++i;
    const bool minus = i < text.size() && text[i] == '-';
    if (i < text.size() && (text[i] == '-' || text[i] == '+')) ++i;
    const std::size_t begin = i;
    for (; i < text.size() && is_digit_char(text[i]); ++i)
      if (i - begin < kExponentDigitsMax) exponent = exponent * 10 + (text[i] - '0');
    if (i == begin) return no_number();
    if (i - begin > kExponentDigitsMax) exponent = 9999;
    if (minus) exponent = -exponent;
  }
  if (i != text.size()) return no_number();
  number.exponent_ = whole - 1 + exponent;
  return checked(std::move(number));
}

std::string Decimal::text() const {
  if (digits_.empty()) return "0";
  std::string out = negative_ ? "-" : "";
  const int size = static_cast<int>(digits_.size());
  if (exponent_ < 0) {
    out += "0.";
    out.append(static_cast<std::size_t>(-exponent_ - 1), '0');
    return out + digits_;
  }
  if (size <= exponent_ + 1) {
    out += digits_;
    out.append(static_cast<std::size_t>(exponent_ + 1 - size), '0');
    return out;
  }
  const auto whole = static_cast<std::size_t>(exponent_ + 1);
  return out + digits_.substr(0, whole) + "." + digits_.substr(whole);
}

// Sign, exponent, digits; of negative numbers all turned around, with an end that is greater than any digit.
std::string Decimal::sort_key() const {
  if (digits_.empty()) return std::string(1, '\x01');
  std::string key(1, negative_ ? '\x00' : '\x02');
  const auto add = [&](int byte) { key += static_cast<char>(negative_ ? 255 - byte : byte); };
  add(exponent_ - kExponentMin);
  for (const char c : digits_) add(c - '0' + 1);
  if (negative_) key += '\xFF';
  return key;
}

Decimal Decimal::negated() const {
  Decimal out = *this;
  if (!digits_.empty()) out.negative_ = !negative_;
  return out;
}

int Decimal::compare(const Decimal& other) const {
  const std::string a = sort_key(), b = other.sort_key();
  return a < b ? -1 : (a == b ? 0 : 1);
}

Result<Decimal> Decimal::plus(const Decimal& other) const {
  if (digits_.empty()) return other;
  if (other.digits_.empty()) return *this;
  const auto last = [](const Decimal& d) { return d.exponent_ - static_cast<int>(d.digits_.size()) + 1; };
  const int top = std::max(exponent_, other.exponent_), bottom = std::min(last(*this), last(other));
  // Both as digits from `top` (with one in front for the carry) down to `bottom`: at most 256 of them.
  const auto aligned = [&](const Decimal& d) {
    std::string out(static_cast<std::size_t>(top - d.exponent_ + 1), '0');
    out += d.digits_;
    out.resize(static_cast<std::size_t>(top - bottom + 2), '0');
    return out;
  };
  std::string a = aligned(*this), b = aligned(other);
  const bool same_sign = negative_ == other.negative_;
  Decimal sum;
  sum.negative_ = negative_;
  if (!same_sign && a < b) {
    std::swap(a, b);
    sum.negative_ = other.negative_;
  }
  int carry = 0;
  for (std::size_t i = a.size(); i-- > 0;) {
    int digit = (a[i] - '0') + (same_sign ? 1 : -1) * (b[i] - '0') + carry;
    carry = digit < 0 ? -1 : digit / 10;
    digit = (digit + 10) % 10;
    a[i] = static_cast<char>('0' + digit);
  }
  sum.digits_ = std::move(a);
  sum.exponent_ = top + 1;
  return checked(std::move(sum));
}

}  // namespace millrace::tasks::dynamodb
