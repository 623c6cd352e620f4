#pragma once
// Coverage: which states, transitions, choice rules, retriers and catchers of a definition the cases of a
// test file reached, and how often. Pure.

#include <array>
#include <map>
#include <string>
#include <vector>

#include "simulation/trace.h"

namespace millrace::simulation {

enum class CoverageKind { States, Transitions, ChoiceRules, Retriers, Catchers };
inline constexpr std::size_t kCoverageKinds = 5;
std::string_view name_of(CoverageKind kind);  // "states", "transitions", "choice rules", …

class Coverage {
 public:
  struct Item {
    std::string name;  // "Train", "Train → Judge", "Judge: $.auc ≥ 0.8", "Train: Retry[0] States.TaskFailed"
    std::uint64_t hits = 0;
  };

  explicit Coverage(const definitions::Program& program) { list(program); }
  void add(const Trace& trace);

  const std::vector<Item>& items(CoverageKind kind) const { return items_[static_cast<std::size_t>(kind)]; }
  std::size_t covered(CoverageKind kind) const;
  double percent() const;  // of all items of all kinds; 100 when there are none

 private:
  void list(const definitions::Program& program);
  void list_edges(const definitions::Program& program, const definitions::Node& node);
  void put(CoverageKind kind, std::string key, std::string name);
  void hit(CoverageKind kind, const std::string& key);
  void add_choice(const states::Execution& execution, const definitions::Program& program, FrameId frame,
                  Instant now);
  void add_edge(const definitions::Program& scope, const definitions::Node& from, const std::string& to,
                bool failed, const std::string& error);

  std::array<std::vector<Item>, kCoverageKinds> items_;
  std::array<std::map<std::string, std::size_t>, kCoverageKinds> index_;
};

}  // namespace millrace::simulation
