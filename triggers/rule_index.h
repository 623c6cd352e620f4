#pragma once
// RuleIndex: many patterns against one event. Of each alternative one condition that asks for exact values is
// its key: an event is only compared with the alternatives whose key value it holds, and with those that have
// none. So a bus with a thousand rules costs little more than one with ten. Made once from all patterns;
// matching changes nothing: any thread.

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "triggers/pattern.h"

namespace millrace::triggers {

class RuleIndex {
 public:
  RuleIndex() = default;
  // The patterns are borrowed for the call: what is needed of them is copied.
  explicit RuleIndex(const std::vector<const Pattern*>& patterns);

  // The positions of the patterns that the event (an object) meets, ascending, into `found` (emptied first).
  void match(JsonView event, std::vector<std::uint32_t>& found) const;

 private:
  using PathNumber = std::int32_t;
  struct Leaf {
    PathNumber path = 0;
    std::vector<Condition> any_of;
    bool absent_too = false;  // {"exists": false} is among them
  };
  struct Alternative {
    std::uint32_t pattern = 0;
    std::vector<Leaf> leaves;
  };
  // Member names on the way to the paths that patterns ask about.
  struct Step {
    std::map<std::string, std::uint32_t, std::less<>> next;
    PathNumber path = -1;
  };
  struct Field;
  struct Place;
  struct Leaves;

  PathNumber path_number(const std::string& path);
  void choose_keys();
  void collect(JsonView value, std::uint32_t step, std::int32_t place, Leaves& leaves) const;
  void member(std::string_view name, JsonView value, std::uint32_t step, std::int32_t place,
              Leaves& leaves) const;
  bool holds(const Alternative& alternative, const Leaves& leaves) const;
  static bool together(const Leaves& leaves, std::int32_t a, std::int32_t b);
  bool assign(const Alternative& alternative, std::size_t leaf, std::vector<std::int32_t>& places,
              const Leaves& leaves) const;

  std::vector<Alternative> alternatives_;
  std::vector<Step> steps_ = std::vector<Step>(1);
  PathNumber paths_ = 0;
  std::unordered_map<std::string, std::vector<std::uint32_t>> by_key_;  // "path=value": alternatives
  std::vector<std::uint32_t> without_key_;
};

}  // namespace millrace::triggers
