#include "tests/simulation/random_definition.h"

#include <nlohmann/json.hpp>

#include "base/json.h"
#include "base/random.h"

namespace millrace::simulation {
namespace {

// Every scope's input has n (a number), items (an array) and count (of loops).
const char* const kItemSelector = R"json({"n.$":"$$.Map.Item.Index","items.$":"$.items","count":0})json";
const char* const kCountUp =
    R"json({"n.$":"$.n","items.$":"$.items","count.$":"States.MathAdd($.count, 1)"})json";

class Generator {
 public:
  Generator(std::uint64_t seed, bool nests) : random_(seed), nests_(nests) {}

  Json scope(int depth) {
    const std::uint64_t count = 1 + random_.below(depth == 0 ? 6 : 3);
    std::vector<std::string> names;
    for (std::uint64_t i = 0; i < count; ++i) names.push_back("S" + std::to_string(++last_));
    Json out;
    out["StartAt"] = names[0];
    Json states = Json::object();
    for (std::size_t i = 0; i < names.size(); ++i) {
      const bool last = i + 1 == names.size();
      add_state(states, names[i], last ? std::string() : names[i + 1], names.back(), depth);
    }
    out["States"] = std::move(states);
    return out;
  }
  Random& random() { return random_; }

 private:
  bool one_in(std::uint64_t n) { return random_.below(n) == 0; }

  void add_state(Json& states, const std::string& name, const std::string& next, const std::string& last,
                 int depth) {
    const std::uint64_t kind = random_.below(depth < 3 ? 12 : 8);
    Json state;
    if (kind < 1) return add_loop(states, name, next);
    if (kind < 2) return add_choice(states, name, next);
    if (kind < 3)
      state = pass();
    else if (kind < 4)
      state = wait();
    else if (kind < 8)
      state = task();
    else if (kind < 10)
      state = parallel(depth);
    else
      state = map(depth);
    if (next.empty()) {
      if (one_in(6)) {
        states[name] = one_in(2) ? Json{{"Type", "Succeed"}}
                                 : Json{{"Type", "Fail"}, {"Error", "Custom.Error"}, {"Cause", "by design"}};
        return;
      }
      state["End"] = true;
    } else {
      state["Next"] = next;
    }
    const std::string type = state["Type"];
    if (type == "Task" || type == "Parallel" || type == "Map") {
      if (one_in(2)) state["Retry"] = Json::array({retrier()});
      // A catcher leads forward, so that nothing goes round for ever.
      if (!next.empty() && one_in(2)) {
        state["Catch"] =
            Json::array({Json{{"ErrorEquals", Json::array({one_in(3) ? "Custom.Error" : "States.ALL"})},
                              {"Next", one_in(2) ? next : last},
                              {"ResultPath", one_in(2) ? Json("$.error") : Json()}}});
      }
    }
    states[name] = std::move(state);
  }

  void add_choice(Json& states, const std::string& name, const std::string& next) {
    if (next.empty()) {
      states[name] = Json{{"Type", "Succeed"}};
      return;
    }
    const std::string side = name + "Side";
    Json rule{{"Variable", "$.n"}, {"Next", side}};
    rule["NumericGreaterThan"] = random_.below(4);
    states[name] = Json{{"Type", "Choice"}, {"Choices", Json::array({rule})}, {"Default", next}};
    states[side] = one_in(2) ? task() : pass();
    states[side]["Next"] = next;
  }
  // name: counts up; nameAgain: back, while below a bound
  void add_loop(Json& states, const std::string& name, const std::string& next) {
    const std::string again = name + "Again", out = next.empty() ? name + "Out" : next;
    states[name] = Json{{"Type", "Pass"}, {"Parameters", Json::parse(kCountUp)}, {"Next", name + "Work"}};
    states[name + "Work"] = one_in(2) ? wait() : pass();
    states[name + "Work"]["Next"] = again;
    states[again] = Json{
        {"Type", "Choice"},
        {"Choices",
         Json::array(
             {Json{{"Variable", "$.count"}, {"NumericLessThan", 1 + random_.below(5)}, {"Next", name}}})},
        {"Default", out}};
    if (next.empty()) states[out] = Json{{"Type", "Succeed"}};
  }

