#include "tasks/training/ranked_values.h"

#include <algorithm>
#include <cstring>
#include <string>

namespace millrace::tasks {

namespace {

tl::unexpected<Error> missing_rows() {
  return fail(ErrorCode::Internal, "the ranks do not have all rows");
}

}  // namespace

Result<Matrix> rows_of_numbers(MatrixView X, std::span<const std::size_t> numbers, const RankRows* ranks) {
  Matrix out(numbers.size(), X.cols);
  if (ranks == nullptr) {
    for (std::size_t k = 0; k < numbers.size(); ++k)
      std::copy_n(X.data + numbers[k] * X.cols, X.cols, out.values.data() + k * X.cols);
    return out;
  }
  // Each rank says which of them it has, and then their values.
  std::vector<std::uint64_t> places;
  std::vector<float> own;
  for (std::size_t k = 0; k < numbers.size(); ++k) {
    const std::size_t local = ranks->find(numbers[k]);
    if (local == RankRows::npos) continue;
    places.push_back(k);
    own.insert(own.end(), X.data + local * X.cols, X.data + (local + 1) * X.cols);
  }
  MR_TRY(all_places, ranks->collective.all_gather(bytes_of<std::uint64_t>(places)));
  MR_TRY(all_values, ranks->collective.all_gather(bytes_of<float>(own)));
  std::size_t taken = 0;
  for (std::size_t r = 0; r < all_places.size(); ++r) {
    const std::size_t count = all_places[r].size() / sizeof(std::uint64_t), row = X.cols * sizeof(float);
    if (all_values[r].size() != count * row) return missing_rows();
    for (std::size_t k = 0; k < count; ++k, ++taken) {
      std::uint64_t place = 0;
      std::memcpy(&place, all_places[r].data() + k * sizeof place, sizeof place);
      std::memcpy(out.values.data() + place * X.cols, all_values[r].data() + k * row, row);
    }
  }
  return taken == numbers.size() ? Result<Matrix>(std::move(out)) : Result<Matrix>(missing_rows());
}

Result<std::vector<double>> values_of_all(std::span<const double> own, const RankRows* ranks) {
  if (ranks == nullptr) return std::vector<double>(own.begin(), own.end());
  std::vector<std::uint64_t> places;
  for (const RowStretch& s : ranks->own) places.insert(places.end(), {s.count, s.number});
  MR_TRY(all_places, ranks->collective.all_gather(bytes_of<std::uint64_t>(places)));
  MR_TRY(all_values, ranks->collective.all_gather(bytes_of<double>(own)));
  std::vector<double> out(ranks->all);
  std::size_t taken = 0;
  for (std::size_t r = 0; r < all_places.size(); ++r) {
    std::size_t local = 0;
    for (std::size_t at = 0; at < all_places[r].size(); at += 2 * sizeof(std::uint64_t)) {
      std::uint64_t stretch[2];  // count, number
      std::memcpy(stretch, all_places[r].data() + at, sizeof stretch);
      if ((local + stretch[0]) * sizeof(double) > all_values[r].size() ||
          stretch[1] + stretch[0] > out.size())
        return missing_rows();
      std::memcpy(out.data() + stretch[1], all_values[r].data() + local * sizeof(double),
                  stretch[0] * sizeof(double));
      local += stretch[0], taken += stretch[0];
    }
  }
  return taken == out.size() ? Result<std::vector<double>>(std::move(out))
                             : Result<std::vector<double>>(missing_rows());
}

Status fold_in_order(const RankRows* ranks, std::span<double> values,
                     const std::function<void(std::span<double>)>& change) {
  if (ranks) return ranks->collective.fold(values, change);
  std::ranges::fill(values, 0.0);
  change(values);
  return {};
}

}  // namespace millrace::tasks
