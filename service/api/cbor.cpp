#include "service/api/cbor.h"

#include <bit>
#include <charconv>
#include <cmath>

#include "base/encoding.h"
#include "base/utf8.h"

namespace millrace::api {
namespace {

enum Major : unsigned { kUnsigned, kNegative, kBytes, kText, kArray, kMap, kTag, kSimple };
constexpr unsigned kIndefinite = 31;
constexpr unsigned char kBreak = 0xFF, kTimeTag = 0xC1;
constexpr int kCborDepthMax = 64;

double half_to_double(std::uint64_t bits) {
  const int exponent = static_cast<int>((bits >> 10) & 0x1F);
  const double mantissa = static_cast<double>(bits & 0x3FF);
  double value = exponent == 0    ? std::ldexp(mantissa, -24)
                 : exponent == 31 ? (mantissa == 0 ? INFINITY : NAN)
                                  : std::ldexp(mantissa + 1024, exponent - 25);
  return (bits & 0x8000) != 0 ? -value : value;
}

class CborReader {
 public:
  CborReader(std::string_view bytes, int time_units) : bytes_(bytes), time_units_(time_units) {}

  Result<Payload> document() {
    MR_DO(value(0));
    if (at_ < bytes_.size()) return wrong("there is more behind the document's end");
    return out_.finish();
  }

 private:
  struct Head {
    unsigned major = 0, info = 0;
    std::uint64_t argument = 0;
    bool indefinite() const { return info == kIndefinite; }
  };

  tl::unexpected<Error> wrong(std::string_view what) const {
    return invalid("the request is no CBOR: " + std::string(what) + ", at byte " + std::to_string(at_));
  }
  std::size_t left() const { return bytes_.size() - at_; }

  Result<Head> head() {
    if (left() == 0) return wrong("it ends too early");
    const auto first = static_cast<unsigned char>(bytes_[at_++]);
    Head head;
    head.major = first >> 5;
    head.info = first & 31u;
    head.argument = head.info;
    if (head.info < 24) return head;
    if (head.info == kIndefinite) {
      const bool may = (head.major >= kBytes && head.major <= kMap) || head.major == kSimple;
      if (!may) return wrong("an indefinite length where there is none");
      return head;
    }
    if (head.info > 27) return wrong("a reserved length");
    const std::size_t size = std::size_t{1} << (head.info - 24);
    if (left() < size) return wrong("it ends too early");
    head.argument = 0;
    for (std::size_t i = 0; i < size; ++i)
      head.argument = head.argument << 8 | static_cast<unsigned char>(bytes_[at_++]);
    return head;
  }

  // The bytes of a string, whose pieces may come one by one.
  Result<std::string> string_bytes(const Head& head) {
    if (!head.indefinite()) {
      if (left() < head.argument) return wrong("a string is longer than the request");
      std::string text(bytes_.substr(at_, head.argument));
      at_ += head.argument;
      return text;
    }
    std::string whole;
    while (!at_break()) {
      MR_TRY(piece, this->head());
      if (piece.major != head.major || piece.indefinite()) return wrong("a string's piece is no string");
      MR_TRY(text, string_bytes(piece));
      whole += text;
    }
    return whole;
  }

  // Takes the break if it is there. At the end there is none, which the next head says.
  bool at_break() {
    if (left() == 0 || static_cast<unsigned char>(bytes_[at_]) != kBreak) return false;
    ++at_;
    return true;
  }

  Status number(double value) {
    if (!std::isfinite(value)) return wrong("a number that is infinite or none");
    out_.number(value);
    return {};
  }

  Status elements(const Head& head, int depth) {
    out_.begin_array();
    for (std::uint64_t i = 0; head.indefinite() ? !at_break() : i < head.argument; ++i)
      MR_DO(value(depth + 1));
    out_.end_array();
    return {};
  }

  Status members(const Head& head, int depth) {
    out_.begin_object();
    for (std::uint64_t i = 0; head.indefinite() ? !at_break() : i < head.argument; ++i) {
      MR_TRY(key_head, this->head());
      if (key_head.major != kText) return wrong("a map's key that is no text");
      MR_TRY(key, string_bytes(key_head));
      if (!valid_utf8(key)) return wrong("a text that is no UTF-8");
      out_.key(key);
      MR_DO(value(depth + 1));
    }
    out_.end_object();
    return {};
  }

  Status simple(const Head& head) {
    switch (head.info) {
      case 20:
        out_.boolean(false);
        return {};
      case 21:
        out_.boolean(true);
        return {};
      case 22:
      case 23:
        out_.null();
        return {};
      case 25:
        return number(half_to_double(head.argument));
      case 26:
        return number(static_cast<double>(std::bit_cast<float>(static_cast<std::uint32_t>(head.argument))));
      case 27:
        return number(std::bit_cast<double>(head.argument));
      default:
        return wrong("a simple value that JSON has not");
    }
  }

