#pragma once
// Reading a definition: Source is the parsed text and what was found wrong in it; Fields reads one object of
// it, field by field, and reports what is missing, unknown, of the wrong type or out of range. Everything is
// reported, in the end in the order of the text; a value that was reported reads as absent. One compilation,
// one thread.

#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/limits.h"
#include "definitions/diagnostics.h"
#include "definitions/nodes.h"

namespace millrace::definitions {

// Codes of diagnostics: those of the service, then our own. docs/language.md says what each means.
namespace codes {
inline constexpr std::string_view kSchema = "SCHEMA_VALIDATION_FAILED";
inline constexpr std::string_view kJson = "INVALID_JSON_DESCRIPTION";
inline constexpr std::string_view kMissing = "MISSING_DESCRIPTION";
inline constexpr std::string_view kTarget = "MISSING_TRANSITION_TARGET";
inline constexpr std::string_view kNoEnd = "MISSING_END_STATE";
inline constexpr std::string_view kDuplicateState = "DUPLICATE_STATE_NAME";
inline constexpr std::string_view kStateName = "INVALID_STATE_NAME";
inline constexpr std::string_view kDuplicateLabel = "DUPLICATE_LABEL_NAME";
inline constexpr std::string_view kLabel = "INVALID_LABEL_NAME";
inline constexpr std::string_view kNested = "TOO_DEEPLY_NESTED";
inline constexpr std::string_view kStaticResult = "PASS_RESULT_IS_STATIC";
inline constexpr std::string_view kTooLarge = "TOO_LARGE";
inline constexpr std::string_view kDuplicateKey = "DUPLICATE_KEY";
inline constexpr std::string_view kErrorName = "UNKNOWN_ERROR_NAME";
inline constexpr std::string_view kEndless = "ENDLESS_LOOP";
inline constexpr std::string_view kUnknownFunction = "UNKNOWN_FUNCTION";
inline constexpr std::string_view kNoDefault = "NO_DEFAULT";
inline constexpr std::string_view kUnassigned = "UNASSIGNED_VARIABLE";
inline constexpr std::string_view kShadowed = "SHADOWED_RULE";
inline constexpr std::string_view kImpossible = "IMPOSSIBLE_ERROR";
inline constexpr std::string_view kRetryTooLong = "RETRY_OUTLASTS_TIMEOUT";
}  // namespace codes

// The place of a part of a definition, the way AWS writes it: "/" is the whole, "/States/A/Catch[0]/Next" a
// part.
std::string place(const std::string& parent, std::string_view field);
std::string place(const std::string& parent, std::string_view field, std::size_t index);
// "[A, B]", as AWS lists names in its messages.
std::string list_of(std::span<const std::string_view> names);

class Source {
 public:
  // Both are borrowed for the life of the Source.
  Source(std::string_view text, const Limits& limits) : text_(text), limits_(limits) {}

  // Reads the text. False, with the reason noted, if it is not a JSON object.
  bool read();
  JsonView root() const { return document_.view(); }
  const Limits& limits() const { return limits_; }
  // Quick when asked in the order of the text, also on one line of a megabyte.
  JsonPosition position(JsonView at) { return position_at(offset_of(at)); }

  // `pointer` empty: the diagnostic concerns no single place; it still has the position of `at`.
  void error(JsonView at, std::string pointer, std::string_view code, std::string message,
             std::string hint = {});
  void warning(JsonView at, std::string pointer, std::string_view code, std::string message,
               std::string hint = {});
  // What an expression found wrong inside `part`, which is at `pointer`.
  void add(JsonView part, const std::string& pointer, const std::vector<Problem>& problems);

  // The nearest of `candidates`, for hints. After a million comparisons it gives none: nobody reads that many
  // hints, and a definition full of mistakes must not take forever.
  std::string nearest_name(std::string_view name, const std::vector<std::string_view>& candidates);

  bool failed() const { return failed_; }
  std::vector<Diagnostic> diagnostics();  // sorted by place; once

  // The state that is being read: its language is that of its expressions, and their places in failures are
  // counted from it.
  struct State {
    QueryLanguage language = QueryLanguage::JsonPath;
    std::string pointer;
  };
  State state;

  // The variables that the states of each scope assign, for the rule that an inner one must not assign a name
  // that an outer one does. `isolated`: a distributed Map's items see no outer variables.
  struct Assigned {
    std::size_t parent = 0;
    bool isolated = false;
    struct Name {
      std::string name;
      JsonView key;
      std::string pointer;
    };
    std::vector<Name> names;
  };
  std::vector<Assigned> assigned;
  std::size_t scope = 0;  // the one that is being read

