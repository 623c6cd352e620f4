#pragma once
// Models as bytes: a magic of four characters and a version, numbers as little-endian, then the SHA-256 of
// all that. Vectors stand behind their length. A reader never fails in the middle: what is not there reads as
// 0 or empty, and finish() says that the bytes are not whole. One thread.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace millrace::tasks {

class ModelWriter {
 public:
  ModelWriter(std::string_view magic, std::uint8_t version) : bytes_(magic) {
    bytes_ += static_cast<char>(version);
  }
  ModelWriter& put(std::uint64_t value);
  ModelWriter& put(double value);
  ModelWriter& put(std::string_view text);
  ModelWriter& put(std::span<const double> values);
  ModelWriter& put(std::span<const float> values);
  ModelWriter& put(std::span<const std::uint32_t> values);
  std::string finish() &&;  // with the checksum

 private:
  std::string bytes_;
};

class ModelReader {
 public:
  // DataLoss, "not a usable kmeans model: …": another magic or version, a wrong checksum.
  static Result<ModelReader> open(std::string_view algorithm, std::string_view magic, std::uint8_t version,
                                  std::string_view bytes);
  std::uint64_t u64();
  double real();
  std::string text();
  std::vector<double> reals();
  std::vector<float> floats();
  std::vector<std::uint32_t> u32s();
  bool whole() const { return whole_; }
  // DataLoss unless everything was there and was read and `consistent` holds.
  Status finish(bool consistent) const;

 private:
  ModelReader(std::string algorithm, std::string_view rest) : algorithm_(std::move(algorithm)), rest_(rest) {}
  template <class T>
  std::vector<T> vector_of();

  std::string algorithm_;
  std::string_view rest_;
  bool whole_ = true;
};

}  // namespace millrace::tasks
