#pragma once
// Values of an evaluation: 16 bytes each, in an arena that is dropped as a whole when the evaluation ends. A
// part of the input stays where it is (document and node); its strings are views into the document's text,
// its numbers are read when something computes with them. Only what an expression makes itself is allocated.
//
// One evaluation, one thread.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string_view>
#include <vector>

#include "base/payload.h"

namespace millrace::definitions::jsonata {

struct Array;
struct Object;
struct Function;
struct Frame;
struct Tuple;
struct TailCall;

struct Value {
  enum class Tag : std::uint8_t {
    Undefined,
    Null,
    Boolean,
    Number,
    InputNumber,  // of a document, not read yet
    String,
    InputArray,
    Array,
    InputObject,
    Object,
    Function,
    Tuple,     // an item of a tuple stream, never seen by an expression
    TailCall,  // what a lambda's body answers instead of calling in tail position
    Unbound,   // a variable without value
    Failed,    // the evaluation has failed: Evaluation::error() says why
  };

  Tag tag = Tag::Undefined;
  bool truth = false;
  std::uint32_t size = 0;  // bytes of a string; node of a part of the input
  union {
    double real;
    const char* text;
    const JsonDocument* document;
    Array* array;
    Object* object;
    const Function* function;
    Tuple* tuple;
    TailCall* tail_call;
  };

  Value() : real(0) {}
  static Value null() { return of(Tag::Null); }
  static Value failed() { return of(Tag::Failed); }
  static Value unbound() { return of(Tag::Unbound); }
  static Value boolean(bool b) {
    Value v = of(Tag::Boolean);
    v.truth = b;
    return v;
  }
  static Value number(double d) {
    Value v = of(Tag::Number);
    v.real = d;
    return v;
  }
  // Borrows the characters: they must live as long as the evaluation.
  static Value string(std::string_view s) {
    Value v = of(Tag::String);
    v.text = s.data();
    v.size = static_cast<std::uint32_t>(s.size());
    return v;
  }
  static Value of_array(Array* array) {
    Value v = of(Tag::Array);
    v.array = array;
    return v;
  }
  static Value of_object(Object* object) {
    Value v = of(Tag::Object);
    v.object = object;
    return v;
  }
  static Value of_function(const Function* function) {
    Value v = of(Tag::Function);
    v.function = function;
    return v;
  }
  static Value of_tuple(Tuple* tuple) {
    Value v = of(Tag::Tuple);
    v.tuple = tuple;
    return v;
  }
  static Value of(Tag tag) {
    Value v;
    v.tag = tag;
    return v;
  }

  bool is_undefined() const { return tag == Tag::Undefined; }
  bool has_failed() const { return tag == Tag::Failed; }
  bool is_null() const { return tag == Tag::Null; }
  bool is_boolean() const { return tag == Tag::Boolean; }
  bool is_number() const { return tag == Tag::Number || tag == Tag::InputNumber; }
  bool is_string() const { return tag == Tag::String; }
  bool is_array() const { return tag == Tag::Array || tag == Tag::InputArray; }
  bool is_object() const { return tag == Tag::Object || tag == Tag::InputObject; }
  bool is_function() const { return tag == Tag::Function; }
  // Holds nothing that the evaluation allocated: such a value outlives Arena::release.
  bool is_detached() const { return tag < Tag::String || tag == Tag::InputArray || tag == Tag::InputObject; }

