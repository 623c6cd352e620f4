#pragma once
// Ranks as threads of the test: the same function on each, and what it gave.

#include <doctest/doctest.h>

#include <functional>
#include <optional>
#include <thread>
#include <vector>

#include "tasks/ranks/collective.h"
#include "tasks/ranks/rank_rows.h"
#include "tasks/training/estimator.h"
#include "tasks/training/row_parts.h"

namespace millrace::tasks {

// work(collective) -> Result<T>; by rank. A rank's connections close when it is done.
template <class T>
std::vector<Result<T>> on_ranks(std::vector<std::unique_ptr<Transport>> transports,
                                const std::function<Result<T>(Collective&)>& work) {
  std::vector<std::optional<Result<T>>> results(transports.size());
  {
    std::vector<std::jthread> threads;
    for (std::size_t r = 0; r < transports.size(); ++r)
      threads.emplace_back([&, r] {
        Collective collective(std::move(transports[r]));
        results[r].emplace(work(collective));
      });
  }
  std::vector<Result<T>> out;
  for (auto& result : results) out.push_back(std::move(*result));
  return out;
}

inline std::vector<std::unique_ptr<Transport>> thread_ranks(int size) {
  auto ranks = ranks_of_threads(size);
  REQUIRE(ranks);
  return std::move(*ranks);
}

// How the rows of a test are shared out.
enum class Sharding { InOrder, EveryThird };  // the latter: stretches of three rows to one rank after another

inline RankRows rows_of(Collective& collective, std::size_t rows, Sharding sharding) {
  RankRows out{collective, rows};
  const auto rank = static_cast<std::size_t>(collective.rank()),
             size = static_cast<std::size_t>(collective.size());
  if (sharding == Sharding::InOrder) {
    const std::size_t begin = RowParts::share_begin(rows, collective.rank(), collective.size());
    out.own = {{0, RowParts::share_begin(rows, collective.rank() + 1, collective.size()) - begin, begin}};
    return out;
  }
  out.in_order = false;
  for (std::size_t at = rank * 3, local = 0; at < rows; at += size * 3) {
    const std::size_t count = std::min<std::size_t>(3, rows - at);
    out.own.push_back({local, count, at});
    local += count;
  }
  return out;
}

inline Dataset part_of(const Dataset& all, const RankRows& rows) {
  Dataset part = all;
  const std::size_t d = all.X.cols;
  part.X.values.clear(), part.y.clear(), part.weights.clear(), part.groups.clear();
  part.X.rows = rows.count();
  for (const RowStretch& s : rows.own) {
    for (std::size_t i = s.number; i < s.number + s.count; ++i) {
      part.X.values.insert(part.X.values.end(), all.X.values.data() + i * d,
                           all.X.values.data() + (i + 1) * d);
      if (!all.y.empty()) part.y.push_back(all.y[i]);
      if (!all.weights.empty()) part.weights.push_back(all.weights[i]);
    }
  }
  return part;
}

// A fit of `ranks` ranks as a job does it: rank 0 has the validation channel and the callbacks of `context`.
inline std::vector<Result<Fitted>> fit_on_ranks(const EstimatorKind& kind, const HyperParameters& parameters,
                                                const Dataset& train, const Dataset* validation,
                                                const FitContext& context, int ranks, Sharding sharding) {
  return on_ranks<Fitted>(thread_ranks(ranks), [&](Collective& collective) -> Result<Fitted> {
    MR_TRY(estimator, kind.make(parameters));
    const bool all = kind.rank_use(parameters) == RankUse::All;
    RankRows rows = rows_of(collective, train.X.rows, sharding);
    if (all) rows.own = {{0, train.X.rows, 0}}, rows.in_order = true;
    const Dataset part = all ? train : part_of(train, rows);
    FitContext own;
    if (collective.rank() == 0) own = context;
    own.seed = context.seed, own.threads = context.threads, own.ranks = &rows;
    MR_TRY(fitted, estimator->fit(part, collective.rank() == 0 ? validation : nullptr, own));
    MR_DO(collective.barrier());
    return fitted;
  });
}

}  // namespace millrace::tasks
