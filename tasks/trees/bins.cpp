#include "tasks/trees/bins.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <numeric>

#include "base/random.h"
#include "tasks/numeric/isa.h"
#include "tasks/trees/math.h"

namespace millrace::tasks::trees {

namespace {

constexpr std::size_t kBinRows = 64;        // rows of one call of the kernel
constexpr std::size_t kColumnsAtOnce = 16;  // columns whose sample is held at a time
constexpr std::uint32_t kSampleSalt = 0x5eed;

// Ascending order of floats as that of whole numbers.
std::uint32_t order_key(float x) {
  const auto bits = std::bit_cast<std::uint32_t>(x + 0.0f);  // -0 is 0
  return bits ^ ((bits >> 31) != 0 ? 0xffffffffu : 0x80000000u);
}
float from_order_key(std::uint32_t key) {
  return std::bit_cast<float>(key ^ ((key >> 31) != 0 ? 0x80000000u : 0xffffffffu));
}

// Sorts by the upper 32 bits, three digits of 11 bits.
void sort_keys(std::vector<std::uint64_t>& keys) {
  std::vector<std::uint64_t> other(keys.size());
  for (const int shift : {32, 43, 54}) {
    std::vector<std::size_t> counts(2049);
    for (const std::uint64_t key : keys) ++counts[((key >> shift) & 2047) + 1];
    std::partial_sum(counts.begin(), counts.end(), counts.begin());
    for (const std::uint64_t key : keys) other[counts[(key >> shift) & 2047]++] = key;
    keys.swap(other);
  }
}

// A value that is above `a` and not above `b`.
float middle(float a, float b) {
  const float m = a / 2 + b / 2;
  return m > a && m <= b ? m : b;
}

struct Run {
  float value;
  double weight;
};

std::vector<Run> runs_of(const std::vector<float>& sample, std::span<const float> weights) {
  std::vector<std::uint64_t> keys(sample.size());
  for (std::size_t i = 0; i < sample.size(); ++i)
    keys[i] = std::uint64_t(order_key(sample[i])) << 32 | static_cast<std::uint32_t>(i);
  sort_keys(keys);
  std::vector<Run> runs;
  std::uint32_t last = 0;
  for (const std::uint64_t key : keys) {
    const auto upper = static_cast<std::uint32_t>(key >> 32);
    if (runs.empty() || upper != last) runs.push_back({from_order_key(upper), 0}), last = upper;
    runs.back().weight += weights.empty() ? 1.0 : double(weights[static_cast<std::uint32_t>(key)]);
  }
  return runs;
}

// Adds multiplier * bin of 64 or fewer values, one every `step` floats, to `out`. `cuts` are filled up with
// infinities to `half` * 2 - 1.
MR_BODY void bin_values_body(const float* x, std::size_t step, std::size_t count, const float* cuts,
                             std::uint32_t half, std::uint32_t missing_bin, std::uint32_t multiplier,
                             std::uint32_t* out) {
  float value[kBinRows];
  std::uint32_t bin[kBinRows];
  for (std::size_t i = 0; i < kBinRows; ++i) value[i] = i < count ? x[i * step] : 0.0f, bin[i] = 0;
  for (std::uint32_t h = half; h > 0; h /= 2) {
    for (std::size_t i = 0; i < kBinRows; ++i) bin[i] += cuts[bin[i] + h - 1] <= value[i] ? h : 0u;
  }
  for (std::size_t i = 0; i < kBinRows; ++i) {
    const std::uint32_t b = value[i] == value[i] ? bin[i] : missing_bin;
    out[i] += b * multiplier;
  }
}
MR_KERNEL(bin_values,
          (const float* x, std::size_t step, std::size_t count, const float* cuts, std::uint32_t half,
           std::uint32_t missing_bin, std::uint32_t multiplier, std::uint32_t* out),
          (x, step, count, cuts, half, missing_bin, multiplier, out))

// The row drawn from stretch k of the sample.
std::size_t sample_row(std::size_t k, std::size_t rows, std::size_t sample) {
  if (sample == rows) return k;
  const std::size_t begin = rows * k / sample, end = rows * (k + 1) / sample;
  return begin + row_hash(static_cast<std::uint32_t>(k), kSampleSalt) % (end - begin);
}

// The values and weights of the rows row_number(k) of X, k < count.
template <class Number>
Bins::SampleOf sample_of_rows(MatrixView X, std::span<const float> weights, std::size_t count,
                              Number row_number) {
  return [=](std::size_t first, std::vector<std::vector<float>>& values,
             std::vector<std::vector<float>>& value_weights) {
    for (std::size_t k = 0; k < count; ++k) {
      const std::size_t i = row_number(k);
      for (std::size_t c = 0; c < values.size(); ++c) {
        const float x = X.data[i * X.cols + first + c];
        if (x != x) continue;
        values[c].push_back(x);
        if (!weights.empty()) value_weights[c].push_back(weights[i]);
      }
    }
  };
}

}  // namespace

std::vector<char> find_missing(MatrixView X, Team& team) {
  const std::size_t members = static_cast<std::size_t>(team.size());
  std::vector<std::vector<char>> seen(members, std::vector<char>(X.cols));
  team.blocks(X.rows, 16384, [&](std::size_t begin, std::size_t end, int member) {
    char* flags = seen[static_cast<std::size_t>(member)].data();
    for (std::size_t i = begin; i < end; ++i) {
      const float* row = X.data + i * X.cols;
      for (std::size_t j = 0; j < X.cols; ++j) flags[j] = static_cast<char>(flags[j] | (row[j] != row[j]));
    }
  });
  for (std::size_t t = 1; t < members; ++t) {
    for (std::size_t j = 0; j < X.cols; ++j) seen[0][j] = static_cast<char>(seen[0][j] | seen[t][j]);
  }
  return seen[0];
}

std::vector<float> find_cuts_of(std::vector<float> sample, std::span<const float> weights,
                                std::uint32_t values) {
  const std::vector<Run> runs = runs_of(sample, weights);
  std::vector<float> cuts;
  if (runs.size() <= values) {
    for (std::size_t k = 1; k < runs.size(); ++k) cuts.push_back(middle(runs[k - 1].value, runs[k].value));
    return cuts;
  }
  double left = 0, in_bin = 0;
  for (const Run& run : runs) left += run.weight;
  std::uint32_t bins_left = values;
  for (std::size_t k = 0; k + 1 < runs.size() && bins_left > 1; ++k) {
    in_bin += runs[k].weight;
    const double share = left / bins_left;
    // Full, or the next value is so heavy that it is nearer to end the bin before it.
    if (in_bin < share && in_bin + runs[k + 1].weight / 2 < share) continue;
    cuts.push_back(middle(runs[k].value, runs[k + 1].value));
    left -= in_bin, in_bin = 0, --bins_left;
  }
  return cuts;
}

Bins::Bins(MatrixView X, std::span<const float> weights, std::uint32_t max_bin, Team& team)
    : rows_(X.rows), features_(X.cols) {
  const std::size_t sample = std::min(rows_, kSampleRows);
  find_cuts(sample_of_rows(X, weights, sample,
                           [n = rows_, sample](std::size_t k) { return sample_row(k, n, sample); }),
            find_missing(X, team), max_bin, team);
  place_columns();
  fill_rows(0, X, team);
}

Bins::Bins(std::size_t rows, MatrixView sample, std::span<const float> sample_weights,
           const std::vector<char>& missing, std::uint32_t max_bin, Team& team)
    : rows_(rows), features_(sample.cols) {
  find_cuts(sample_of_rows(sample, sample_weights, sample.rows, [](std::size_t k) { return k; }), missing,
            max_bin, team);
  place_columns();
}

Bins::Bins(std::size_t rows, std::size_t columns, const SampleOf& sample, const std::vector<char>& missing,
           std::uint32_t max_bin, Team& team)
    : rows_(rows), features_(columns) {
  find_cuts(sample, missing, max_bin, team);
  place_columns();
}

std::vector<std::size_t> Bins::sampled_rows(std::size_t rows) {
  std::vector<std::size_t> numbers(std::min(rows, kSampleRows));
  for (std::size_t k = 0; k < numbers.size(); ++k) numbers[k] = sample_row(k, rows, numbers.size());
  return numbers;
}

void Bins::find_cuts(const SampleOf& sample, const std::vector<char>& missing, std::uint32_t max_bin,
                     Team& team) {
  for (std::size_t first = 0; first < features_.size(); first += kColumnsAtOnce) {
    const std::size_t count = std::min(kColumnsAtOnce, features_.size() - first);
    std::vector<std::vector<float>> values(count), value_weights(count);
    sample(first, values, value_weights);
    team.each(count, [&](std::size_t c, int) {
      Feature& feature = features_[first + c];
      feature.missing = missing[first + c] != 0;
      const std::uint32_t most = max_bin > kColumnBins ? 65536 : kColumnBins;
      feature.cuts = find_cuts_of(std::move(values[c]), value_weights[c],
                                  std::min(max_bin, most - (feature.missing ? 1 : 0)));
      feature.values = static_cast<std::uint32_t>(feature.cuts.size()) + 1;
      feature.bins = feature.values + (feature.missing ? 1 : 0);
    });
  }
  for (const Feature& feature : features_) wide_ |= feature.bins > kColumnBins;
}

void Bins::place_columns() {
  std::vector<std::uint32_t> order(features_.size());
  std::iota(order.begin(), order.end(), 0u);
  std::ranges::stable_sort(order, [&](auto a, auto b) { return features_[a].bins > features_[b].bins; });
  std::vector<std::uint32_t> open;  // columns that have room
  for (const std::uint32_t f : order) {
    Feature& feature = features_[f];
    if (feature.bins < 2) continue;
    const auto fits = [&](std::uint32_t c) { return columns_[c].bins * feature.bins <= kColumnBins; };
    const auto found = wide_ ? open.end() : std::ranges::find_if(open, fits);
    if (found == open.end()) {
      feature.column = static_cast<std::uint32_t>(columns_.size());
      columns_.push_back({0, feature.bins, {f}});
      if (feature.bins * 2 <= kColumnBins && !wide_) open.push_back(feature.column);
      continue;
    }
    Column& column = columns_[*found];
    feature.column = *found, feature.multiplier = column.bins;
    column.bins *= feature.bins, column.features.push_back(f);
    if (column.bins * 2 > kColumnBins) open.erase(found);
  }
  if (columns_.empty()) columns_.emplace_back();  // all features are constant: one column of bin 0
  for (Column& column : columns_) {
    column.offset = histogram_size_;
    histogram_size_ += wide_ ? column.bins : kColumnBins;
    for (const std::uint32_t f : column.features) {
      if (column.features.size() == 1) break;
      Feature& feature = features_[f];
      feature.digit.resize(kColumnBins);
      for (std::uint32_t b = 0; b < column.bins; ++b)
        feature.digit[b] = static_cast<std::uint8_t>(b / feature.multiplier % feature.bins);
    }
  }
  stride_ = columns_.size() < 3 ? columns_.size() : (columns_.size() + 3) / 4 * 4;
  // The kernels read whole words.
  wide_ ? words_.resize(rows_ * stride_ + 64) : bytes_.resize(rows_ * stride_ + 64);
  if (!wide_) by_column_.resize(rows_ * columns_.size() + 64);
}

void Bins::fill_rows(std::size_t first, MatrixView X, Team& team) {
  if (wide_)
    fill_as(first, X, team, words_);
  else
    fill_as(first, X, team, bytes_);
}

template <class Bin>
void Bins::fill_as(std::size_t first, MatrixView X, Team& team, std::vector<Bin>& out) {
  struct Search {
    std::vector<float> cuts;
    std::uint32_t half;
  };
  std::vector<Search> searches;
  for (const Feature& feature : features_) {
    const std::uint32_t size = std::bit_ceil(feature.values);
    Search& search = searches.emplace_back(Search{feature.cuts, size / 2});
    search.cuts.resize(std::max(1u, size), std::numeric_limits<float>::infinity());
  }
  team.blocks(X.rows, 4096, [&](std::size_t begin, std::size_t end, int) {
    std::uint32_t numbers[kBinRows];
    for (std::size_t i = begin; i < end; i += kBinRows) {
      const std::size_t count = std::min(kBinRows, end - i);
      for (std::size_t c = 0; c < columns_.size(); ++c) {
        std::fill(std::begin(numbers), std::end(numbers), 0u);
        for (const std::uint32_t f : columns_[c].features) {
          const Feature& feature = features_[f];
          bin_values(X.data + i * X.cols + f, X.cols, count, searches[f].cuts.data(), searches[f].half,
                     feature.values, feature.multiplier, numbers);
        }
        for (std::size_t r = 0; r < count; ++r)
          out[(first + i + r) * stride_ + c] = static_cast<Bin>(numbers[r]);
        for (std::size_t r = 0; !wide_ && r < count; ++r)
          by_column_[c * rows_ + first + i + r] = static_cast<std::uint8_t>(numbers[r]);
      }
    }
  });
}

}  // namespace millrace::tasks::trees