  std::string_view characters() const { return {text, size}; }
  JsonView view() const { return {document, size}; }  // of a part of the input
  double to_double() const { return tag == Tag::Number ? real : view().number(); }
};
static_assert(sizeof(Value) == 16);

// An array made by the expression. `first` counts where `items` is null: the numbers first, first + 1, …
struct Array {
  Value* items = nullptr;
  std::uint32_t count = 0;
  bool sequence = false;        // made by a path or query: none is undefined, one is the item itself
  bool keep_singleton = false;  // … unless `[]` asked for the array
  bool constructed = false;     // made by [ ] inside a path: not flattened
  bool outer_wrapper = false;   // around an input that is an array itself
  bool tuple_stream = false;
  double first = 0;
};

struct Member {
  Value key;  // a string
  Value value;
};

struct Builtin;
struct Node;

// Everything that can be called.
struct Function {
  enum class Kind : std::uint8_t { Builtin, Lambda, Partial, Chain, Transform, Regex, NextMatch };
  Kind kind = Kind::Builtin;
  std::uint32_t argument_count = 0;  // Partial
  const Builtin* builtin = nullptr;  // Builtin
  const Node* node = nullptr;        // Lambda, Transform, Regex, NextMatch
  Frame* frame = nullptr;            // Lambda, Transform: where it was made
  Value input;                       // Lambda: its context; NextMatch: the text
  Value first, second;               // Chain: second(first(x)); Partial: first is called
  const Value* arguments = nullptr;  // Partial: Unbound where one is awaited
  std::size_t offset = 0;            // NextMatch: UTF-16 units
  std::uint64_t serial = 0;          // Arena::serial when it was made
};

struct TailCall {
  const Node* node = nullptr;
  Value input;
  Frame* frame = nullptr;
};

// Members in order of insertion; `slots` is an index by hash (0: free, else position + 1) of larger objects.
struct Object {
  Member* members = nullptr;
  std::uint32_t count = 0;
  std::uint32_t capacity = 0;
  std::uint32_t* slots = nullptr;
  std::uint32_t slot_mask = 0;
};

struct Binding {
  std::uint32_t name = 0;
  Value value;
  Binding* next = nullptr;
};

// Variables of a block, a call or a tuple, the newest first.
struct Frame {
  Frame* parent = nullptr;
  Binding* first = nullptr;
};

struct Tuple {
  Value item;
  Binding* first = nullptr;
};

// Memory of one evaluation: chunks, taken in order, given back together or down to a mark.
class Arena {
 public:
  explicit Arena(std::size_t bytes_max)
      : bytes_max_(bytes_max), next_(inline_), end_(inline_ + sizeof inline_) {}
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  // Aligned for everything here, never null. Past the limit memory is still given, once: over() tells, and
  // who takes much at a time asks has_room() first.
  void* allocate(std::size_t bytes) {
    bytes = (bytes + 7) & ~std::size_t{7};
    if (static_cast<std::size_t>(end_ - next_) < bytes) grow(bytes);
    void* const taken = next_;
    next_ += bytes;
    return taken;
  }
  template <class T>
  T* make() {
    return new (allocate(sizeof(T))) T();
  }
  template <class T>
  T* make_array(std::size_t count) {
    return static_cast<T*>(allocate(sizeof(T) * count));
  }
  bool over() const { return held_ > bytes_max_; }
  bool has_room(std::size_t bytes) const { return bytes <= bytes_max_ && held_ + bytes <= bytes_max_; }

  struct Mark {
    std::size_t chunks;
    char* next;
    char* end;
    std::uint64_t serial;
  };
  Mark mark() const { return {chunks_.size(), next_, end_, serial_}; }
  void release(const Mark& mark);
  // Counts up; what was numbered before a mark's serial was made before it.
  std::uint64_t serial() { return ++serial_; }

 private:
  void grow(std::size_t bytes);

  struct Chunk {
    std::unique_ptr<char[]> memory;
    std::size_t bytes;
  };
  std::size_t bytes_max_;
  std::size_t held_ = 0;
  std::uint64_t serial_ = 0;
  char* next_;
  char* end_;
  std::vector<Chunk> chunks_;
  Chunk spare_{nullptr, 0};  // the last chunk released: a loop around its edge does not allocate each time
  alignas(8) char inline_[4096];
};

}  // namespace millrace::definitions::jsonata
