#include "tasks/training/ensemble/dense_rows.h"

#include <algorithm>
#include <cmath>
#include <map>

namespace millrace::tasks {

namespace {

constexpr double kDenseEdge = 3;

std::vector<float> present_values(MatrixView X, std::size_t column) {
  std::vector<float> values;
  values.reserve(X.rows);
  for (std::size_t i = 0; i < X.rows; ++i) {
    const float x = X.data[i * X.cols + column];
    if (!std::isnan(x)) values.push_back(x);
  }
  std::ranges::sort(values);
  return values;
}

// The most frequent codes, ascending.
std::vector<float> frequent_codes(const std::vector<float>& sorted) {
  std::vector<std::pair<std::size_t, float>> counts;
  for (std::size_t i = 0; i < sorted.size();) {
    const auto end =
        std::upper_bound(sorted.begin() + static_cast<std::ptrdiff_t>(i), sorted.end(), sorted[i]);
    const auto count = static_cast<std::size_t>(end - sorted.begin()) - i;
    if (count >= kDenseRowsOfCode) counts.emplace_back(count, sorted[i]);
    i += count;
  }
  std::ranges::stable_sort(counts, std::greater<>(), [](const auto& entry) { return entry.first; });
  counts.resize(std::min(counts.size(), kDenseCodesMax));
  std::vector<float> codes;
  for (const auto& [count, code] : counts) codes.push_back(code);
  std::ranges::sort(codes);
  return codes;
}

// One over the distance of the quartiles; where half of the values are equal, over the deviation.
float dense_scale(const std::vector<float>& sorted, float centre) {
  const std::size_t n = sorted.size();
  const float quartiles = sorted[n - 1 - (n - 1) / 4] - sorted[(n - 1) / 4];
  if (std::isfinite(quartiles) && quartiles > 0) return 1 / quartiles;
  double squares = 0;
  for (const float x : sorted) squares += (double{x} - double{centre}) * (double{x} - double{centre});
  const double deviation = std::sqrt(squares / static_cast<double>(n));
  return std::isfinite(deviation) && deviation > 0 ? static_cast<float>(1 / deviation) : 1;
}

}  // namespace

DenseRows DenseRows::fit(MatrixView X, const std::vector<bool>& categorical) {
  DenseRows out;
  for (std::size_t j = 0; j < X.cols; ++j) {
    Part part;
    part.categorical = categorical[j];
    const std::vector<float> sorted = present_values(X, j);
    if (part.categorical) {
      part.codes = frequent_codes(sorted);
    } else {
      part.gaps = sorted.size() < X.rows;
      if (!sorted.empty()) {
        part.centre = sorted[sorted.size() / 2];
        part.scale = dense_scale(sorted, part.centre);
      }
    }
    out.columns_.push_back(std::move(part));
  }
  out.count();
  return out;
}

void DenseRows::count() {
  outputs_ = 0;
  for (const Part& part : columns_) outputs_ += part.width();
  outputs_ = std::max<std::size_t>(outputs_, 1);  // nothing but rare categories: a column of 0
}

Matrix DenseRows::apply(MatrixView X) const {
  Matrix out(X.rows, outputs_);
  for (std::size_t i = 0; i < X.rows; ++i) {
    const float* in = X.data + i * X.cols;
    float* to = out.values.data() + i * outputs_;
    for (const Part& part : columns_) {
      const float x = *in++;
      if (part.categorical) {
        const auto at = std::ranges::lower_bound(part.codes, x);
        if (at != part.codes.end() && *at == x) to[at - part.codes.begin()] = 1;
      } else {
        // In double, whose squares of floats don't overflow.
        const double z = std::isnan(x) ? 0 : (double{x} - double{part.centre}) * double{part.scale};
        to[0] = static_cast<float>(z / std::sqrt(1 + (z / kDenseEdge) * (z / kDenseEdge)));
        if (part.gaps) to[1] = std::isnan(x) ? 1 : 0;
      }
      to += part.width();
    }
  }
  return out;
}

void DenseRows::save(ModelWriter& out) const {
  out.put(std::uint64_t{columns_.size()});
  for (const Part& part : columns_) {
    out.put(std::uint64_t{part.categorical ? 2u : part.gaps ? 1u : 0u});
    if (part.categorical)
      out.put(std::span<const float>(part.codes));
    else
      out.put(double{part.centre}).put(double{part.scale});
  }
}

DenseRows DenseRows::load(ModelReader& in, bool& whole) {
  DenseRows out;
  const std::uint64_t count = in.u64();
  for (std::uint64_t j = 0; j < count && in.whole(); ++j) {
    Part part;
    const std::uint64_t kind = in.u64();
    part.categorical = kind == 2, part.gaps = kind == 1;
    whole = whole && kind <= 2;
    if (part.categorical) {
      part.codes = in.floats();
      whole = whole && std::ranges::is_sorted(part.codes);
    } else {
      part.centre = static_cast<float>(in.real()), part.scale = static_cast<float>(in.real());
      whole = whole && std::isfinite(part.centre) && std::isfinite(part.scale);
    }
    out.columns_.push_back(std::move(part));
  }
  out.count();
  return out;
}

}  // namespace millrace::tasks
