#pragma once
// Signatures of functions, `<s-nn?:s>`: which types the arguments have, which may be missing, which is taken
// from the context. Source: docs.jsonata.org, "Function signatures"; the order of matching is that of the
// reference, a regular expression over one letter for each argument, greedy with backtracking.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <tl/expected.hpp>

namespace millrace::definitions::jsonata {

// One bit for each kind of argument.
namespace types {
inline constexpr std::uint16_t kString = 1, kNumber = 2, kBoolean = 4, kNull = 8, kArray = 16, kObject = 32,
                               kFunction = 64, kMissing = 128;
}

struct Parameter {
  std::uint16_t accepted = 0;
  bool array = false;     // anything else becomes an array of one
  bool optional = false;  // ?
  bool many = false;      // +
  bool context = false;   // -: taken from the context when missing
  char item = 0;          // a<n>: the type of the items
};

struct Signature {
  std::vector<Parameter> parameters;
  // Whether arguments of these kinds fit; `taken`, one for each parameter, is how many each one gets.
  bool match(const std::uint16_t* kinds, std::size_t count, std::uint32_t* taken) const;
  // How many leading arguments are good, for the message.
  std::size_t good(const std::uint16_t* kinds, std::size_t count) const;
};

struct SignatureError {
  std::string code;
  std::size_t offset;
  std::string value;
};
tl::expected<Signature, SignatureError> parse_signature(std::string_view text);
// The bit of a type's letter, 0 if it is none.
std::uint16_t type_of_letter(char letter);

inline constexpr std::size_t kSignatureParametersMax = 32;

}  // namespace millrace::definitions::jsonata
