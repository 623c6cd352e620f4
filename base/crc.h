#pragma once
// Cyclic redundancy checks of bytes that come in pieces, as S3's checksums name them. Reflected, eight bytes
// a step by tables (some 1-2 GB/s). Any thread. Source: RFC 3720 (CRC-32C), ECMA-182 and NVMe base
// specification 2.0, 5.2.1.3.4 (CRC-64/NVME), ISO 3309 (CRC-32).

#include <cstdint>
#include <string>
#include <string_view>

namespace millrace {

class Crc {
 public:
  enum class Kind { Crc32, Crc32c, Crc64Nvme };
  explicit Crc(Kind kind);
  void update(std::string_view bytes);
  std::uint64_t value() const { return ~state_ & mask_; }
  std::string bytes() const;  // 4 or 8, the most significant first

 private:
  using Tables = std::uint64_t[8][256];
  const Tables& tables_;
  const std::uint64_t mask_;
  std::uint64_t state_;
};

}  // namespace millrace
