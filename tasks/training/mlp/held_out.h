#pragma once
// Which rows each network of an mlp learns from, and which it is judged by, where there is no channel
// validation: rows in an order drawn at random, of which each network leaves out a piece of its own. So the
// epoch to keep is chosen by rows that the network answering them has not seen. Pure; any thread.

#include <cstdint>
#include <utility>
#include <vector>

#include "base/random.h"
#include "tasks/training/estimator.h"

namespace millrace::tasks {

struct HeldOutRows {
  Dataset rows;                                         // all that is held out, network by network
  std::vector<std::pair<std::size_t, std::size_t>> of;  // by network: its rows of `rows`, [begin, end)
  std::vector<std::vector<std::uint32_t>> learnt;       // by network: its rows of train, ascending

  bool empty() const { return of.empty(); }
};

// Each of `networks` leaves out `fraction` of train's rows, at most `most`. Empty when that is no row, or
// when a network would learn from, or be judged by, nothing that has a weight.
HeldOutRows hold_out_rows(const Dataset& train, std::size_t networks, double fraction, std::size_t most,
                          Random random);

}  // namespace millrace::tasks
