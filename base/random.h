#pragma once
// Seeded random numbers whose streams are the same on every machine and compiler (the standard library's
// distributions are not). Generator: xoshiro256** seeded by SplitMix64 (Blackman and Vigna, 2018; public
// domain).

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace millrace {

class Random {
 public:
  explicit Random(std::uint64_t seed);
  std::uint64_t next();  // 64 random bits
  double uniform();      // in [0, 1), 53 bits
  double uniform(double low, double high) { return low + (high - low) * uniform(); }
  std::uint64_t below(std::uint64_t bound);  // in [0, bound), bound >= 1; without bias
  double normal();                           // standard normal
  // A stream of its own for a part of the work; independent of how much this one has been used.
  Random derive(std::string_view name, std::uint64_t index = 0) const;

 private:
  std::uint64_t seed_;
  std::array<std::uint64_t, 4> state_;
};

std::uint64_t mix(std::uint64_t a, std::uint64_t b);                  // one well mixed value of two
std::uint64_t hash64(std::string_view text, std::uint64_t seed = 0);  // for seeds and tables, not for secrets
// RFC 9562 UUIDs in lower case: version 4 of 122 random bits; version 7, which sorts by its time.
std::string uuid_v4(Random& random);
std::string uuid_v7(std::int64_t unix_millis, Random& random);

template <class Container>
void shuffle(Container& items, Random& random) {
  for (std::size_t i = items.size(); i > 1; --i) std::swap(items[i - 1], items[random.below(i)]);
}

}  // namespace millrace
