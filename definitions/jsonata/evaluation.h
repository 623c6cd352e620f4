#pragma once
// One evaluation of a compiled expression: the walk over its tree, the memory it uses and the limits it
// keeps. Functions answer a Value; one that has_failed() says that error() is set and everything is to be
// left.
//
// Source: docs.jsonata.org, "Processing model" (sequences, paths, grouping, ordering) and the behaviour of
// the reference where the documentation leaves it open.

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/environment.h"
#include "definitions/jsonata/ast.h"
#include "definitions/jsonata/date_time.h"
#include "definitions/jsonata/functions.h"
#include "definitions/jsonata/jsonata.h"
#include "definitions/jsonata/value.h"

namespace millrace::definitions::jsonata {

// A sequence on its way from step to step: `one` means exactly `value`, which may be an array itself.
// Otherwise `value` is an array, or undefined for none.
struct Run {
  Value value;
  bool one = false;
};

class Evaluation {
 public:
  using Bindings = std::vector<Jsonata::Binding>;
  Evaluation(const Jsonata::Compiled& compiled, JsonView input, const Bindings& bindings,
             const Environment& environment);

  JsonataResult run();

  Value evaluate(const Node& node, Value input, Frame* frame);
  // Calls any function; a lambda's tail calls are made here, in a loop.
  Value apply(Value function, std::span<const Value> arguments, Value context);

  // ---- failing ---------------------------------------------------------------------------------------
  Value fail(std::string_view code, Value value = {}, Value value2 = {});
  Value fail_at(const Node& node, std::string_view code, Value value = {}, Value value2 = {});
  Value fail_with_text(std::string_view code, std::string_view value);  // `value` as it stands, no JSON
  Value fail_argument(std::string_view code, std::size_t index, Value value, std::string_view type = {});
  bool failed() const { return failed_; }
  Value over_memory() { return limit("Expression evaluation memory limit exceeded"); }
  Value overflow() { return deep(); }
  // Counts work; false when the budget is spent and the evaluation has failed.
  bool work(std::size_t steps) {
    steps_left_ -= static_cast<std::int64_t>(steps);
    return steps_left_ >= 0 || exhausted();
  }

  // ---- making values -----------------------------------------------------------------------------------
  Arena& arena() { return arena_; }
  Value value_of(const JsonDocument* document, std::uint32_t index);
  Value value_of(JsonView view) { return view ? value_of(view.document(), view.index()) : Value(); }
  Value text(std::string_view characters);  // copied into the arena
  Value concat(std::string_view a, std::string_view b);
  Array* make_array(std::size_t count, bool sequence);  // null: over memory, and the evaluation has failed
  Value make_array(std::span<const Value> items, bool sequence);
  Object* make_object(std::size_t capacity);
  void put(Object& object, Value key, Value value);  // replaces the value of a key that is there
  void erase(Object& object, std::string_view key);
  // Keeps a document that the evaluation made as long as itself.
  Value keep(Payload payload);

  // ---- reading values ----------------------------------------------------------------------------------
  std::size_t count_of(Value array) const;  // of an array of any form
  Value item_of(Value array, std::size_t position);
  Value lookup(Value value, std::string_view key);   // as a path step does: arrays are searched
  Value member(Value object, std::string_view key);  // of an object only; Undefined if there is none
  bool truth(Value value);                           // $boolean
  // Whether `value` is a number that can be computed with; an infinite one fails with D1001.
  bool is_numeric(Value value);
  bool equal(Value a, Value b);
  std::size_t member_count(Value object) const {
    return object.tag == Value::Tag::Object ? object.object->count : object.view().size();
  }
  // visit(key, value) for each member, in order; false stops.
  template <class Visit>
  void for_each_member(Value object, Visit visit) {
    if (object.tag == Value::Tag::Object) {
      const Object& made = *object.object;
      for (std::uint32_t i = 0; i < made.count; ++i)
        if (!visit(made.members[i].key.characters(), made.members[i].value)) return;
    } else if (object.tag == Value::Tag::InputObject) {
      for (const auto [key, value] : object.view().members())
        if (!visit(value_of(key).characters(), value_of(value))) return;
    }
  }
  // Order of UTF-16 units: negative, 0, positive.
  static int compare_text(std::string_view a, std::string_view b);

  // What $string gives, appended; not for undefined. False: failed.
  bool append_string(std::string& out, Value value, bool pretty);
  // JSON text as JSON.stringify writes it, numbers as $string shows them. False: failed.
  bool append_json(std::string& out, Value value, bool pretty, int depth = 0);
  // JSON text for messages, cut where it is long.
  std::string json_for_message(Value value);
  Value clone(Value value, int depth = 0);

