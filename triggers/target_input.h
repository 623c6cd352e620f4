#pragma once
// TargetInput: what a target is handed of an event: the whole of it, a constant (Input), a part (InputPath),
// or a text with places for parts of it (InputTransformer). Pure; any thread. Source: EventBridge API
// reference, Target and InputTransformer; user guide, "Input transformation" (reserved variables).

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/payload.h"
#include "base/result.h"
#include "definitions/jsonpath/path.h"

namespace millrace::triggers {

// What templates may say about an event beside what is in it.
struct EventSurroundings {
  std::string rule_arn, rule_name;
  Instant ingested;
};

class TargetInput {
 public:
  static constexpr std::size_t kPathsMax = 100, kTemplateBytesMax = 8192;

  // The whole event.
  TargetInput() = default;
  // Of a target as PutTargets has it. InvalidArgument in EventBridge's words.
  static Result<TargetInput> read(JsonView target);

  // What the target is handed: JSON, unless the template makes something else. `event` as EventBridge shows
  // it.
  std::string text_for(const Payload& event, const EventSurroundings& around) const;

 private:
  // A piece of the template: its text, or a variable to put in.
  struct Piece {
    std::string text;  // of the template; or the variable's name
    bool variable = false;
    bool quoted = false;  // the variable stands inside a string
  };
  static Result<TargetInput> read_transformer(JsonView transformer, const std::string& id);
  Status read_template(const std::string& text, const std::string& id);
  std::optional<Payload> value_of(const std::string& name, const Payload& event,
                                  const EventSurroundings& around) const;

  std::optional<std::string> constant_;
  std::optional<definitions::Path> path_;
  std::map<std::string, definitions::Path> paths_;
  std::vector<Piece> pieces_;  // empty: no template
};

}  // namespace millrace::triggers
