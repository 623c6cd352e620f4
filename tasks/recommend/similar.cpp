#include "tasks/recommend/similar.h"

#include <algorithm>
#include <cmath>

#include "tasks/trees/team.h"

namespace millrace::tasks {
namespace {

constexpr std::size_t kItemsAtOnce = 512;  // between questions whether to stop

using Scored = std::vector<std::pair<float, std::uint32_t>>;

}  // namespace

Result<Neighbours> similar_items(const PairMatrix& by_user, const PairMatrix& by_item, Similarity kind,
                                 double shrinkage, std::size_t neighbours_max, int threads,
                                 const std::function<bool()>& cancelled) {
  const std::size_t items = by_item.rows();
  std::vector<Scored> found(items);
  trees::Team team(std::max(1, threads));
  std::vector<std::vector<std::uint32_t>> counts(static_cast<std::size_t>(team.size()));
  for (auto& of_member : counts) of_member.assign(items, 0);
  const auto one_item = [&](std::size_t item, std::vector<std::uint32_t>& both) {
    std::vector<std::uint32_t> touched;
    for (std::size_t at = by_item.begin[item]; at < by_item.begin[item + 1]; ++at) {
      const std::uint32_t user = by_item.columns[at];
      if (by_user.begin[user + 1] - by_user.begin[user] > kItemsOfUserMax) continue;
      for (std::size_t k = by_user.begin[user]; k < by_user.begin[user + 1]; ++k) {
        const std::uint32_t other = by_user.columns[k];
        if (other != item && both[other]++ == 0) touched.push_back(other);
      }
    }
    const auto size = [&](std::size_t i) {
      return static_cast<double>(by_item.begin[i + 1] - by_item.begin[i]);
    };
    for (const std::uint32_t other : touched) {
      const double together = both[other];
      const double cosine =
          together / std::sqrt(size(item) * size(other)) * together / (together + shrinkage);
      found[item].emplace_back(static_cast<float>(kind == Similarity::Cosine ? cosine : together), other);
      both[other] = 0;
    }
    std::ranges::sort(found[item], [](const auto& a, const auto& b) {
      return a.first != b.first ? a.first > b.first : a.second < b.second;
    });
    if (found[item].size() > neighbours_max) found[item].resize(neighbours_max);
  };
  for (std::size_t first = 0; first < items; first += kItemsAtOnce) {
    if (cancelled && cancelled()) return fail(ErrorCode::Cancelled, "training was stopped");
    team.each(std::min(kItemsAtOnce, items - first), [&](std::size_t piece, int member) {
      one_item(first + piece, counts[static_cast<std::size_t>(member)]);
    });
  }
  Neighbours out;
  out.begin.push_back(0);
  for (const Scored& scored : found) {
    for (const auto& [similarity, item] : scored)
      out.items.push_back(item), out.similarities.push_back(similarity);
    out.begin.push_back(out.items.size());
  }
  return out;
}

}  // namespace millrace::tasks