  // What is being read runs as an Express execution.
  bool express = false;
  // All state names of the machine and where each stands first; labels of distributed maps.
  std::unordered_map<std::string, std::string> state_places;
  std::unordered_map<std::string, std::string> labels;

 private:
  struct Noted {
    std::uint32_t offset;
    Diagnostic diagnostic;
  };
  std::uint32_t offset_of(JsonView at) const { return at ? offsets_[at.index()] : 0; }
  JsonPosition position_at(std::uint32_t offset);
  void note(JsonView at, Severity severity, std::string pointer, std::string_view code, std::string message,
            std::string hint);
  void not_json(const Error& error);
  void note_duplicates(const std::vector<std::uint32_t>& duplicates);

  std::string_view text_;
  const Limits& limits_;
  Payload document_;
  std::vector<std::uint32_t> offsets_;
  std::vector<Noted> noted_;
  bool failed_ = false;
  std::int64_t comparisons_left_ = 1'000'000;
  std::uint32_t cursor_offset_ = 0;  // where the last position was asked, and its answer
  JsonPosition cursor_{1, 1};
};

// One row of a table of fields.
enum class Use : std::uint8_t { Both, JsonPathOnly, JsonAtaOnly };
struct FieldRule {
  std::string_view name;
  unsigned states = ~0u;  // bits by StateType, for the table of state fields
  Use use = Use::Both;
  std::string_view takes = {};  // "a whole number of seconds from 1 to 99999999, e.g. 300"
};
inline constexpr unsigned bit(StateType type) {
  return 1u << static_cast<unsigned>(type);
}
std::span<const FieldRule> state_fields();
std::span<const FieldRule> machine_fields();
std::span<const FieldRule> branch_fields();
std::span<const FieldRule> processor_fields();
std::span<const FieldRule> processor_config_fields();
std::span<const FieldRule> retrier_fields();
std::span<const FieldRule> catcher_fields();

class Fields {
 public:
  // `object` must be an object; `anchor` is what a diagnostic about the whole object points at (its key, or
  // itself).
  Fields(Source& source, JsonView object, std::string pointer, JsonView anchor,
         std::span<const FieldRule> rules)
      : source_(&source), object_(object), pointer_(std::move(pointer)), anchor_(anchor), rules_(rules) {}

  Source& source() { return *source_; }
  const std::string& pointer() const { return pointer_; }
  JsonView anchor() const { return anchor_; }
  JsonView object() const { return object_; }
  bool has(std::string_view name) const { return static_cast<bool>(object_.find(name)); }
  JsonView find(std::string_view name) const { return object_.find(name); }

  // Reports members that the table does not have, or not for these states or this language.
  void refuse_unknown(unsigned states, QueryLanguage language);
  // One diagnostic for all that are missing.
  bool require(std::initializer_list<std::string_view> names);
  // At most one of them: false, reported, if there are more. The count is in `given`.
  bool at_most_one(std::initializer_list<std::string_view> names, int* given = nullptr);

  // Absent, or reported and absent.
  std::optional<std::string> text(std::string_view name);
  std::optional<bool> flag(std::string_view name);
  std::optional<std::int64_t> whole(std::string_view name, std::int64_t min, std::int64_t max);
  std::optional<double> number(std::string_view name, double min, double max);
  std::optional<std::string> one_of(std::string_view name, std::initializer_list<std::string_view> values);
  JsonView object(std::string_view name);                // false when absent
  JsonView array(std::string_view name);                 // not empty
  std::optional<Path> path(std::string_view name);       // any path
  std::optional<Path> reference(std::string_view name);  // names one node at most
  PathField path_field(std::string_view name);           // null allowed
  ResultPathField result_path(std::string_view name);    // null allowed
  // In the language of the state; `result`, `error_output`: whether $states has them there.
  std::optional<PayloadTemplate> payload_template(std::string_view name, bool result = false,
                                                  bool error_output = false);
  std::optional<Assign> assign(bool result = false, bool error_output = false);
  // The expression that a field of a JSONata state may be instead of a value; nothing if it is none.
  std::optional<Query> query(std::string_view name);

  Site site(std::string_view name) const;  // of a field

  void error_at(std::string_view name, std::string message, std::string hint = {});  // about a field's value
  void error(std::string_view code, std::string message, std::string hint = {});     // about the object
  std::string takes(std::string_view name) const;  // "TimeoutSeconds takes a whole …", or empty

 private:
  JsonView typed(std::string_view name, bool (JsonView::*is)() const, std::string_view type);
  void wrong_type(std::string_view name, JsonView value, std::string_view type);

  Source* source_;
  JsonView object_;
  std::string pointer_;
  JsonView anchor_;
  std::span<const FieldRule> rules_;
};

}  // namespace millrace::definitions
