#include "tasks/metrics/alarm_rule.h"

#include <algorithm>
#include <cctype>

namespace millrace::tasks {

class AlarmRuleParser {
 public:
  explicit AlarmRuleParser(std::string_view text) : text_(text) {}

  Result<AlarmRule> parse() {
    MR_TRY(root, either(0));
    skip();
    if (at_ < text_.size()) return wrong("AND, OR or the end of the rule");
    rule_.root_ = root;
    return std::move(rule_);
  }

 private:
  using Op = AlarmRule::Op;

  tl::unexpected<Error> wrong(std::string_view expected) const {
    const std::string found =
        at_ < text_.size() ? "'" + std::string(text_.substr(at_, 20)) + "'" : "the end of the rule";
    return invalid("AlarmRule: expected " + std::string(expected) + " at position " +
                   std::to_string(at_ + 1) + ", but there is " + found);
  }
  void skip() {
    while (at_ < text_.size() && std::isspace(static_cast<unsigned char>(text_[at_]))) ++at_;
  }
  // A word in capitals that stands here; it is taken.
  bool word(std::string_view name) {
    skip();
    if (!text_.substr(at_).starts_with(name)) return false;
    const std::size_t end = at_ + name.size();
    const bool goes_on =
        end < text_.size() && (std::isalnum(static_cast<unsigned char>(text_[end])) || text_[end] == '_');
    if (goes_on) return false;
    at_ = end;
    return true;
  }
  bool sign(char c) {
    skip();
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  Result<std::size_t> add(AlarmRule::Node node) {
    if (rule_.nodes_.size() >= AlarmRule::kElementsMax * 2)
      return invalid("AlarmRule: more than " + std::to_string(AlarmRule::kElementsMax) + " elements");
    rule_.nodes_.push_back(node);
    return rule_.nodes_.size() - 1;
  }

  Result<std::size_t> either(int depth) {
    MR_TRY(left, both(depth));
    while (word("OR")) {
      MR_TRY(right, both(depth));
      MR_TRY(node, add({Op::Or, false, {}, 0, left, right}));
      left = node;
    }
    return left;
  }
  Result<std::size_t> both(int depth) {
    MR_TRY(left, term(depth));
    while (word("AND")) {
      MR_TRY(right, term(depth));
      MR_TRY(node, add({Op::And, false, {}, 0, left, right}));
      left = node;
    }
    return left;
  }
  Result<std::size_t> term(int depth) {
    if (depth >= AlarmRule::kDepthMax)
      return invalid("AlarmRule: nested deeper than " + std::to_string(AlarmRule::kDepthMax) + " levels");
    if (word("NOT")) {
      MR_TRY(inner, term(depth + 1));
      return add({Op::Not, false, {}, 0, inner, 0});
    }
    if (sign('(')) {
      MR_TRY(inner, either(depth + 1));
      if (!sign(')')) return wrong("')'");
      return inner;
    }
    if (word("TRUE")) return add({Op::Constant, true});
    if (word("FALSE")) return add({Op::Constant, false});
    for (const AlarmState state : {AlarmState::Ok, AlarmState::Alarm, AlarmState::InsufficientData})
      if (word(name_of(state))) return state_of_alarm(state);
    return wrong("ALARM(…), OK(…), INSUFFICIENT_DATA(…), TRUE, FALSE, NOT or '('");
  }
  Result<std::size_t> state_of_alarm(AlarmState state) {
    if (!sign('(')) return wrong("'('");
    MR_TRY(name, alarm_name());
    if (!sign(')')) return wrong("')'");
    auto known = std::find(rule_.alarms_.begin(), rule_.alarms_.end(), name);
    if (known == rule_.alarms_.end()) known = rule_.alarms_.insert(known, name);
    return add({Op::State, false, state, static_cast<std::size_t>(known - rule_.alarms_.begin())});
  }
  // In quotes, with \" for one; or bare, up to the parenthesis.
  Result<std::string> alarm_name() {
    skip();
    std::string name;
    const char quote = at_ < text_.size() ? text_[at_] : '\0';
    if (quote == '"' || quote == '\'') {
      for (++at_; at_ < text_.size() && text_[at_] != quote; ++at_) {
        if (text_[at_] == '\\' && at_ + 1 < text_.size()) ++at_;
        name += text_[at_];
      }
      if (at_ >= text_.size()) return wrong("the end of the alarm's name");
      ++at_;
    } else {
      const std::size_t end = std::min(text_.find(')', at_), text_.size());
      name = text_.substr(at_, end - at_);
      while (!name.empty() && std::isspace(static_cast<unsigned char>(name.back()))) name.pop_back();
      at_ = end;
    }
    constexpr std::string_view kArn = ":alarm:";
    if (const std::size_t arn = name.find(kArn); name.starts_with("arn:") && arn != std::string::npos)
      name.erase(0, arn + kArn.size());
    if (name.empty()) return wrong("the name of an alarm");
    return name;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  AlarmRule rule_;
};

Result<AlarmRule> AlarmRule::parse(std::string_view text) {
  if (text.size() > kTextMax)
    return invalid("AlarmRule: more than " + std::to_string(kTextMax) + " characters");
  return AlarmRuleParser(text).parse();
}

bool AlarmRule::holds(const std::function<AlarmState(const std::string&)>& state) const {
  return holds(root_, state);
}

bool AlarmRule::holds(std::size_t index, const std::function<AlarmState(const std::string&)>& state) const {
  const Node& node = nodes_[index];
  switch (node.op) {
    case Op::Constant:
      return node.value;
    case Op::State:
      return state(alarms_[node.alarm]) == node.state;
    case Op::Not:
      return !holds(node.left, state);
    case Op::And:
      return holds(node.left, state) && holds(node.right, state);
    case Op::Or:
      return holds(node.left, state) || holds(node.right, state);
  }
  return false;
}

}  // namespace millrace::tasks
