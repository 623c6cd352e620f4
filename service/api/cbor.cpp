#include "service/api/cbor.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "base/encoding.h"

namespace millrace::api {
namespace {

constexpr int kCborDepthMax = 64;
constexpr std::uint64_t kTimeTag = 1;
enum CborMajor : unsigned { Unsigned, Negative, Bytes, Text, Array, Map, Tag, Simple };

tl::unexpected<Error> no_cbor(const char* why) {
  return invalid(std::string("the request is no CBOR: ") + why);
}

class CborReader {
 public:
  explicit CborReader(std::string_view bytes) : rest_(bytes) {}

  Status value(int depth = 0) {
    if (depth > kCborDepthMax) return no_cbor("it is nested too deeply");
    MR_TRY(head, this->head());
    switch (head.major) {
      case Unsigned:
        return integer(head.argument, false);
      case Negative:
        return integer(head.argument, true);
      case Bytes:
      case Text: {
        MR_TRY(text, string(head));
        out_.string(head.major == Bytes ? base64_encode(text) : text);
        return {};
      }
      case Array:
        return array(head, depth);
      case Map:
        return map(head, depth);
      case Tag:
        return tagged(head, depth);
      default:
        return simple(head);
    }
  }
  bool at_end() const { return rest_.empty(); }
  Payload finish() { return out_.finish(); }

 private:
  struct Head {
    unsigned major = 0, info = 0;
    std::uint64_t argument = 0;
    bool open = false;  // of no length: it ends with a break
  };

  Result<Head> head() {
    if (rest_.empty()) return no_cbor("it ends too early");
    const unsigned first = static_cast<unsigned char>(rest_[0]);
    rest_.remove_prefix(1);
    Head head{first >> 5u, first & 31u, first & 31u, false};
    if (head.info < 24) return head;
    if (head.info == 31) {
      head.open = true;
      return head;
    }
    if (head.info > 27) return no_cbor("a head of a kind that does not exist");
    const std::size_t size = std::size_t{1} << (head.info - 24);
    if (rest_.size() < size) return no_cbor("it ends too early");
    head.argument = 0;
    for (std::size_t i = 0; i < size; ++i)
      head.argument = head.argument << 8 | static_cast<unsigned char>(rest_[i]);
    rest_.remove_prefix(size);
    return head;
  }