  // A picture of $fromMillis and $now, and of $toMillis, read once for several dates.
  const Checked<std::vector<DatePart>>& date_picture(std::string_view picture);
  const Checked<DateReader>& date_reader(std::string_view picture);

  // Iterates an array of any form; anything else is taken as the only item.
  class Items {
   public:
    Items(Evaluation& evaluation, Value value);
    Items(Evaluation& evaluation, Run run);
    bool next(Value& item) {
      if (left_ == 0) return false;
      --left_;
      if (values_) {
        item = *values_++;
      } else if (document_) {
        item = evaluation_.value_of(document_, node_);
        node_ = document_->nodes[node_].next;
      } else {
        item = Value::number(number_++);
      }
      return true;
    }

   private:
    void start(Value array);
    Evaluation& evaluation_;
    Value single_;
    const Value* values_ = nullptr;
    const JsonDocument* document_ = nullptr;
    std::uint32_t node_ = 0;
    double number_ = 0;
    std::size_t left_ = 0;
  };

  // Items collected on a stack that loops share; gone when it goes out of scope.
  class Collector {
   public:
    explicit Collector(Evaluation& evaluation) : evaluation_(evaluation), begin_(evaluation.stack_.size()) {}
    ~Collector() { evaluation_.stack_.resize(begin_); }
    Collector(const Collector&) = delete;
    Collector& operator=(const Collector&) = delete;
    void push(Value value) {
      if (evaluation_.stack_.size() >= evaluation_.stack_max_) evaluation_.over_memory();
      evaluation_.stack_.push_back(value);
    }
    void push_items(Value array);
    std::size_t size() const { return evaluation_.stack_.size() - begin_; }
    Value& operator[](std::size_t i) { return evaluation_.stack_[begin_ + i]; }
    std::span<Value> items() { return std::span<Value>(evaluation_.stack_).subspan(begin_); }
    Value array(bool sequence) { return evaluation_.make_array(items(), sequence); }
    Run run();  // the items as a sequence

   private:
    Evaluation& evaluation_;
    std::size_t begin_;
  };

  // Gives back what was allocated since it was made, if `result` does not need it.
  class Scratch {
   public:
    explicit Scratch(Evaluation& evaluation)
        : evaluation_(evaluation), mark_(evaluation.arena_.mark()), escapes_(evaluation.escapes_) {}
    void release_for(Value result) {
      if (result.is_detached() && evaluation_.escapes_ == escapes_) evaluation_.arena_.release(mark_);
    }
    std::uint64_t serial() const { return mark_.serial; }

   private:
    Evaluation& evaluation_;
    Arena::Mark mark_;
    std::uint64_t escapes_;
  };

  const Environment& environment() const { return environment_; }
  const Jsonata::Compiled& compiled() const { return compiled_; }
  std::uint64_t draw();  // 64 bits from the environment's seed

 private:
  friend class Collector;

  Value dispatch(const Node& node, Value input, Frame* frame);
  Value behind(const Node& node, Value result, Frame* frame);
  Value literal(const Node& node);
  Value variable(const Node& node, Value input, Frame* frame);
  Value lookup_variable(std::uint32_t name, Frame* frame);
  Value global(std::uint32_t name);
  void bind(Frame& frame, std::uint32_t name, Value value);
  Frame* make_frame(Frame* parent);
  Value block(const Node& node, Value input, Frame* frame);
  Value condition(const Node& node, Value input, Frame* frame);
  Value array(const Node& node, Value input, Frame* frame);
  Value lambda(const Node& node, Value input, Frame* frame);
  Value wildcard(Value input);
  Value descendants(Value input);
  bool descend(Value value, Collector& found, int depth);
  bool flatten(Value value, Collector& found, int depth);

  Value binary(const Node& node, Value input, Frame* frame);
  Value arithmetic(const Node& node, Value left, Value right);
  Value compare(const Node& node, Value left, Value right);
  Value concat(Value left, Value right);
  Value range(const Node& node, Value left, Value right);
  Value in(Value left, Value right);
  Value negate(const Node& node, Value input, Frame* frame);

  Value path(const Node& node, Value input, Frame* frame);
  Value characters_of(Value value);
  Run step(const Node& step, Run input, Frame* frame, bool last);
  Value step_item(const Node& step, Value item, Frame* frame, Run& filtered);
  Run settle(Value only, bool last);
  Run filter(const Node& predicate, Run input, Frame* frame);
  Run filter_by_index(double index, Run input);
  int keeps(const Node& predicate, Value item, Frame* frame, std::size_t position, std::size_t count);
  Value finish_path(const Node& node, Run result, Frame* frame);