  Json pass() {
    Json state{{"Type", "Pass"}};
    if (one_in(2)) state["Result"] = Json{{"made", random_.below(100)}};
    state["ResultPath"] = one_in(3) ? Json() : Json("$.p" + std::to_string(random_.below(3)));
    return state;
  }
  Json wait() {
    if (one_in(4)) return Json{{"Type", "Wait"}, {"SecondsPath", "$.n"}};
    if (one_in(4))
      return Json{{"Type", "Wait"},
                  {"Timestamp", "2023-11-14T22:1" + std::to_string(random_.below(9)) + ":20Z"}};
    return Json{{"Type", "Wait"}, {"Seconds", one_in(3) ? random_.below(300) : random_.below(3)}};
  }
  Json task() {
    const bool timed = one_in(2);
    Json state{{"Type", "Task"}};
    const std::string name = std::string(timed ? "timed" : "plain") + std::to_string(random_.below(5));
    if (nests_ && one_in(6)) return nested();
    if (one_in(20))
      state["Resource"] = "arn:aws:states:::unserved:doIt";
    else if (one_in(3))
      state["Resource"] = timed ? "arn:aws:states:::timed:createJob.sync"
                                : "arn:aws:states:::sagemaker:createTrainingJob.sync";
    else
      state["Resource"] = "arn:aws:lambda:us-east-1:123456789012:function:" + name;
    if (timed) {
      state["TimeoutSeconds"] = 10 + random_.below(60);
      if (one_in(2)) state["HeartbeatSeconds"] = 2 + random_.below(7);
    }
    if (one_in(2)) state["Parameters"] = Json::parse(R"({"n.$":"$.n","who":"me"})");
    state["ResultPath"] = one_in(4) ? Json() : Json("$.t" + std::to_string(random_.below(2)));
    return state;
  }
  Json nested() {
    Json state{{"Type", "Task"}, {"Resource", "arn:aws:states:::states:startExecution.sync:2"}};
    state["Parameters"] = Json{
        {"StateMachineArn", "arn:aws:states:us-east-1:123456789012:stateMachine:child"}, {"Input.$", "$"}};
    if (one_in(3)) state["TimeoutSeconds"] = 10 + random_.below(60);
    state["ResultPath"] = Json();
    return state;
  }
  Json parallel(int depth) {
    Json branches = Json::array();
    for (std::uint64_t n = 1 + random_.below(3); n > 0; --n) branches.push_back(scope(depth + 1));
    return Json{{"Type", "Parallel"}, {"Branches", std::move(branches)}, {"ResultPath", "$.parallel"}};
  }
  Json map(int depth) {
    Json state{{"Type", "Map"}, {"ItemsPath", "$.items"}, {"ItemSelector", Json::parse(kItemSelector)}};
    state["MaxConcurrency"] = random_.below(3);
    state["ItemProcessor"] = scope(depth + 1);
    state["ResultPath"] = one_in(2) ? Json() : Json("$.mapped");
    return state;
  }
  Json retrier() {
    Json out{{"ErrorEquals", Json::array({one_in(2)   ? "States.ALL"
                                          : one_in(2) ? "States.Timeout"
                                                      : "Custom.Error"})},
             {"IntervalSeconds", 1 + random_.below(5)},
             {"MaxAttempts", random_.below(4)},
             {"BackoffRate", 1.0 + static_cast<double>(random_.below(3)) / 2}};
    if (one_in(2)) out["JitterStrategy"] = "FULL";
    if (one_in(3)) out["MaxDelaySeconds"] = 6 + random_.below(5);
    return out;
  }

  Random random_;
  const bool nests_;
  int last_ = 0;
};

}  // namespace

std::string random_definition(std::uint64_t seed, bool nests) {
  Generator generator(seed, nests);
  Json machine = generator.scope(0);
  if (generator.random().below(4) == 0) machine["TimeoutSeconds"] = 20 + generator.random().below(400);
  return machine.dump();
}

const std::vector<std::string>& fixed_definitions() {
  static const std::vector<std::string> kDefinitions = {
      R"({"StartAt":"A","States":{"A":{"Type":"Pass","End":true}}})",
      R"({"StartAt":"A","States":{"A":{"Type":"Wait","Seconds":3600,"Next":"B"},"B":{"Type":"Succeed"}}})",
      R"({"StartAt":"A","States":{"A":{"Type":"Task","Resource":"arn:aws:states:::sagemaker:createTrainingJob.sync",
          "Retry":[{"ErrorEquals":["States.ALL"],"MaxAttempts":5,"JitterStrategy":"FULL"}],
          "Catch":[{"ErrorEquals":["States.ALL"],"Next":"B","ResultPath":"$.e"}],"Next":"B"},"B":{"Type":"Pass","End":true}}})",
      R"({"StartAt":"A","States":{"A":{"Type":"Task","Resource":"arn:aws:lambda:us-east-1:123456789012:function:timed",
          "TimeoutSeconds":30,"HeartbeatSeconds":3,"Retry":[{"ErrorEquals":["States.HeartbeatTimeout","States.Timeout"],"MaxAttempts":4}],
          "End":true}}})",
      R"({"StartAt":"M","States":{"M":{"Type":"Map","ItemsPath":"$.items","MaxConcurrency":2,"End":true,
          "ItemProcessor":{"StartAt":"P","States":{"P":{"Type":"Parallel","End":true,"Branches":[
            {"StartAt":"W","States":{"W":{"Type":"Wait","Seconds":2,"End":true}}},
            {"StartAt":"T","States":{"T":{"Type":"Task","Resource":"arn:aws:lambda:us-east-1:123456789012:function:plain",
              "Retry":[{"ErrorEquals":["States.ALL"],"MaxAttempts":9}],"End":true}}}]}}}}}})",
  };
  return kDefinitions;
}

}  // namespace millrace::simulation
