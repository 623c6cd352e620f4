#pragma once
// Following the steps of a path through a document, as the Jayway library does it (its order of results, its
// texts, its oddities where the suites measured them). For jsonpath/ only.

#include "definitions/jsonpath/compiled.h"

namespace millrace::definitions::jsonpath {

// A value that was found; `owner` keeps it alive when it was made on the way (by a function, of several
// members).
struct Node {
  JsonView view;
  std::optional<Payload> owner;
};
inline Node made_node(Payload made) {
  const JsonView view = made.view();
  return {view, std::move(made)};
}

// The work one evaluation may do, in nodes looked at, shared by the paths inside its filters: no path runs
// away.
struct Budget {
  static constexpr std::size_t kNodesMax = 2'000'000;
  std::size_t left = kNodesMax;
  std::string_view why = "the path looks at more than 2000000 nodes";  // what to say when nothing is left
  bool spend(std::size_t nodes) {
    left = nodes < left ? left - nodes : 0;
    return left > 0;
  }
};

// Whether `left op right` holds; nothing stands for a path without a result. `regex` is the operand of =~.
bool compare(const std::string& op, const std::optional<Node>& left, const std::optional<Node>& right,
             const Regex* regex, Budget& budget);
// What a function answers for the value it is called on; the failure is a sentence.
tl::expected<Node, std::string> call(const std::string& function, const Node& on,
                                     const std::vector<Node>& arguments, Budget& budget);

class Evaluation {
 public:
  // `require`: a missing member ends the path also behind an indefinite step (tests of existence).
  Evaluation(JsonView root, Budget& budget, bool require = false)
      : root_(root), budget_(budget), require_(require) {}

  enum class End { Done, NotFound, Failed };
  // The nodes that `steps` lead to from `from`; none unless the end is Done.
  std::vector<Node> run(const Node& from, const std::vector<Step>& steps);
  End end() const { return end_; }
  const std::string& why() const { return why_; }

  // The answer of a path: its node, or of an indefinite one the array of all. Nothing unless Done.
  std::optional<Node> value(const Node& from, const std::vector<Step>& steps);

 private:
  void stop(End end, std::string why);
  bool last() const { return at_ + 1 == steps_->size(); }
  void not_an_array();
  void apply(const Step& step, const Node& node, std::vector<Node>& out);
  void member(const std::string& name, const Node& node, std::vector<Node>& out);
  void members(const step::Members& step, const Node& node, std::vector<Node>& out);
  void indices(const std::vector<std::int64_t>& positions, const Node& node, std::vector<Node>& out);
  void slice(const step::Slice& step, const Node& node, std::vector<Node>& out);
  void children(const Node& node, std::vector<Node>& out);
  void select(const Filter& filter, const Node& node, std::vector<Node>& out);
  void call_function(const step::Call& step, const Node& node, std::vector<Node>& out);
  void scan(const Step& step, const Node& node, std::vector<Node>& out);
  bool scan_stops_at(const Step& step, JsonView view);
  bool holds(const Filter& filter, const Node& current);
  std::optional<Node> operand(const Operand& operand, const Node& current);
  bool exists(const Operand& operand, const Node& current);

  JsonView root_;
  Budget& budget_;
  bool require_;
  const std::vector<Step>* steps_ = nullptr;
  std::size_t at_ = 0;
  bool upstream_definite_ = true;
  End end_ = End::Done;
  std::string why_;
};

}  // namespace millrace::definitions::jsonpath