  Value tuple_path(const Node& node, Value input, Frame* frame);
  Value tuple_step(const Node& step, Value tuples, Frame* frame);
  bool tuple_results(const Node& step, Value source, Value result, Collector& out);
  Value tuple_stages(const Node& step, Value tuples, Frame* frame);
  Value tuple_filter(const Node& predicate, Value tuples, Frame* frame);
  Value tuples_of(Run run);
  Value stream(Collector& tuples);
  Value tuple_sort(const Node& step, Value tuples, Run run, Frame* frame);
  Value merged_tuple(Value tuples);
  Frame* frame_of(Frame* parent, const Tuple& tuple);
  Value sort_step(const Node& step, Value input, Frame* frame);
  Value group(const Node& group, Run input, bool tuples, Frame* frame);
  Value plain_object(const Node& group, Value input, Frame* frame);
  Value group_value(const Node& group, Value data, bool tuples, std::size_t pair, Frame* frame);

  Value call(const Node& node, Value input, Frame* frame, const Value* applied);
  Value invoke(const Node& node, Value function, std::span<const Value> arguments, Value input);
  Value partial(const Node& node, Value input, Frame* frame);
  Value apply_operator(const Node& node, Value input, Frame* frame);
  Value apply_all(Value function, std::span<const Value> arguments, Value context);
  void locate_error(const Node& node);
  Value apply_once(Value function, std::span<const Value> arguments, Value context);
  Value apply_builtin(const Builtin& builtin, std::span<const Value> arguments, Value context);
  Value apply_lambda(const Function& function, std::span<const Value> arguments);
  Value apply_partial(const Function& function, std::span<const Value> arguments, Value context);
  Value transform(const Function& function, Value object);
  Value update(const Node& node, Value match, Frame* frame);
  // Arguments in the order of the parameters, completed; false: failed.
  bool arrange(const Signature& signature, std::span<const Value> given, Value context, Value* out,
               std::size_t& count);
  bool arrange_simply(const Signature& signature, std::span<const Value> given, Value* out);
  bool accept_array(const Parameter& parameter, std::size_t index, Value& value);

  JsonView find_indexed(Value object, std::string_view key);
  Value limit(std::string_view message);
  bool exhausted();
  bool is_too_deep() const;
  Value deep() { return limit("Stack overflow error"); }
  Value unescaped(const JsonNode& node, const JsonDocument& document);
  bool write(JsonWriter& out, Value value, int depth);

  const Jsonata::Compiled& compiled_;
  JsonView input_;
  const Bindings& bindings_;
  const Environment& environment_;
  Arena arena_;
  std::int64_t steps_left_;
  int depth_ = 0, depth_max_;
  const char* stack_top_ = nullptr;
  bool failed_ = false;
  bool unsupported_ = false;
  std::uint64_t escapes_ = 0;
  JsonataError error_;
  Value root_;
  std::vector<Value> globals_;
  std::vector<Value> stack_;
  std::size_t stack_max_;
  std::vector<Payload> documents_;

  // Where the keys of a big object of the input are, by hash; 0: nowhere.
  struct InputIndex {
    const JsonDocument* document;
    std::uint32_t node;
    std::uint32_t searches;
    std::vector<std::uint32_t> slots;
  };
  static constexpr std::size_t kInputIndexesMax = 8;
  static constexpr std::uint32_t kSearchesBeforeIndex = 3;
  std::vector<InputIndex> indexes_;

  KnownPictures<std::vector<DatePart>> pictures_;  // those that are made as the evaluation goes
  KnownPictures<DateReader> readers_;
};

inline Value Evaluation::value_of(const JsonDocument* document, std::uint32_t index) {
  const JsonNode& node = document->nodes[index];
  switch (node.kind) {
    case JsonKind::Null:
      return Value::null();
    case JsonKind::False:
    case JsonKind::True:
      return Value::boolean(node.kind == JsonKind::True);
    case JsonKind::String:
      if (node.escaped) return unescaped(node, *document);
      return Value::string({document->text.data() + node.begin + 1, node.end - node.begin - 2});
    default: {
      Value value = Value::of(node.kind == JsonKind::Number  ? Value::Tag::InputNumber
                              : node.kind == JsonKind::Array ? Value::Tag::InputArray
                                                             : Value::Tag::InputObject);
      value.document = document;
      value.size = index;
      return value;
    }
  }
}

// How many arguments a function takes: higher-order functions give no more.
std::size_t arity_of(Value function);

}  // namespace millrace::definitions::jsonata
