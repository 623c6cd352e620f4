#pragma once
// The eight states of the language as plain structs: what compile() makes of a definition. Immutable once
// compiled. `Next` is an index into the nodes of the same Program; branches and item processors are Programs
// of their own.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/payload.h"
#include "base/time.h"
#include "definitions/choice_rule.h"
#include "definitions/intrinsics/intrinsic.h"
#include "definitions/jsonpath/path.h"
#include "definitions/jsonpath/reference_path.h"
#include "definitions/payload_template.h"
#include "definitions/resource.h"

namespace millrace::definitions {

class Program;

using NodeIndex = std::uint32_t;
inline constexpr NodeIndex kEnd = ~NodeIndex{0};  // End: true

enum class StateType { Pass, Task, Choice, Wait, Parallel, Map, Succeed, Fail };
std::string_view name_of(StateType type);  // "Pass", …

// InputPath, OutputPath: absent means `$`; null means {}.
struct PathField {
  enum class Kind { Whole, Null, Path } kind = Kind::Whole;
  std::optional<Path> path;
};
// ResultPath: absent means `$`; null discards the result.
struct ResultPathField {
  enum class Kind { Whole, Discard, Path } kind = Kind::Whole;
  std::optional<ReferencePath> path;
};

// The variables that a state, a choice rule or a catcher sets: an object by name.
struct Assign {
  PayloadTemplate values;
  std::vector<std::string> names;  // without ".$"
};

// Input and output processing. A state type, or a query language, that lacks a field leaves it at its
// default.
struct DataFlow {
  PathField input_path;
  std::optional<PayloadTemplate> parameters;
  std::optional<PayloadTemplate> result_selector;
  ResultPathField result_path;
  PathField output_path;
  std::optional<PayloadTemplate> arguments;  // JSONata: Task, Parallel
  std::optional<PayloadTemplate> output;     // JSONata; of a Choice: when no rule holds
  std::optional<Assign> assign;              // both languages; of a Choice: when no rule holds
};

enum class JitterStrategy { None, Full };
struct Retrier {
  std::vector<std::string> error_equals;
  double interval_seconds = 1;
  std::int64_t max_attempts = 3;  // 0: never
  double backoff_rate = 2.0;
  std::optional<double> max_delay_seconds;
  JitterStrategy jitter = JitterStrategy::None;
};
struct Catcher {
  std::vector<std::string> error_equals;
  NodeIndex next = kEnd;
  ResultPathField result_path;
  std::optional<PayloadTemplate> output = {};  // JSONata
  std::optional<Assign> assign = {};
};
struct ErrorPolicy {
  std::vector<Retrier> retriers;
  std::vector<Catcher> catchers;
};

// A whole number given in the definition, or at run time read through a path (JSONPath) or given by an
// expression (JSONata). At most one of the three.
struct NumberOrPath {
  std::optional<std::int64_t> value;
  std::optional<Path> path;
  std::optional<Query> query;
  bool given() const { return value || path || query; }
};
struct DecimalOrPath {
  std::optional<double> value;
  std::optional<Path> path;
  std::optional<Query> query;
  bool given() const { return value || path || query; }
};

struct Pass {
  std::optional<Payload> result;
};
struct Task {
  Resource resource;
  NumberOrPath timeout_seconds;  // at most 99,999,999
  NumberOrPath heartbeat_seconds;
  std::optional<PayloadTemplate> credentials;
};
struct ChoiceBranch {
  ChoiceRule rule;
  NodeIndex next = kEnd;
  std::string label;                           // the rule in few words, for pictures: "$.auc ≥ 0.8"
  std::optional<PayloadTemplate> output = {};  // JSONata
  std::optional<Assign> assign = {};
};
struct Choice {
  std::vector<ChoiceBranch> branches;
  std::optional<NodeIndex> default_next;
};
struct Wait {
  std::optional<std::int64_t> seconds;
  std::optional<Instant> timestamp;
  std::optional<Path> seconds_path;
  std::optional<Path> timestamp_path;
  std::optional<Query> seconds_query;
  std::optional<Query> timestamp_query;
};
struct Parallel {
  std::vector<std::shared_ptr<const Program>> branches;
};
// Where the items of a distributed Map come from when they are not in the state's input.
enum class ItemFormat { Csv, Json, JsonLines, Manifest, Parquet };
struct ItemReader {
  bool list = false;                         // s3:listObjectsV2; else s3:getObject
  std::optional<PayloadTemplate> arguments;  // Bucket and Key, or Bucket and Prefix
  std::optional<ItemFormat> format;          // none: the listing itself
  bool headers_given = false;                // CSVHeaderLocation GIVEN: `headers` are the names
  std::vector<std::string> headers;
  char delimiter = ',';
  std::string items_pointer;  // JSON pointer to the items in a JSON file; empty: the whole
  bool athena = false;        // ManifestType ATHENA_DATA
  bool flatten = false;       // Transformation LOAD_AND_FLATTEN: the items of the objects that are listed
  NumberOrPath max_items;
};
// How many items a child of a distributed Map gets: {"BatchInput": …, "Items": […]}.
struct ItemBatcher {
  NumberOrPath max_items, max_bytes;
  std::optional<PayloadTemplate> input;
};
// None: with what is known of each child; Compact: outputs alone; Flatten: those that are arrays opened.
enum class ResultTransformation { None, Compact, Flatten };
struct ResultWriter {
  bool exports = false;  // has a Resource: results go to the object store, not into the state's output
  std::optional<PayloadTemplate> arguments;  // Bucket and Prefix
  bool json_lines = false;                   // OutputType
  std::optional<ResultTransformation> transformation;
};
struct Map {
  std::shared_ptr<const Program> processor;
  bool iterator = false;                 // its processor has the old name, Iterator
  bool distributed = false;              // ProcessorConfig.Mode
  bool express = false;                  // ProcessorConfig.ExecutionType, of distributed ones
  std::string label;                     // Label, or one made of the state's name; of distributed ones
  PathField items_path;                  // on the effective input
  std::optional<PayloadTemplate> items;  // JSONata: Items
  std::optional<PayloadTemplate> item_selector;  // ItemSelector, or Parameters in the old form
  NumberOrPath max_concurrency;
  NumberOrPath tolerated_failure_count;
  DecimalOrPath tolerated_failure_percentage;  // 0 to 100
  std::optional<ItemReader> reader;            // these three of distributed ones only
  std::optional<ItemBatcher> batcher;
  std::optional<ResultWriter> writer;
};
struct Succeed {};
// Error and Cause: text, a path or an intrinsic function, or an expression.
struct TextField {
  std::variant<std::monostate, std::string, Path, IntrinsicCall, Query> value;
  bool given() const { return value.index() != 0; }
};
struct Fail {
  TextField error, cause;
};

struct Node {
  std::string name;
  std::string comment;
  QueryLanguage language = QueryLanguage::JsonPath;
  NodeIndex next = kEnd;  // Pass, Task, Wait, Parallel, Map
  DataFlow flow;
  ErrorPolicy errors;  // Task, Parallel, Map
  std::variant<Pass, Task, Choice, Wait, Parallel, Map, Succeed, Fail> kind;
  JsonPosition position;  // of the state in the definition's text

  StateType type() const { return static_cast<StateType>(kind.index()); }
};

}  // namespace millrace::definitions
