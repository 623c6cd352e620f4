#pragma once
// The rule of a composite alarm: ALARM("a") AND (OK(b) OR NOT INSUFFICIENT_DATA("c")). Pure. Source: Amazon
// CloudWatch API reference, PutCompositeAlarm.

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "tasks/metrics/alarms.h"

namespace millrace::tasks {

class AlarmRule {
 public:
  static constexpr std::size_t kTextMax = 10'240, kElementsMax = 500;
  static constexpr int kDepthMax = 100;

  // InvalidArgument with the place of what is wrong. Alarms are named by name or ARN.
  static Result<AlarmRule> parse(std::string_view text);
  // The names of the alarms it asks for, each once, in their order in the text.
  const std::vector<std::string>& alarms() const { return alarms_; }
  // `state`: of an alarm, by name.
  bool holds(const std::function<AlarmState(const std::string&)>& state) const;

 private:
  friend class AlarmRuleParser;
  enum class Op { Constant, State, Not, And, Or };
  struct Node {
    Op op = Op::Constant;
    bool value = false;
    AlarmState state = AlarmState::Ok;
    std::size_t alarm = 0;            // in alarms_
    std::size_t left = 0, right = 0;  // in nodes_
  };
  bool holds(std::size_t node, const std::function<AlarmState(const std::string&)>& state) const;

  std::vector<Node> nodes_;
  std::size_t root_ = 0;
  std::vector<std::string> alarms_;
};

}  // namespace millrace::tasks
