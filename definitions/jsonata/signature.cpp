#include "definitions/jsonata/signature.h"

#include <utility>

namespace millrace::definitions::jsonata {
namespace {

using namespace types;

constexpr std::uint16_t kAnyValue = kString | kNumber | kBoolean | kNull | kArray | kObject | kMissing;

// What an array parameter takes: anything, which then becomes an array of one.
constexpr std::uint16_t kArrayParameter = kAnyValue | kFunction;

// The bracket that closes the one at `open`, or npos.
std::size_t closing(std::string_view text, std::size_t open, char opening, char close) {
  int depth = 0;
  for (std::size_t i = open; i < text.size(); ++i) {
    if (text[i] == opening) ++depth;
    if (text[i] == close && --depth == 0) return i;
  }
  return std::string_view::npos;
}

std::uint16_t accepted_of_letter(char letter) {
  switch (letter) {
    case 'a':
      return kArrayParameter;
    case 'f':
      return kFunction;
    case 'j':
      return kAnyValue;
    case 'x':
      return kAnyValue | kFunction;
    default:
      return static_cast<std::uint16_t>(type_of_letter(letter) | kMissing);
  }
}

}  // namespace

std::uint16_t type_of_letter(char letter) {
  switch (letter) {
    case 's':
      return kString;
    case 'n':
      return kNumber;
    case 'b':
      return kBoolean;
    case 'l':
      return kNull;
    case 'a':
      return kArray;
    case 'o':
      return kObject;
    case 'f':
      return kFunction;
    default:
      return 0;
  }
}

tl::expected<Signature, SignatureError> parse_signature(std::string_view text) {
  Signature made;
  auto& parameters = made.parameters;
  for (std::size_t i = 1; i < text.size(); ++i) {
    const char c = text[i];
    if (c == ':') break;
    if (type_of_letter(c) != 0 || c == 'j' || c == 'x') {
      Parameter parameter;
      parameter.accepted = accepted_of_letter(c);
      parameter.array = c == 'a';
      if (parameters.size() == kSignatureParametersMax)
        return tl::unexpected(SignatureError{"S0402", i, std::string(text)});
      parameters.push_back(parameter);
    } else if (c == '(') {
      const std::size_t end = closing(text, i, '(', ')');
      const std::string_view choice = text.substr(i + 1, end == std::string_view::npos ? end : end - i - 1);
      if (choice.find('<') != std::string_view::npos)
        return tl::unexpected(SignatureError{"S0402", i, std::string(choice)});
      Parameter parameter;
      parameter.accepted = kMissing;
      for (const char letter : choice) parameter.accepted |= type_of_letter(letter);
      parameters.push_back(parameter);
      i = end == std::string_view::npos ? text.size() : end;
    } else if (c == '<' && !parameters.empty()) {
      Parameter& last = parameters.back();
      if (!last.array && last.accepted != kFunction)
        return tl::unexpected(SignatureError{"S0401", i, std::string(1, text[i - 1])});
      const std::size_t end = closing(text, i, '<', '>');
      if (last.array && i + 1 < text.size()) last.item = text[i + 1];
      i = end == std::string_view::npos ? text.size() : end;
    } else if (!parameters.empty()) {
      if (c == '-') parameters.back().context = true;
      if (c == '?') parameters.back().optional = true;
      if (c == '+') parameters.back().many = true;
    }
  }
  return made;
}

namespace {

// Gives each parameter from `p` on its arguments, as many as it can take while the rest still fits.
struct Fitting {
  const std::vector<Parameter>& parameters;
  const std::uint16_t* kinds;
  std::size_t count;
  std::uint32_t* taken;
  std::size_t end;     // of the parameters that count
  bool whole;          // every argument must be taken
  int tries = 10'000;  // several `+` side by side would try every way to share the arguments

  bool fit(std::size_t p, std::size_t begin) {
    if (--tries < 0) return false;
    if (p == end) return !whole || begin == count;
    const Parameter& parameter = parameters[p];
    const std::size_t limit = parameter.many ? count - begin : 1;
    const std::size_t least = parameter.optional || parameter.context ? 0 : 1;
    std::size_t n = 0;
    while (n < limit && begin + n < count && (kinds[begin + n] & parameter.accepted)) ++n;
    for (;; --n) {
      if (n < least) return false;
      taken[p] = static_cast<std::uint32_t>(n);
      if (fit(p + 1, begin + n)) return true;
      if (n == 0) return false;
    }
  }
};

}  // namespace

bool Signature::match(const std::uint16_t* kinds, std::size_t count, std::uint32_t* taken) const {
  return Fitting{parameters, kinds, count, taken, parameters.size(), true}.fit(0, 0);
}

std::size_t Signature::good(const std::uint16_t* kinds, std::size_t count) const {
  std::uint32_t taken[kSignatureParametersMax];
  std::size_t good = 0;
  for (std::size_t end = 1; end <= parameters.size(); ++end) {
    if (!Fitting{parameters, kinds, count, taken, end, false}.fit(0, 0)) return good;
    good = 0;
    for (std::size_t p = 0; p < end; ++p) good += taken[p];
  }
  return good;
}

}  // namespace millrace::definitions::jsonata
