#include "tasks/table/number_rows.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "base/check.h"
#include "tasks/table/number_scan.h"
#include "tasks/table/table.h"

namespace millrace::tasks {

// Where a call is.
struct NumberRows::Position {
  const char* line;       // the beginning of the current line
  const char* cell;       // the beginning of the current cell
  const char* const end;  // behind the last line end
  double* out;            // where the next cell goes
  double* row;            // the first cell of the current row
};

namespace {

constexpr double kMissingCell = std::numeric_limits<double>::quiet_NaN();
constexpr std::string_view kMissingTexts[] = {"", "?", "NA", "NaN", "null"};

#if defined(__x86_64__)

constexpr double kTens[16] = {1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                              1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};

struct alignas(16) Bytes16 {
  std::uint8_t of[16];
};

// kKeep[n]: the last n of 16 bytes.
constexpr std::array<Bytes16, 17> make_keep() {
  std::array<Bytes16, 17> table{};
  for (std::size_t n = 0; n <= 16; ++n) {
    for (std::size_t i = 0; i < 16; ++i) table[n].of[i] = i + n >= 16 ? 0xff : 0;
  }
  return table;
}
// kWithout[p]: byte p taken out, those before it moved up.
constexpr std::array<Bytes16, 16> make_without() {
  std::array<Bytes16, 16> table{};
  for (std::size_t p = 0; p < 16; ++p) {
    for (std::size_t i = 0; i < 16; ++i) {
      table[p].of[i] = static_cast<std::uint8_t>(i > p ? i : i == 0 ? 0x80 : i - 1);
    }
  }
  return table;
}
alignas(64) constexpr std::array<Bytes16, 17> kKeep = make_keep();
alignas(64) constexpr std::array<Bytes16, 16> kWithout = make_without();

inline __m128i load16(const void* p) {
  return _mm_loadu_si128(static_cast<const __m128i*>(p));
}

// -?digits[.digits] that fills [first, last), at most 16 bytes; false: it is something else.
[[gnu::target("avx2"), gnu::always_inline]] inline bool decimal_avx2(const char* first, const char* last,
                                                                     double& out) {
  const bool negative = *first == '-';
  first += negative;
  const auto length = last - first;
  if (length <= 2) {
    if (length <= 0) return false;
    const unsigned tens = static_cast<unsigned char>(first[0] - '0');
    if (length == 1) {
      if (tens > 9) return false;
      out = negative ? -static_cast<double>(tens) : static_cast<double>(tens);
      return true;
    }
    const unsigned ones = static_cast<unsigned char>(first[1] - '0');
    if (tens > 9 || ones > 9) return false;
    const double value = static_cast<double>(tens * 10 + ones);
    out = negative ? -value : value;
    return true;
  }
  if (length > 16) return false;
  const __m128i keep = load16(kKeep[static_cast<std::size_t>(length)].of);
  const __m128i text = load16(last - 16);
  __m128i digits = _mm_and_si128(_mm_sub_epi8(text, _mm_set1_epi8('0')), keep);
  const auto points =
      static_cast<unsigned>(_mm_movemask_epi8(_mm_and_si128(_mm_cmpeq_epi8(text, _mm_set1_epi8('.')), keep)));
  double scale = 1;
  if (points != 0) {
    if ((points & (points - 1)) != 0) return false;
    const auto place = static_cast<unsigned>(__builtin_ctz(points));
    digits = _mm_shuffle_epi8(digits, load16(kWithout[place].of));
    scale = kTens[15 - place];
  }
  const __m128i nine = _mm_set1_epi8(9);
  if (_mm_movemask_epi8(_mm_cmpeq_epi8(_mm_max_epu8(digits, nine), nine)) != 0xffff) return false;
  const __m128i pairs =
      _mm_maddubs_epi16(digits, _mm_set_epi8(1, 10, 1, 10, 1, 10, 1, 10, 1, 10, 1, 10, 1, 10, 1, 10));
  const __m128i fours = _mm_madd_epi16(pairs, _mm_set_epi16(1, 100, 1, 100, 1, 100, 1, 100));
  const __m128i packed = _mm_packus_epi32(fours, fours);
  const __m128i eights = _mm_madd_epi16(packed, _mm_set_epi16(1, 10000, 1, 10000, 1, 10000, 1, 10000));
  const auto high = static_cast<std::uint32_t>(_mm_cvtsi128_si32(eights));
  const auto low = static_cast<std::uint32_t>(_mm_extract_epi32(eights, 1));
  const std::uint64_t mantissa = std::uint64_t{high} * 100'000'000 + low;
  if (mantissa > (std::uint64_t{1} << 53)) return false;
  const double value = static_cast<double>(static_cast<std::int64_t>(mantissa)) / scale;
  out = negative ? -value : value;
  return true;
}

// Bit i: byte i of the 64 at p is `c`.
[[gnu::target("avx2"), gnu::always_inline]] inline std::uint64_t equal_avx2(__m256i low, __m256i high,
                                                                            char c) {
  const __m256i wanted = _mm256_set1_epi8(c);
  const auto l = static_cast<std::uint32_t>(_mm256_movemask_epi8(_mm256_cmpeq_epi8(low, wanted)));
  const auto h = static_cast<std::uint32_t>(_mm256_movemask_epi8(_mm256_cmpeq_epi8(high, wanted)));
  return (std::uint64_t{h} << 32) | l;
}

#endif

}  // namespace

NumberRows::NumberRows(std::size_t columns, std::string name, std::size_t line)
    : columns_(columns), name_(std::move(name)), line_(line) {}

tl::unexpected<Error> NumberRows::error(const std::string& what) const {
  return invalid(name_ + ":" + std::to_string(line_) + ": " + what);
}

Status NumberRows::slow_cell(std::string_view cell, std::size_t column, double& out) const {
  out = kMissingCell;
  if (std::ranges::find(kMissingTexts, cell) != std::end(kMissingTexts)) return {};
  double number = 0;
  if (!parse_number(cell, number)) {
    return error("cell " + std::to_string(column + 1) + ": \"" + std::string(cell.substr(0, 80)) +
                 "\" is not a number");
  }
  out = number;
  return {};
}

// The line that begins at at.line, anew from its first cell.
Status NumberRows::slow_line(Position& at) {
  const auto* newline =
      static_cast<const char*>(std::memchr(at.line, '\n', static_cast<std::size_t>(at.end - at.line)));
  const char* stop = newline > at.line && newline[-1] == '\r' ? newline - 1 : newline;
  std::size_t cells = 0;
  for (const char* p = at.line;; ++p) {
    const bool quoted = p != stop && *p == '"';
    if (quoted) ++p;
    const char* last = std::find(p, stop, quoted ? '"' : ',');
    const std::string_view cell(p, static_cast<std::size_t>(last - p));
    p = quoted ? last + 1 : last;
    if (quoted && (last == stop || (p != stop && *p != ',')))
      return error("cell " + std::to_string(cells + 1) +
                   ": the quotes around it do not close before the next comma");
    if (cells < columns_) MR_DO(slow_cell(cell, cells, at.row[cells]));
    ++cells;
    if (p == stop) break;
  }
  if (cells != columns_) {
    return error(std::to_string(cells) + (cells == 1 ? " cell" : " cells") + ", expected " +
                 std::to_string(columns_));
  }
  at.line = at.cell = newline + 1;
  at.row = at.out = at.row + columns_;
  ++line_;
  return {};
}

Status NumberRows::read_portable(Position& at) {
  while (at.line != at.end) {
    const char* p = at.line;
    if (*p == '\n' || (*p == '\r' && p[1] == '\n')) {  // a blank line
      at.line = p + (*p == '\r' ? 2 : 1);
      ++line_;
      continue;
    }
    std::size_t column = 0;
    for (;; ++p) {
      double number = 0;
      const char* behind = scan_decimal(p, at.end, number);
      const bool empty = behind == nullptr && (*p == ',' || *p == '\n');
      if (behind == nullptr && !empty) break;
      at.row[column++] = empty ? kMissingCell : number;
      p = empty ? p : behind;
      if (*p != ',' || column == columns_) break;
    }
    if (*p == '\r' && p[1] == '\n') ++p;
    if (column != columns_ || *p != '\n') {
      MR_DO(slow_line(at));
      continue;
    }
    at.row += columns_;
    at.line = p + 1;
    ++line_;
  }
  return {};
}

#if defined(__x86_64__)

[[gnu::target("avx2,bmi,bmi2")]] Status NumberRows::read_avx2(Position& at) {
  const auto last_column = static_cast<std::ptrdiff_t>(columns_) - 1;
  for (const char* base = at.line; base < at.end;) {
    const __m256i low = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(base)),
                  high = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(base + 32));
    std::uint64_t seen = at.end - base < 64 ? (std::uint64_t{1} << (at.end - base)) - 1 : ~std::uint64_t{0};
    const std::uint64_t newlines = equal_avx2(low, high, '\n') & seen;
    const std::uint64_t quotes = equal_avx2(low, high, '"') & seen;
    if (quotes != 0) seen = (quotes & (0 - quotes)) - 1;  // up to the first
    bool slow = quotes != 0;                              // the line of that quote; or one of another length
    std::uint64_t stops = (newlines | equal_avx2(low, high, ',')) & seen;
    for (; stops != 0; stops &= stops - 1) {
      const auto place = static_cast<unsigned>(__builtin_ctzll(stops));
      const char* p = base + place;
      const bool line_end = (newlines >> place & 1) != 0;
      const char* last = line_end && p > at.cell && p[-1] == '\r' ? p - 1 : p;
      const std::ptrdiff_t column = at.out - at.row;
      if (line_end && column == 0 && last == at.cell) {  // a blank line
        at.line = at.cell = p + 1;
        ++line_;
        continue;
      }
      if (line_end != (column == last_column)) {
        slow = true;
        break;
      }
      if (last == at.cell) {
        *at.out = kMissingCell;
      } else if (!decimal_avx2(at.cell, last, *at.out)) {
        MR_DO(slow_cell({at.cell, static_cast<std::size_t>(last - at.cell)}, static_cast<std::size_t>(column),
                        *at.out));
      }
      ++at.out;
      at.cell = p + 1;
      if (line_end) {
        at.row = at.out, at.line = at.cell;
        ++line_;
      }
    }
    if (slow) {
      MR_DO(slow_line(at));
      base = at.line;
      continue;
    }
    base += 64;
  }
  return {};
}

static bool has_avx2() {
  static const bool kHas = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2");
  return kHas;
}

#else

Status NumberRows::read_avx2(Position& at) {
  return read_portable(at);
}

static constexpr bool has_avx2() {
  return false;
}

#endif

Result<std::size_t> NumberRows::read(std::string_view lines, double* cells) {
  if (lines.empty()) return std::size_t{0};
  MR_CHECK(lines.back() == '\n', "whole lines");
  Position at{lines.data(), lines.data(), lines.data() + lines.size(), cells, cells};
  MR_DO(portable_ || !has_avx2() ? read_portable(at) : read_avx2(at));
  return static_cast<std::size_t>(at.row - cells) / columns_;
}

}  // namespace millrace::tasks
