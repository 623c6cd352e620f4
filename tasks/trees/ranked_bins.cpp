#include "tasks/trees/ranked_bins.h"

#include <algorithm>
#include <cstring>
#include <string>

namespace millrace::tasks::trees {

namespace {

// The rows of the sample: which of them are here, and what every rank will send.
class RankedSample {
 public:
  RankedSample(MatrixView X, std::span<const float> weights, const RankRows& ranks)
      : X_(X), ranks_(ranks), weighted_(!weights.empty()) {
    const std::vector<std::size_t> numbers = Bins::sampled_rows(ranks.all);
    size_ = numbers.size();
    for (std::size_t k = 0; k < numbers.size(); ++k) {
      const std::size_t local = ranks.find(numbers[k]);
      if (local == RankRows::npos) continue;
      places_.push_back(static_cast<std::uint32_t>(k)), rows_.push_back(local);
      if (weighted_) own_weights_.push_back(weights[local]);
    }
  }

  // Where in the sample each rank's rows stand, and the weights of the sample.
  Status meet() {
    MR_TRY(places, ranks_.collective.all_gather(bytes_of<std::uint32_t>(places_)));
    for (const std::string& bytes : places) {
      std::vector<std::uint32_t>& of_rank = all_places_.emplace_back(bytes.size() / sizeof(std::uint32_t));
      std::memcpy(of_rank.data(), bytes.data(), bytes.size());
      taken_ += of_rank.size();
    }
    if (taken_ != size_) return fail(ErrorCode::Internal, "the ranks do not have all rows");
    if (!weighted_) return {};
    weights_.resize(size_);
    return exchange(own_weights_, 1, weights_);
  }

  // The values of some columns, of the whole sample.
  Status columns(std::size_t first, std::size_t count, std::vector<float>& out) {
    std::vector<float> own;
    own.reserve(rows_.size() * count);
    for (const std::size_t i : rows_) {
      const float* row = X_.data + i * X_.cols + first;
      own.insert(own.end(), row, row + count);
    }
    out.resize(size_ * count);
    return exchange(own, count, out);
  }

  std::size_t size() const { return size_; }
  const std::vector<float>& weights() const { return weights_; }

 private:
  Status exchange(const std::vector<float>& own, std::size_t width, std::vector<float>& out) {
    MR_TRY(parts, ranks_.collective.all_gather(bytes_of<float>(own)));
    for (std::size_t r = 0; r < parts.size(); ++r) {
      const std::vector<std::uint32_t>& places = all_places_[r];
      if (parts[r].size() != places.size() * width * sizeof(float))
        return fail(ErrorCode::Internal, "the ranks do not have the same columns");
      for (std::size_t k = 0; k < places.size(); ++k)
        std::memcpy(out.data() + places[k] * width, parts[r].data() + k * width * sizeof(float),
                    width * sizeof(float));
    }
    return {};
  }

  MatrixView X_;
  const RankRows& ranks_;
  const bool weighted_;
  std::size_t size_ = 0, taken_ = 0;
  std::vector<std::uint32_t> places_;
  std::vector<std::size_t> rows_;
  std::vector<float> own_weights_, weights_;
  std::vector<std::vector<std::uint32_t>> all_places_;
};

}  // namespace

Result<std::unique_ptr<Bins>> bins_of_ranks(MatrixView X, std::span<const float> weights,
                                            std::uint32_t max_bin, const RankRows& ranks, Team& team) {
  const std::vector<char> here = find_missing(X, team);
  std::vector<std::int64_t> flags(here.begin(), here.end());
  MR_DO(ranks.collective.sum(flags));
  std::vector<char> missing;
  for (const std::int64_t flag : flags) missing.push_back(flag > 0);

  RankedSample sample(X, weights, ranks);
  MR_DO(sample.meet());
  Status status;
  const auto take = [&](std::size_t first, std::vector<std::vector<float>>& values,
                        std::vector<std::vector<float>>& value_weights) {
    std::vector<float> rows;
    if (status) status = sample.columns(first, values.size(), rows);
    if (!status) return;
    for (std::size_t k = 0; k < sample.size(); ++k) {
      for (std::size_t c = 0; c < values.size(); ++c) {
        const float x = rows[k * values.size() + c];
        if (x != x) continue;
        values[c].push_back(x);
        if (!sample.weights().empty()) value_weights[c].push_back(sample.weights()[k]);
      }
    }
  };
  auto bins = std::make_unique<Bins>(X.rows, X.cols, take, missing, max_bin, team);
  if (!status) return fail(status.error());
  bins->fill_rows(0, X, team);
  return bins;
}

}  // namespace millrace::tasks::trees
