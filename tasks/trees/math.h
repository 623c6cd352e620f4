#pragma once
// exp and log in single precision with the same bits on every processor: the C library's may differ between
// machines, and gradients decide trees. Errors below 3e-7 of the value. Source: Cephes' polynomials for expf
// and logf (S. Moshier), written anew.

#include <bit>
#include <cstdint>

namespace millrace::tasks::trees {

[[gnu::always_inline]] inline float exp_bits(float x) {
  x = x < -87.0f ? -87.0f : x;
  x = x > 88.0f ? 88.0f : x;
  // rounded to the nearest whole number, by truncating what is positive
  const std::int32_t n = static_cast<std::int32_t>(x * 1.44269504f + 1024.5f) - 1024;
  const float whole = static_cast<float>(n);
  float r = x - whole * 0.693359375f;
  r = r + whole * 2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * (r * r) + r + 1.0f;
  return p * std::bit_cast<float>((n + 127) << 23);
}

[[gnu::always_inline]] inline float log_bits(float x) {  // x > 0 and normal
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(x);
  // the mantissa in [sqrt(1/2), sqrt(2))
  const std::uint32_t shifted = bits - 0x3f3504f3u;
  const float exponent = static_cast<float>(static_cast<std::int32_t>(shifted) >> 23);
  const float m = std::bit_cast<float>((shifted & 0x007fffffu) + 0x3f3504f3u) - 1.0f;
  const float square = m * m;
  float p = 7.0376836292e-2f;
  p = p * m - 1.1514610310e-1f;
  p = p * m + 1.1676998740e-1f;
  p = p * m - 1.2420140846e-1f;
  p = p * m + 1.4249322787e-1f;
  p = p * m - 1.6668057665e-1f;
  p = p * m + 2.0000714765e-1f;
  p = p * m - 2.4999993993e-1f;
  p = p * m + 3.3333331174e-1f;
  p = p * m * square;
  p = p + exponent * -2.12194440e-4f;
  p = p - 0.5f * square;
  return m + p + exponent * 0.693359375f;
}

[[gnu::always_inline]] inline float sigmoid_bits(float x) {
  return 1.0f / (1.0f + exp_bits(-x));
}

// A well mixed value of a row's number and a salt.
[[gnu::always_inline]] inline std::uint32_t row_hash(std::uint32_t row, std::uint32_t salt) {
  std::uint32_t h = row * 2654435761u + salt;
  h ^= h >> 16;
  h *= 0x85ebca6bu;
  h ^= h >> 13;
  h *= 0xc2b2ae35u;
  h ^= h >> 16;
  return h;
}

}  // namespace millrace::tasks::trees
