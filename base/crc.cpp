#include "base/crc.h"

#include <bit>
#include <cstring>
#include <memory>

namespace millrace {
namespace {

static_assert(std::endian::native == std::endian::little, "the step of eight bytes reads them as a number");

struct CrcTables {
  std::uint64_t rows[8][256];
  explicit CrcTables(std::uint64_t polynomial) {
    for (std::uint64_t byte = 0; byte < 256; ++byte) {
      std::uint64_t state = byte;
      for (int bit = 0; bit < 8; ++bit) state = (state & 1) != 0 ? state >> 1 ^ polynomial : state >> 1;
      rows[0][byte] = state;
    }
    for (int row = 1; row < 8; ++row) {
      for (int byte = 0; byte < 256; ++byte) {
        const std::uint64_t before = rows[row - 1][byte];
        rows[row][byte] = before >> 8 ^ rows[0][before & 0xFF];
      }
    }
  }
};

const CrcTables& crc_tables(Crc::Kind kind) {
  static const CrcTables kCrc32(0xEDB88320), kCrc32c(0x82F63B78), kCrc64Nvme(0x9A6C9329AC4BC9B5);
  switch (kind) {
    case Crc::Kind::Crc32:
      return kCrc32;
    case Crc::Kind::Crc32c:
      return kCrc32c;
    case Crc::Kind::Crc64Nvme:
      break;
  }
  return kCrc64Nvme;
}

}  // namespace

Crc::Crc(Kind kind)
    : tables_(crc_tables(kind).rows),
      mask_(kind == Kind::Crc64Nvme ? ~std::uint64_t{0} : 0xFFFFFFFF),
      state_(mask_) {}

void Crc::update(std::string_view bytes) {
  const char* at = bytes.data();
  std::size_t left = bytes.size();
  std::uint64_t state = state_;
  for (; left >= 8; left -= 8, at += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, at, 8);
    word ^= state;
    state = 0;
    for (unsigned byte = 0; byte < 8; ++byte) state ^= tables_[7 - byte][word >> (8 * byte) & 0xFF];
  }
  for (; left > 0; --left, ++at)
    state = state >> 8 ^ tables_[0][(state ^ static_cast<unsigned char>(*at)) & 0xFF];
  state_ = state;
}

std::string Crc::bytes() const {
  std::string out;
  for (int shift = mask_ == 0xFFFFFFFF ? 24 : 56; shift >= 0; shift -= 8)
    out += static_cast<char>(value() >> shift & 0xFF);
  return out;
}

}  // namespace millrace
