#include "triggers/target_input.h"

#include <algorithm>
#include <cctype>

namespace millrace::triggers {
namespace {

using definitions::Path;

constexpr std::string_view kReserved[] = {"aws.events.event", "aws.events.event.json", "aws.events.rule-arn",
                                          "aws.events.rule-name", "aws.events.event.ingestion-time"};

bool reserved_name(std::string_view name) {
  return std::find(std::begin(kReserved), std::end(kReserved), name) != std::end(kReserved);
}

// The characters of a variable: what stands between '<' and '>' otherwise is text.
bool variable_name(std::string_view name) {
  return !name.empty() && name.size() <= 256 && std::all_of(name.begin(), name.end(), [](unsigned char c) {
    return std::isalnum(c) || c == '_' || c == '-' || c == '.';
  });
}

const Limits& input_limits() {
  static const Limits limits;
  return limits;
}

// Nothing where the path leads nowhere.
std::optional<Payload> part_of(const Path& path, const Payload& event) {
  const Environment environment{Instant{}, 0, &input_limits()};
  if (path.whole()) return event;
  auto outcome = path.evaluate_on(event, environment);
  if (!outcome) return std::nullopt;
  return *std::move(outcome);
}

Result<Path> input_path(const std::string& text, const std::string& id) {
  auto path = Path::parse(text);
  if (path && path->root() == Path::Root::Input) return std::move(*path);
  return invalid("Parameter InputPath for target " + id + " is not valid. Reason: '" + text +
                 "' is no JSONPath of an event" + (path ? "" : ": " + path.error().message));
}

// The event without its detail.
Payload frame_of(const Payload& event) {
  JsonWriter out;
  out.begin_object();
  for (const auto [key, value] : event.view().members())
    if (!key.equals("detail")) out.key(key).value(value);
  out.end_object();
  return out.finish();
}

// As it stands inside quotes.
std::string inside_quotes(const Payload& value) {
  const Payload text = value.view().is_string() ? value : Payload::string(value.text());
  const std::string_view quoted = text.view().text();
  return std::string(quoted.substr(1, quoted.size() - 2));
}

}  // namespace

Result<TargetInput> TargetInput::read(JsonView target) {
  const auto given = [&target](std::string_view name) {
    const JsonView found = target.find(name);
    return found && !found.is_null() ? found : JsonView();
  };
  const JsonView id_view = given("Id");
  const std::string id = id_view && id_view.is_string() ? id_view.string() : "";
  const JsonView input = given("Input"), path = given("InputPath"), transformer = given("InputTransformer");
  if ((input ? 1 : 0) + (path ? 1 : 0) + (transformer ? 1 : 0) > 1)
    return invalid("Only one of Input, InputPath, or InputTransformer must be provided for target " + id +
                   ".");
  TargetInput made;
  if (input) {
    if (!input.is_string())
      return invalid("Parameter Input for target " + id + " is not valid. Reason: it must be a string");
    const std::string text = input.string();
    if (const auto document = Payload::parse(text); !document)
      return invalid("JSON syntax error in input for target " + id + ": " + document.error().message);
    made.constant_ = text;
  }
  if (path) {
    if (!path.is_string())
      return invalid("Parameter InputPath for target " + id + " is not valid. Reason: it must be a string");
    MR_TRY(parsed, input_path(path.string(), id));
    made.path_ = std::move(parsed);
  }
  if (transformer) return read_transformer(transformer, id);
  return made;
}

Result<TargetInput> TargetInput::read_transformer(JsonView transformer, const std::string& id) {
  const JsonView text = transformer.is_object() ? transformer.find("InputTemplate") : JsonView();
  if (!text || !text.is_string())
    return invalid("Parameter InputTemplate for target " + id + " is required.");
  TargetInput made;
  const JsonView paths = transformer.find("InputPathsMap");
  if (paths && paths.is_object()) {
    if (paths.size() > kPathsMax)
      return invalid("InputPathsMap for target " + id + " has more than " + std::to_string(kPathsMax) +
                     " entries.");
    for (const auto [key, value] : paths.members()) {
      const std::string name = key.string();
      if (!variable_name(name) || name.starts_with("aws.") || name.starts_with("AWS."))
        return invalid("InputPathsMap for target " + id + " has an invalid key '" + name + "'.");
      if (!value.is_string())
        return invalid("InputPathsMap for target " + id + ": the path of '" + name + "' must be a string");
      MR_TRY(parsed, input_path(value.string(), id));
      made.paths_.emplace(name, std::move(parsed));
    }
  }
  MR_DO(made.read_template(text.string(), id));
  return made;
}

Status TargetInput::read_template(const std::string& text, const std::string& id) {
  if (text.empty() || text.size() > kTemplateBytesMax)
    return invalid("InputTemplate for target " + id + " must have 1 to " + std::to_string(kTemplateBytesMax) +
                   " bytes.");
  std::string plain, probe;  // probe: with every variable filled in
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const std::size_t end = c == '<' ? text.find('>', i) : std::string::npos;
    const std::string name = end == std::string::npos ? "" : text.substr(i + 1, end - i - 1);
    if (variable_name(name)) {
      if (!paths_.contains(name) && !reserved_name(name))
        return invalid("Invalid InputTemplate for target " + id + " : [Placeholder <" + name +
                       "> is not in InputPathsMap.]");
      pieces_.push_back({std::move(plain), false, false});
      plain.clear();
      pieces_.push_back({name, true, quoted});
      probe += quoted ? "x" : "\"x\"";
      i = end;
      continue;
    }
    if (c == '"') quoted = !quoted;
    plain += c;
    probe += c;
    if (c == '\\' && quoted && i + 1 < text.size()) {
      plain += text[++i];
      probe += text[i];
    }
  }
  pieces_.push_back({std::move(plain), false, false});
  const std::size_t first = probe.find_first_not_of(" \t\r\n");
  const bool document = first != std::string::npos && (probe[first] == '{' || probe[first] == '[');
  if (!document) return {};
  if (const auto parsed = Payload::parse(probe); !parsed)
    return invalid("Invalid InputTemplate for target " + id + " : [" + parsed.error().message + "]");
  return {};
}

std::optional<Payload> TargetInput::value_of(const std::string& name, const Payload& event,
                                             const EventSurroundings& around) const {
  if (const auto path = paths_.find(name); path != paths_.end()) return part_of(path->second, event);
  if (name == "aws.events.event.json") return event;
  if (name == "aws.events.event") return frame_of(event);
  if (name == "aws.events.rule-arn") return Payload::string(around.rule_arn);
  if (name == "aws.events.rule-name") return Payload::string(around.rule_name);
  return Payload::string(format_rfc3339(around.ingested));
}

std::string TargetInput::text_for(const Payload& event, const EventSurroundings& around) const {
  if (constant_) return *constant_;
  if (path_) {
    const auto part = part_of(*path_, event);
    return part ? std::string(part->view().text()) : "null";
  }
  if (pieces_.empty()) return std::string(event.view().text());
  std::string text;
  for (const Piece& piece : pieces_) {
    if (!piece.variable) {
      text += piece.text;
      continue;
    }
    const auto value = value_of(piece.text, event, around);
    if (piece.quoted)
      text += value ? inside_quotes(*value) : "";
    else
      text += value ? std::string(value->view().text()) : "\"\"";
  }
  return text;
}

}  // namespace millrace::triggers
