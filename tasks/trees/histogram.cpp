#include "tasks/trees/histogram.h"

#include <algorithm>

#include "tasks/numeric/isa.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace millrace::tasks::trees {

namespace {

constexpr std::size_t kAhead = 20;         // rows whose data is asked for in advance
constexpr std::size_t kBlockColumns = 16;  // columns added to at a time: their bins stay in the first cache

// Columns [0, kCount) from `bytes` on, all of them.
template <std::size_t kCount, bool kListed>
MR_BODY void add_block(const std::uint8_t* bytes, std::size_t stride, const Sum* words,
                       const std::uint32_t* rows, std::size_t first, std::size_t count,
                       Sum* __restrict histogram) {
  for (std::size_t k = 0; k < count; ++k) {
    const std::size_t i = kListed ? rows[k] : first + k;
    if (kListed) {
      const std::size_t next = rows[k + kAhead < count ? k + kAhead : count - 1];
      __builtin_prefetch(bytes + next * stride);
      __builtin_prefetch(words + next);
    }
    const std::uint8_t* row = bytes + i * stride;
    const Sum word = words[i];
#pragma GCC unroll 16
    for (std::size_t c = 0; c < kCount; ++c) histogram[c * kColumnBins + row[c]] += word;
  }
}

template <bool kListed>
void add_columns(const std::uint8_t* bytes, std::size_t stride, const Sum* words, const std::uint32_t* rows,
                 std::size_t first, std::size_t count, std::size_t columns, Sum* histogram) {
  switch (columns) {
#define MR_CASE(n) \
  case n:          \
    return add_block<n, kListed>(bytes, stride, words, rows, first, count, histogram);
    MR_CASE(1)
    MR_CASE(2)
    MR_CASE(3)
    MR_CASE(4)
    MR_CASE(5)
    MR_CASE(6)
    MR_CASE(7)
    MR_CASE(8)
    MR_CASE(9)
    MR_CASE(10)
    MR_CASE(11)
    MR_CASE(12)
    MR_CASE(13)
    MR_CASE(14)
    MR_CASE(15)
    MR_CASE(16)
#undef MR_CASE
  }
}

void add_words(const Bins& bins, const Sum* words, const std::uint32_t* rows, std::size_t first,
               std::size_t count, const std::uint32_t* columns, std::size_t column_count, Sum* histogram) {
  for (std::size_t k = 0; k < count; ++k) {
    const std::size_t i = rows ? rows[k] : first + k;
    const std::uint16_t* row = bins.words() + i * bins.stride();
    const Sum word = words[i];
    for (std::size_t c = 0; c < column_count; ++c)
      histogram[bins.columns()[columns[c]].offset + row[columns[c]]] += word;
  }
}

std::size_t split_plain(const std::uint8_t* column, const std::uint8_t* left, std::uint32_t* rows,
                        std::size_t begin, std::size_t count, std::uint32_t* right, std::size_t lefts) {
  std::size_t rights = begin - lefts;
  for (std::size_t k = begin; k < count; ++k) {
    const std::uint32_t i = rows[k];
    const std::size_t goes = left[column[i]];
    rows[lefts] = i, right[rights] = i;
    lefts += goes, rights += 1 - goes;
  }
  return lefts;
}

#if defined(__x86_64__)
// Sixteen rows at a time; there are fewer than 2^31 of them.
MR_AVX512 std::size_t split_avx512(const std::uint8_t* column, const std::uint8_t* left, std::uint32_t* rows,
                                   std::size_t count, std::uint32_t* right) {
  alignas(64) std::uint32_t bits[8] = {};
  for (std::size_t b = 0; b < kColumnBins; ++b) bits[b >> 5] |= std::uint32_t(left[b]) << (b & 31);
  const __m512i table = _mm512_castsi256_si512(_mm256_load_si256(reinterpret_cast<const __m256i*>(bits)));
  const __m512i low = _mm512_set1_epi32(255), five = _mm512_set1_epi32(31), one = _mm512_set1_epi32(1);
  std::size_t lefts = 0, rights = 0, k = 0;
  for (; k + 16 <= count; k += 16) {
    const __m512i id = _mm512_loadu_si512(rows + k);
    const __m512i bin = _mm512_and_si512(_mm512_i32gather_epi32(id, column, 1), low);
    const __m512i word = _mm512_permutexvar_epi32(_mm512_srli_epi32(bin, 5), table);
    const __mmask16 goes = _mm512_test_epi32_mask(_mm512_srlv_epi32(word, _mm512_and_si512(bin, five)), one);
    // What is written past the counts has been read already.
    _mm512_storeu_si512(rows + lefts, _mm512_maskz_compress_epi32(goes, id));
    _mm512_storeu_si512(right + rights, _mm512_maskz_compress_epi32(static_cast<__mmask16>(~goes), id));
    const auto went = static_cast<std::size_t>(__builtin_popcount(goes));
    lefts += went, rights += 16 - went;
  }
  return split_plain(column, left, rows, k, count, right, lefts);
}
#endif

bool goes_left(const Route& route, std::uint32_t bin) {
  return bin == route.missing ? route.missing_left : bin <= route.last;
}

}  // namespace

void add_rows(const Bins& bins, const Sum* words, const std::uint32_t* rows, std::size_t first,
              std::size_t count, const std::uint32_t* columns, std::size_t column_count, Sum* histogram) {
  if (bins.wide()) return add_words(bins, words, rows, first, count, columns, column_count, histogram);
  // Columns that lie side by side go together.
  for (std::size_t c = 0; c < column_count;) {
    std::size_t side = 1;
    while (c + side < column_count && side < kBlockColumns && columns[c + side] == columns[c] + side) ++side;
    const std::uint8_t* bytes = bins.bytes() + columns[c];
    Sum* block = histogram + std::size_t(columns[c]) * kColumnBins;
    if (rows)
      add_columns<true>(bytes, bins.stride(), words, rows, first, count, side, block);
    else
      add_columns<false>(bytes, bins.stride(), words, rows, first, count, side, block);
    c += side;
  }
}

std::size_t split_rows(const Bins& bins, const Route& route, std::uint32_t* rows, std::size_t count,
                       std::uint32_t* right) {
  if (bins.wide()) {
    std::size_t lefts = 0, rights = 0;
    for (std::size_t k = 0; k < count; ++k) {
      const std::uint32_t i = rows[k];
      if (goes_left(route, bins.words()[i * bins.stride() + route.column]))
        rows[lefts++] = i;
      else
        right[rights++] = i;
    }
    return lefts;
  }
  const std::uint8_t* column = bins.column(route.column);
#if defined(__x86_64__)
  if (isa() == Isa::Avx512) return split_avx512(column, route.left, rows, count, right);
#endif
  return split_plain(column, route.left, rows, 0, count, right, 0);
}

void add_split(const Bins& bins, const Route& route, const std::uint32_t* rows, std::size_t count,
               float left_value, float right_value, float* scores) {
  if (bins.wide()) {
    for (std::size_t k = 0; k < count; ++k) {
      const std::uint32_t bin = bins.words()[rows[k] * bins.stride() + route.column];
      scores[rows[k]] += goes_left(route, bin) ? left_value : right_value;
    }
    return;
  }
  float values[kColumnBins];
  for (std::size_t b = 0; b < kColumnBins; ++b) values[b] = route.left[b] ? left_value : right_value;
  const std::uint8_t* column = bins.column(route.column);
  for (std::size_t k = 0; k < count; ++k) {
    const std::uint32_t i = rows[k];
    scores[i] += values[column[i]];
  }
}

}  // namespace millrace::tasks::trees