  // Whole units of time, as seconds.
  Status time() {
    MR_TRY(head, this->head());
    if (head.major != kUnsigned && head.major != kNegative) return wrong("a time that is no whole number");
    const double units = head.major == kUnsigned ? static_cast<double>(head.argument)
                                                 : -1 - static_cast<double>(head.argument);
    return number(units / time_units_);
  }

  Status value(int depth) {
    if (depth > kCborDepthMax) return wrong("it nests deeper than 64 levels");
    MR_TRY(head, this->head());
    switch (head.major) {
      case kUnsigned:
        out_.number_text(std::to_string(head.argument));
        return {};
      case kNegative:
        if (head.argument >= (std::uint64_t{1} << 63)) return wrong("a number that is too small");
        out_.number(-1 - static_cast<std::int64_t>(head.argument));
        return {};
      case kBytes: {
        MR_TRY(bytes, string_bytes(head));
        out_.string(base64_encode(bytes));
        return {};
      }
      case kText: {
        MR_TRY(text, string_bytes(head));
        if (!valid_utf8(text)) return wrong("a text that is no UTF-8");
        out_.string(text);
        return {};
      }
      case kArray:
        return elements(head, depth);
      case kMap:
        return members(head, depth);
      case kTag:
        if (head.argument == 1 && time_units_ != 1) return time();
        return value(depth + 1);  // what it means the shape says, too
      default:
        return simple(head);
    }
  }

  std::string_view bytes_;
  const int time_units_;
  std::size_t at_ = 0;
  JsonWriter out_;
};

void put_head(std::string& out, unsigned major, std::uint64_t argument) {
  const auto first = [&](unsigned info) { out += static_cast<char>(major << 5 | info); };
  if (argument < 24) return first(static_cast<unsigned>(argument));
  unsigned bytes = argument <= 0xFF ? 1 : argument <= 0xFFFF ? 2 : argument <= 0xFFFFFFFF ? 4 : 8;
  first(bytes == 1 ? 24 : bytes == 2 ? 25 : bytes == 4 ? 26 : 27);
  while (bytes-- > 0) out += static_cast<char>(argument >> (8 * bytes));
}

void put_double(std::string& out, double value) {
  out += static_cast<char>(kSimple << 5 | 27u);
  const auto bits = std::bit_cast<std::uint64_t>(value);
  for (int shift = 56; shift >= 0; shift -= 8) out += static_cast<char>(bits >> shift);
}

void put_text(std::string& out, std::string_view text, unsigned major = kText) {
  put_head(out, major, text.size());
  out += text;
}

void put_whole(std::string& out, std::int64_t value) {
  if (value >= 0) return put_head(out, kUnsigned, static_cast<std::uint64_t>(value));
  put_head(out, kNegative, static_cast<std::uint64_t>(-1 - value));
}

void put_number(std::string& out, JsonView value) {
  const auto whole =
      value.text().find_first_of(".eE") == std::string_view::npos ? value.integer() : std::nullopt;
  if (whole) return put_whole(out, *whole);
  // What is too large for a signed number may still be a whole one.
  const std::string_view text = value.text();
  std::uint64_t large = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), large);
  if (read.ec == std::errc() && read.ptr == text.data() + text.size()) return put_head(out, kUnsigned, large);
  put_double(out, value.number());
}

void put_time(std::string& out, double seconds, int time_units) {
  out += static_cast<char>(kTimeTag);
  if (time_units == 1) return put_double(out, seconds);
  put_whole(out, std::llround(seconds * time_units));
}

void put_cbor(std::string& out, JsonView value, std::string_view name, const CborForm& form) {
  if (value.is_number() && form.is_time(name)) {
    put_time(out, value.number(), form.time_units);
  } else if (value.is_number()) {
    put_number(out, value);
  } else if (value.is_string()) {
    const std::string text = value.string();
    const auto bytes = form.is_blob != nullptr && form.is_blob(name) ? base64_decode(text) : std::nullopt;
    put_text(out, bytes ? *bytes : text, bytes ? kBytes : kText);
  } else if (value.is_array()) {
    put_head(out, kArray, value.size());
    for (const JsonView one : value.elements()) put_cbor(out, one, name, form);
  } else if (value.is_object()) {
    put_head(out, kMap, value.size());
    for (const auto [key, one] : value.members()) {
      const std::string member = key.string();
      put_text(out, member);
      put_cbor(out, one, member, form);
    }
  } else {
    out += static_cast<char>(kSimple << 5 | (value.is_null() ? 22u : value.boolean() ? 21u : 20u));
  }
}

}  // namespace

Result<Payload> read_cbor(std::string_view bytes, int time_units) {
  return CborReader(bytes, time_units).document();
}

std::string write_cbor(JsonView value, const CborForm& form) {
  std::string out;
  put_cbor(out, value, "", form);
  return out;
}

}  // namespace millrace::api
