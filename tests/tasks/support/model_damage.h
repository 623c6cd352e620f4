#pragma once
// Models as somebody with bad intent would write them: numbers changed anywhere, the checksum right again.

#include <string>
#include <string_view>

#include "base/encoding.h"
#include "base/random.h"

namespace millrace::tasks {

inline constexpr std::size_t kModelHead = 5;       // magic and version, model_bytes.h
inline constexpr std::size_t kModelChecksum = 32;  // behind everything

// The bytes with one to three places changed: a bit, a byte, or eight bytes to a number that lengths, shapes
// and parameters should not have.
inline std::string with_other_numbers(std::string_view bytes, Random& random) {
  std::string body(bytes.substr(0, bytes.size() - kModelChecksum));
  constexpr std::uint64_t kNumbers[] = {0,
                                        1,
                                        2,
                                        0x7fffffff,
                                        0xffffffff,
                                        std::uint64_t{1} << 32,
                                        std::uint64_t{1} << 62,
                                        ~std::uint64_t{0},
                                        0x7ff0000000000000,
                                        0x7ff8000000000000,
                                        0x7fefffffffffffff};
  const std::size_t times = 1 + random.below(3);
  for (std::size_t k = 0; k < times; ++k) {
    const std::size_t at = kModelHead + random.below(body.size() - kModelHead);
    const std::uint64_t kind = random.below(4);
    if (kind == 0) body[at] = static_cast<char>(body[at] ^ (1 << random.below(8)));
    if (kind == 1) body[at] = static_cast<char>(random.below(256));
    if (kind < 2 || at + 8 > body.size()) continue;
    const std::uint64_t number = kNumbers[random.below(std::size(kNumbers))];
    const std::size_t width = kind == 2 ? 8 : 4;
    for (std::size_t i = 0; i < width; ++i) body[at + i] = static_cast<char>(number >> (8 * i));
  }
  return body + digest(Digest::Sha256, body);
}

}  // namespace millrace::tasks
