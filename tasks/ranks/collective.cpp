#include "tasks/ranks/collective.h"

#include <algorithm>
#include <cstring>

namespace millrace::tasks {

namespace {

constexpr std::size_t kSmallSum = 4096;                   // numbers: fewer go round whole
constexpr std::size_t kPartBytes = std::size_t{1} << 20;  // of a broadcast
constexpr std::uint64_t kGatherMost = std::uint64_t{1} << 40;

}  // namespace

Collective::Collective(std::unique_ptr<Transport> transport)
    : transport_(std::move(transport)), rank_(transport_->rank()), size_(transport_->size()) {}

Status Collective::transfer(int to, std::string_view out, int from, std::span<char> in) {
  if (status_) status_ = transport_->transfer(to, out, from, in);
  if (!status_) transport_.reset();  // so that those who wait for this rank learn of it
  return status_;
}

Status Collective::sum(std::span<std::int64_t> values) {
  if (size_ == 1 || values.empty()) return status_;
  return size_ == 2 || values.size() < kSmallSum ? sum_small(values) : sum_ring(values);
}

// Everybody's values go once round.
Status Collective::sum_small(std::span<std::int64_t> values) {
  std::vector<std::int64_t> mine(values.begin(), values.end()), theirs(values.size());
  for (int step = 1; step < size_; ++step) {
    MR_DO(transfer(after(rank_), bytes_of<std::int64_t>(mine), before(rank_), room_of<std::int64_t>(theirs)));
    for (std::size_t i = 0; i < values.size(); ++i) values[i] += theirs[i];
    mine.swap(theirs);
  }
  return {};
}

// Parts, one for each rank: added up going round, then the sums go round.
Status Collective::sum_ring(std::span<std::int64_t> values) {
  const auto part = [&](int k) {
    const auto n = static_cast<std::size_t>(size_),
               at = static_cast<std::size_t>((k % size_ + size_) % size_);
    const std::size_t begin = values.size() * at / n, end = values.size() * (at + 1) / n;
    return values.subspan(begin, end - begin);
  };
  std::vector<std::int64_t> theirs(values.size() / static_cast<std::size_t>(size_) + 1);
  for (int step = 0; step + 1 < size_; ++step) {
    const std::span<std::int64_t> in = part(rank_ - step - 1);
    const auto room = std::span(theirs).first(in.size());
    MR_DO(transfer(after(rank_), bytes_of<std::int64_t>(part(rank_ - step)), before(rank_),
                   room_of<std::int64_t>(room)));
    for (std::size_t i = 0; i < in.size(); ++i) in[i] += room[i];
  }
  for (int step = 0; step + 1 < size_; ++step) {
    MR_DO(transfer(after(rank_), bytes_of<std::int64_t>(part(rank_ + 1 - step)), before(rank_),
                   room_of<std::int64_t>(part(rank_ - step))));
  }
  return {};
}

Status Collective::fold(std::span<double> totals, const std::function<void(std::span<double>)>& add) {
  if (rank_ == 0)
    std::fill(totals.begin(), totals.end(), 0.0);
  else
    MR_DO(transfer(-1, {}, rank_ - 1, room_of<double>(totals)));
  add(totals);
  if (size_ == 1) return status_;
  const int last = size_ - 1;
  if (rank_ < last) MR_DO(transfer(rank_ + 1, bytes_of<double>(totals), -1, {}));
  // Back the same way, so that a large sum is never sent by one rank to all.
  if (rank_ < last) MR_DO(transfer(-1, {}, rank_ + 1, room_of<double>(totals)));
  if (rank_ > 0) MR_DO(transfer(rank_ - 1, bytes_of<double>(totals), -1, {}));
  return status_;
}

Status Collective::sum_in_order(std::span<double> values) {
  const std::vector<double> own(values.begin(), values.end());
  return fold(values, [&](std::span<double> totals) {
    for (std::size_t i = 0; i < own.size(); ++i) totals[i] += own[i];
  });
}

Result<std::vector<std::string>> Collective::gather(std::string_view bytes, int root) {
  std::uint64_t size = bytes.size();
  if (rank_ != root) {
    MR_DO(transfer(root, bytes_of<std::uint64_t>({&size, 1}), -1, {}));
    MR_DO(transfer(root, bytes, -1, {}));
    return std::vector<std::string>();
  }
  std::vector<std::string> all(static_cast<std::size_t>(size_));
  for (int from = 0; from < size_; ++from) {
    std::string& own = all[static_cast<std::size_t>(from)];
    if (from == rank_) {
      own = bytes;
      continue;
    }
    MR_DO(transfer(-1, {}, from, room_of<std::uint64_t>({&size, 1})));
    if (size > kGatherMost) {
      status_ = fail(ErrorCode::Internal, "the ranks do not do the same");
      return fail(status_.error());
    }
    own.resize(size);
    MR_DO(transfer(-1, {}, from, own));
  }
  if (!status_) return fail(status_.error());
  return all;
}

Result<std::vector<std::string>> Collective::all_gather(std::string_view bytes) {
  std::vector<std::int64_t> sizes(static_cast<std::size_t>(size_));
  sizes[static_cast<std::size_t>(rank_)] = static_cast<std::int64_t>(bytes.size());
  MR_DO(sum(sizes));
  std::vector<std::string> all(static_cast<std::size_t>(size_));
  all[static_cast<std::size_t>(rank_)] = bytes;
  for (int step = 0; step + 1 < size_; ++step) {
    const auto out = static_cast<std::size_t>((rank_ + size_ - step) % size_);
    const auto in = static_cast<std::size_t>((rank_ + size_ - step - 1) % size_);
    all[in].resize(static_cast<std::size_t>(sizes[in]));
    MR_DO(transfer(after(rank_), all[out], before(rank_), all[in]));
  }
  if (!status_) return fail(status_.error());
  return all;
}

// Along the ring from the root, in parts, so that the ranks pass on what comes while more of it comes.
Status Collective::broadcast(std::string& bytes, int root) {
  if (size_ == 1) return status_;
  const int from = rank_ == root ? -1 : before(rank_), to = after(rank_) == root ? -1 : after(rank_);
  std::uint64_t size = bytes.size();
  if (from >= 0) MR_DO(transfer(-1, {}, from, room_of<std::uint64_t>({&size, 1})));
  if (to >= 0) MR_DO(transfer(to, bytes_of<std::uint64_t>({&size, 1}), -1, {}));
  if (from >= 0) bytes.resize(size);
  for (std::size_t at = 0; at < size; at += kPartBytes) {
    const std::size_t part = std::min<std::size_t>(kPartBytes, size - at);
    if (from >= 0) MR_DO(transfer(-1, {}, from, std::span(bytes).subspan(at, part)));
    if (to >= 0) MR_DO(transfer(to, std::string_view(bytes).substr(at, part), -1, {}));
  }
  return status_;
}

Status Collective::barrier() {
  std::int64_t nothing = 0;
  return sum({&nothing, 1});
}

Status Collective::finish() {
  MR_DO(barrier());
  transport_->finish();
  return {};
}

}  // namespace millrace::tasks