  Status integer(std::uint64_t n, bool negative) {
    if (n > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
      return no_cbor("a number is too large");
    const auto value = static_cast<std::int64_t>(n);
    out_.number(negative ? -1 - value : value);
    return {};
  }

  Result<std::string> string(const Head& head) {
    std::string text;
    if (!head.open) {
      if (rest_.size() < head.argument) return no_cbor("it ends too early");
      text = rest_.substr(0, head.argument);
      rest_.remove_prefix(head.argument);
      return text;
    }
    while (!take_break()) {
      MR_TRY(part, this->head());
      if (part.major != head.major || part.open || rest_.size() < part.argument)
        return no_cbor("a piece of a string is none");
      text += rest_.substr(0, part.argument);
      rest_.remove_prefix(part.argument);
    }
    return text;
  }

  bool take_break() {
    if (rest_.empty() || rest_[0] != '\xff') return false;
    rest_.remove_prefix(1);
    return true;
  }

  // Each item takes a byte at least, so what is told and not there ends soon.
  Status array(const Head& head, int depth) {
    out_.begin_array();
    for (std::uint64_t i = 0; head.open ? !take_break() : i < head.argument; ++i) MR_DO(value(depth + 1));
    out_.end_array();
    return {};
  }
  Status map(const Head& head, int depth) {
    out_.begin_object();
    for (std::uint64_t i = 0; head.open ? !take_break() : i < head.argument; ++i) {
      MR_TRY(key_head, this->head());
      if (key_head.major != Text) return no_cbor("a key is no text");
      MR_TRY(key, string(key_head));
      out_.key(key);
      MR_DO(value(depth + 1));
    }
    out_.end_object();
    return {};
  }

  Status tagged(const Head& head, int depth) {
    if (head.open) return no_cbor("a tag without a number");
    if (head.argument != kTimeTag) return value(depth + 1);
    MR_TRY(time, this->head());
    if (time.major == Unsigned) {
      out_.number(static_cast<double>(time.argument) / 1000);
      return {};
    }
    if (time.major != Simple) return no_cbor("a time is no number");
    MR_TRY(number, real(time));
    if (!std::isfinite(number)) return no_cbor("a number is none");
    out_.number(number / 1000);
    return {};
  }

  Result<double> real(const Head& head) {
    if (head.info == 27) return std::bit_cast<double>(head.argument);
    if (head.info == 26) return double{std::bit_cast<float>(static_cast<std::uint32_t>(head.argument))};
    if (head.info != 25) return no_cbor("a value of a kind that JSON has not");
    const auto half = static_cast<unsigned>(head.argument);
    const int exponent = static_cast<int>(half >> 10 & 31);
    const double fraction = half & 1023;
    const double size = exponent == 0    ? std::ldexp(fraction, -24)
                        : exponent == 31 ? std::numeric_limits<double>::infinity()
                                         : std::ldexp(fraction + 1024, exponent - 25);
    return half >> 15 ? -size : size;
  }

  Status simple(const Head& head) {
    constexpr unsigned kFalse = 20, kTrue = 21, kNull = 22, kUndefined = 23;
    if (head.info == kFalse || head.info == kTrue) {
      out_.boolean(head.info == kTrue);
    } else if (head.info == kNull || head.info == kUndefined) {
      out_.null();
    } else {
      MR_TRY(number, real(head));
      if (!std::isfinite(number)) return no_cbor("a number is none");
      out_.number(number);
    }
    return {};
  }

  std::string_view rest_;
  JsonWriter out_;
};

void put_head(std::string& out, unsigned major, std::uint64_t argument) {
  const auto first = [&](unsigned info) { out += static_cast<char>(major << 5 | info); };
  if (argument < 24) return first(static_cast<unsigned>(argument));
  const int size = argument <= 0xFF ? 1 : argument <= 0xFFFF ? 2 : argument <= 0xFFFFFFFF ? 4 : 8;
  first(size == 1 ? 24u : size == 2 ? 25u : size == 4 ? 26u : 27u);
  for (int shift = 8 * (size - 1); shift >= 0; shift -= 8) out += static_cast<char>(argument >> shift & 0xFF);
}

void put_text(std::string& out, unsigned major, std::string_view text) {
  put_head(out, major, text.size());
  out += text;
}

void put_integer(std::string& out, std::int64_t n) {
  if (n >= 0)
    put_head(out, Unsigned, static_cast<std::uint64_t>(n));
  else
    put_head(out, Negative, static_cast<std::uint64_t>(-1 - n));
}

void put_value(std::string& out, JsonView value, std::string_view name) {
  if (value.is_object()) {
    put_head(out, Map, value.size());
    for (const auto [key, one] : value.members()) {
      const std::string member = key.string();
      put_text(out, Text, member);
      put_value(out, one, member);
    }
  } else if (value.is_array()) {
    put_head(out, Array, value.size());
    for (const JsonView one : value.elements()) put_value(out, one, "");
  } else if (value.is_string()) {
    const std::string text = value.string();
    const auto bytes = name == "Data" ? base64_decode(text) : std::nullopt;
    put_text(out, bytes ? Bytes : Text, bytes ? *bytes : text);
  } else if (value.is_number() && name.ends_with("Timestamp")) {
    put_head(out, Tag, kTimeTag);
    put_integer(out, std::llround(value.number() * 1000));
  } else if (value.is_number()) {
    if (const auto whole = value.integer()) return put_integer(out, *whole);
    out += '\xfb';
    const auto bits = std::bit_cast<std::uint64_t>(value.number());
    for (int shift = 56; shift >= 0; shift -= 8) out += static_cast<char>(bits >> shift & 0xFF);
  } else {
    out += value.is_null() ? '\xf6' : value.boolean() ? '\xf5' : '\xf4';
  }
}

}  // namespace

Result<Payload> parse_cbor(std::string_view bytes) {
  CborReader reader(bytes);
  MR_DO(reader.value());
  if (!reader.at_end()) return no_cbor("something stands behind it");
  return reader.finish();
}

std::string cbor_of(JsonView document) {
  std::string out;
  put_value(out, document, "");
  return out;
}

}  // namespace millrace::api
