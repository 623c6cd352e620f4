#pragma once
// What the fuzz targets share: an input cut at its first newline, a scope for expressions, and the check of
// what must hold. A target is one file with LLVMFuzzerTestOneInput; see tests/fuzz/run.

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "definitions/expression.h"

namespace millrace::fuzz {

inline std::string_view text_of(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

// The first line, and all behind it.
struct Parts {
  std::string_view first, second;
};
inline Parts parts_of(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = text_of(data, size);
  const std::size_t end = text.find('\n');
  return {text.substr(0, end), end == text.npos ? std::string_view() : text.substr(end + 1)};
}

// Lends an expression a document, and a fixed time and seed.
class World {
 public:
  explicit World(Payload input) : input_(std::move(input)) {}
  definitions::Scope scope() const { return {input_, context_, variables_, environment_}; }
  const Environment& environment() const { return environment_; }
  const Payload& input() const { return input_; }

 private:
  struct Empty final : definitions::Context {
    const Payload& object() const override { return Payload::empty_object(); }
  };
  Payload input_;
  Empty context_;
  definitions::VariableTable variables_;
  // An endless expression ends after a second of a machine of its own; here it must not look like a hang.
  Limits limits_ = [] {
    Limits limits;
    limits.jsonata_steps_max = 2'000'000;
    return limits;
  }();
  Environment environment_{from_millis(1'700'000'000'000), 42, &limits_};
};

}  // namespace millrace::fuzz
