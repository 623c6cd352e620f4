#pragma once
// Hyperband with asynchronous successive halving: most trials end early, what looks good goes on.
//
// Resource is how often a trial has reported the objective: rounds, epochs. A trial that has used a rung of
// its bracket goes on only when it is among the best third of those that reached the rung, itself included
// (alone or with one other: the best); at `most` it ends, and counts as completed. Brackets differ in their
// first rung, from `least` upwards in powers of three, so that what starts slowly is found too; each bracket
// has about the same share of the resource. Sources: Li et al., Hyperband (2018); Li et al., A System for
// Massively Parallel Hyperparameter Tuning (2020); rules for few trials as Optuna 3.1's
// SuccessiveHalvingPruner. Pure.

#include <cstdint>
#include <span>
#include <vector>

namespace millrace::tasks {

struct HalvingSpan {
  std::int64_t least = 1, most = 1;  // resource, 1 <= least <= most
  bool cut = false;                  // trials would go on beyond `most`, where they are to end
};

inline constexpr std::int64_t kHalvingFactor = 3;

// How many brackets there are: 1 + floor(log3(most / least)).
int bracket_count(const HalvingSpan& span);
// Of a trial by its number from 0: 0 starts at `least`.
int bracket_of(const HalvingSpan& span, std::size_t trial);

// Whether the trial ends after its last value. `curve`: its values so far, at least one; `others`: the curves
// of the trials of its bracket that it may know; smaller is better unless `maximize`.
bool halving_stops(const HalvingSpan& span, int bracket, std::span<const double> curve,
                   std::span<const std::vector<double>> others, bool maximize);

}  // namespace millrace::tasks
