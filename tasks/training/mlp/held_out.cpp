#include "tasks/training/mlp/held_out.h"

#include <algorithm>
#include <numeric>

namespace millrace::tasks {

namespace {

double held_weight(const Dataset& data, const std::vector<std::uint32_t>& rows) {
  double sum = data.weights.empty() ? static_cast<double>(rows.size()) : 0;
  for (std::size_t i = 0; !data.weights.empty() && i < rows.size(); ++i) sum += data.weights[rows[i]];
  return sum;
}

void append_held_rows(const Dataset& from, const std::vector<std::uint32_t>& rows, Dataset& to) {
  to.X.cols = from.X.cols;
  for (const std::uint32_t row : rows) {
    const auto x = from.X.values.begin() + static_cast<std::ptrdiff_t>(row * from.X.cols);
    to.X.values.insert(to.X.values.end(), x, x + static_cast<std::ptrdiff_t>(from.X.cols));
    to.y.push_back(from.y[row]);
    if (!from.weights.empty()) to.weights.push_back(from.weights[row]);
  }
  to.X.rows += rows.size();
}

}  // namespace

HeldOutRows hold_out_rows(const Dataset& train, std::size_t networks, double fraction, std::size_t most,
                          Random random) {
  const std::size_t n = train.X.rows;
  const std::size_t piece = std::min(most, static_cast<std::size_t>(fraction * static_cast<double>(n)));
  if (piece == 0) return {};
  std::vector<std::uint32_t> order(n);
  std::iota(order.begin(), order.end(), std::uint32_t{0});
  shuffle(order, random);
  HeldOutRows out;
  for (std::size_t m = 0; m < networks; ++m) {
    std::vector<char> left_out(n, 0);
    for (std::size_t i = 0; i < piece; ++i) left_out[order[(m * n / networks + i) % n]] = 1;
    std::vector<std::uint32_t> judged;
    out.learnt.emplace_back();
    for (std::uint32_t row = 0; row < n; ++row) (left_out[row] ? judged : out.learnt.back()).push_back(row);
    if (held_weight(train, judged) <= 0 || held_weight(train, out.learnt.back()) <= 0) return {};
    out.of.emplace_back(out.rows.X.rows, out.rows.X.rows + judged.size());
    append_held_rows(train, judged, out.rows);
  }
  return out;
}

}  // namespace millrace::tasks
