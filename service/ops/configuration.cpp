#include "service/ops/configuration.h"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/text.h"
#include "definitions/diagnostics.h"
#include "service/http/server.h"

namespace millrace::service {
namespace {

namespace fs = std::filesystem;

struct Suffix {
  std::string_view name;
  std::int64_t factor;
};
// The largest first: show_value() takes the first that divides.
constexpr Suffix kByteSuffixes[] = {
    {"GiB", std::int64_t{1} << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"B", 1}};
constexpr Suffix kTimeSuffixes[] = {
    {"d", 86'400'000}, {"h", 3'600'000}, {"min", 60'000}, {"s", 1000}, {"ms", 1}};

std::span<const Suffix> suffixes_of(OptionKind kind) {
  if (kind == OptionKind::Bytes) return kByteSuffixes;
  if (kind == OptionKind::Duration) return kTimeSuffixes;
  return {};
}

bool is_number(OptionKind kind) {
  return kind == OptionKind::Integer || kind == OptionKind::Bytes || kind == OptionKind::Duration;
}

// "64", "64 KiB", "1.5 s": a count of the kind's smallest unit.
std::optional<std::int64_t> parse_number(std::string_view text, OptionKind kind) {
  double number = 0;
  const auto [end, wrong] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (wrong != std::errc() || !std::isfinite(number)) return std::nullopt;
  std::string_view unit = text.substr(static_cast<std::size_t>(end - text.data()));
  while (unit.starts_with(' ')) unit.remove_prefix(1);
  double factor = 1;
  if (!unit.empty()) {
    const auto suffixes = suffixes_of(kind);
    const auto found =
        std::find_if(suffixes.begin(), suffixes.end(), [&](const Suffix& s) { return s.name == unit; });
    if (found == suffixes.end()) return std::nullopt;
    factor = static_cast<double>(found->factor);
  }
  const double value = number * factor;
  if (value != std::floor(value) || std::fabs(value) > 9e15) return std::nullopt;
  return static_cast<std::int64_t>(value);
}

std::string in_unit(std::int64_t number, OptionKind kind) {
  const auto suffixes = suffixes_of(kind);
  if (suffixes.empty() || number == 0) return std::to_string(number);
  for (const Suffix& suffix : suffixes) {
    if (number % suffix.factor == 0)
      return std::to_string(number / suffix.factor) + " " + std::string(suffix.name);
  }
  return std::to_string(number);
}

tl::unexpected<Error> wrong_value(const Option& option, std::string_view text, std::string what) {
  std::string shown(text.substr(0, 80));
  return invalid(std::string(option.name) + ": '" + shown + "' " + std::move(what));
}

// What a section or a whole name may be, for "did you mean".
std::string near_name(std::string_view name) {
  std::vector<std::string_view> names;
  for (const Option& option : options()) names.push_back(option.name);
  const std::string near = definitions::nearest(name, names);
  if (!near.empty()) return near;
  // The key may be right and its section missing or wrong.
  std::vector<std::string_view> keys;
  for (const Option& option : options()) keys.push_back(option.name.substr(option.name.find('.') + 1));
  const std::string near_key = definitions::nearest(name.substr(name.rfind('.') + 1), keys);
  const auto found = std::find(keys.begin(), keys.end(), near_key);
  return found == keys.end() ? std::string()
                             : std::string(options()[static_cast<std::size_t>(found - keys.begin())].name);
}

std::string hint_for(std::string_view name) {
  const std::string near = near_name(name);
  return near.empty() ? "`millrace config show` lists all options" : "did you mean '" + near + "'?";
}

// One file's options into the result.
class FileReader {
 public:
  FileReader(std::string path, std::string text, Loaded& into)
      : path_(std::move(path)), text_(std::move(text)), into_(into) {}

  void read() {
    const std::string plain = without_comments(text_);
    JsonParseOptions how;
    how.offsets = &offsets_;
    std::vector<std::uint32_t> duplicates;
    how.duplicates = &duplicates;
    const auto document = Payload::parse(plain, how);
    if (!document) {
      into_.problems.push_back({ErrorCode::InvalidArgument, path_ + ": " + document.error().message, {}});
      return;
    }
    for (const std::uint32_t offset : duplicates)
      problem(offset, "this key comes again below", "keep one of them");
    if (!document->view().is_object())
      return problem(0, "expected an object of sections", R"({"http": {…}})");
    for (const auto [key, value] : document->view().members()) section(key, value);
  }

 private:
  void section(JsonView key, JsonView value) {
    const std::string name = key.string();
    const bool known = std::any_of(options().begin(), options().end(),
                                   [&](const Option& o) { return section_of(o) == name; });
    if (!known) {
      std::vector<std::string_view> sections;
      for (const Option& option : options()) {
        if (sections.empty() || sections.back() != section_of(option)) sections.push_back(section_of(option));
      }
      const std::string near = definitions::nearest(name, sections);
      return problem(place(key), "unknown section '" + name + "'",
                     near.empty() ? hint_for(name) : "did you mean '" + near + "'?");
    }
    if (!value.is_object()) return problem(place(value), "section '" + name + "' must be an object", {});
    for (const auto [option_key, option_value] : value.members()) {
      const std::string full = name + "." + option_key.string();
      const Option* option = find_option(full);
      if (!option) {
        problem(place(option_key), "unknown option '" + full + "'", hint_for(full));
        continue;
      }
      set(*option, option_value);
    }
  }

  void set(const Option& option, JsonView value) {
    const bool as_text = value.is_string();
    const bool as_number = value.is_number() && is_number(option.kind);
    const bool as_flag = value.is_boolean() && option.kind == OptionKind::Flag;
    if (!as_text && !as_number && !as_flag) {
      return problem(place(value),
                     std::string(option.name) + ": a " + std::string(name_of(value.kind())) +
                         " does not fit, it is " + show_range(option),
                     {});
    }
    const auto read = read_value(option, as_text ? value.string() : std::string(value.text()));
    if (!read) return problem(place(value), read.error().message, read.error().hint);
    option.set(into_.configuration, *read);
    const JsonPosition at = position_of(text_, place(value));
    into_.origins[std::string(option.name)] =
        path_ + ":" + std::to_string(at.line) + ":" + std::to_string(at.column);
  }

  std::size_t place(JsonView node) const { return offsets_.at(node.index()); }
  void problem(std::size_t offset, const std::string& what, std::string hint) {
    const JsonPosition at = position_of(text_, offset);
    into_.problems.push_back(
        {ErrorCode::InvalidArgument,
         path_ + ":" + std::to_string(at.line) + ":" + std::to_string(at.column) + ": " + what,
         std::move(hint)});
  }

  const std::string path_, text_;
  Loaded& into_;
  std::vector<std::uint32_t> offsets_;
};

void read_file(const Sources& sources, Loaded& into) {
  const bool asked = !sources.file.empty();
  const std::string path = asked ? sources.file : (fs::path(sources.home) / "millrace.json").string();
  std::error_code error;
  if (!asked && !fs::exists(path, error)) return;
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  if (!in || fs::is_directory(path, error)) {
    into.problems.push_back({ErrorCode::InvalidArgument, "can't read the configuration " + path,
                             asked ? "--config names a file" : "check its permissions"});
    return;
  }
  into.file = path;
  FileReader(path, text.str(), into).read();
}

// Names that begin with a section are meant for us; MILLRACE_HOME and the like are somebody else's.
void read_environment(const Sources& sources, Loaded& into) {
  for (const auto& [name, value] : sources.environment) {
    if (!name.starts_with("MILLRACE_")) continue;
    const auto option = std::find_if(options().begin(), options().end(),
                                     [&](const Option& o) { return environment_name(o) == name; });
    if (option == options().end()) {
      const bool ours = std::any_of(options().begin(), options().end(), [&](const Option& o) {
        std::string prefix = environment_name(o).substr(0, 9 + section_of(o).size() + 1);
        return name.starts_with(prefix);
      });
      if (!ours) continue;
      std::vector<std::string> all;
      for (const Option& o : options()) all.push_back(environment_name(o));
      const std::string near = definitions::nearest(name, {all.begin(), all.end()});
      into.problems.push_back(
          {ErrorCode::InvalidArgument, "environment: unknown option " + name,
           near.empty() ? "`millrace config show` lists all options" : "did you mean " + near + "?"});
      continue;
    }
    const auto read = read_value(*option, value);
    if (!read) {
      into.problems.push_back({ErrorCode::InvalidArgument,
                               "environment " + name + ": " + read.error().message, read.error().hint});
      continue;
    }
    option->set(into.configuration, *read);
    into.origins[std::string(option->name)] = "environment " + name;
  }
}

void read_flags(const Sources& sources, Loaded& into) {
  for (const auto& [name, text] : sources.flags) {
    const Option* option = find_option(name);
    if (!option) {
      into.problems.push_back({ErrorCode::InvalidArgument, "unknown option '" + name + "'", hint_for(name)});
      continue;
    }
    const auto read = read_value(*option, text);
    if (!read) {
      into.problems.push_back(read.error());
      continue;
    }
    option->set(into.configuration, *read);
    into.origins[name] = "command line";
  }
}

// What no single option can say.
void check_together(Loaded& into) {
  if (const auto address = http::parse_address(into.configuration.listen); !address) {
    Error error = address.error();
    error.message = "server.listen: " + error.message;
    into.problems.push_back(std::move(error));
  }
  Configuration& c = into.configuration;
  c.engine.role_arn = "arn:aws:iam::" + c.engine.account + ":role/millrace";
  c.tasks.place = {c.engine.region, c.engine.account};
  c.tasks.functions = c.functions;
}

}  // namespace

const Option* find_option(std::string_view name) {
  const auto all = options();
  const auto found = std::find_if(all.begin(), all.end(), [&](const Option& o) { return o.name == name; });
  return found == all.end() ? nullptr : &*found;
}

std::string_view section_of(const Option& option) {
  return option.name.substr(0, option.name.find('.'));
}

std::string environment_name(const Option& option) {
  std::string name = "MILLRACE_";
  for (const char c : option.name)
    name += c == '.' ? '_' : static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
  return name;
}

std::string show_value(const Option& option, const OptionValue& value) {
  switch (option.kind) {
    case OptionKind::Text:
    case OptionKind::Choice:
      return value.text;
    case OptionKind::Flag:
      return value.number != 0 ? "true" : "false";
    case OptionKind::Integer:
    case OptionKind::Bytes:
    case OptionKind::Duration:
      return in_unit(value.number, option.kind);
  }
  return {};
}

std::string show_range(const Option& option) {
  switch (option.kind) {
    case OptionKind::Text:
      return "text";
    case OptionKind::Choice: {
      std::string list;
      for (const std::string_view choice : split(option.choices, '|'))
        list.append(list.empty() ? "" : ", ").append(choice);
      return list;
    }
    case OptionKind::Flag:
      return "true, false";
    case OptionKind::Integer:
    case OptionKind::Bytes:
    case OptionKind::Duration: {
      std::string range = in_unit(option.min, option.kind) + " … " + in_unit(option.max, option.kind);
      return option.unit.empty() ? range : range + " " + std::string(option.unit);
    }
  }
  return {};
}

Result<OptionValue> read_value(const Option& option, std::string_view text) {
  if (option.kind == OptionKind::Text) {
    const auto length = static_cast<std::int64_t>(text.size());
    if (length < option.min || length > option.max)
      return wrong_value(
          option, text,
          "must have " + std::to_string(option.min) + " to " + std::to_string(option.max) + " bytes");
    return OptionValue{0, std::string(text)};
  }
  if (option.kind == OptionKind::Choice) {
    const auto choices = split(option.choices, '|');
    if (std::find(choices.begin(), choices.end(), text) == choices.end())
      return wrong_value(option, text, "is none of " + show_range(option));
    return OptionValue{0, std::string(text)};
  }
  if (option.kind == OptionKind::Flag) {
    if (text == "true" || text == "1") return OptionValue{1};
    if (text == "false" || text == "0") return OptionValue{0};
    return wrong_value(option, text, "is neither true nor false");
  }
  const auto number = parse_number(text, option.kind);
  if (!number) {
    return wrong_value(option, text,
                       option.kind == OptionKind::Bytes ? "is no size: write 65536 or 64 KiB, MiB, GiB"
                       : option.kind == OptionKind::Duration
                           ? "is no time: write 1500 (ms) or 1.5 s, min, h, d"
                           : "is no whole number");
  }
  if (*number < option.min || *number > option.max)
    return wrong_value(option, text, "is outside " + show_range(option));
  return OptionValue{*number};
}

std::string without_comments(std::string_view text) {
  std::string out(text);
  const auto blank = [&](std::size_t from, std::size_t to) {
    for (std::size_t i = from; i < to; ++i) {
      if (out[i] != '\n') out[i] = ' ';
    }
  };
  std::size_t comma = std::string::npos;  // the last thing was this comma
  for (std::size_t i = 0; i < out.size(); ++i) {
    const char c = out[i];
    if (c == '"') {
      for (++i; i < out.size() && out[i] != '"'; ++i) {
        if (out[i] == '\\') ++i;
      }
      comma = std::string::npos;
    } else if (c == '/' && i + 1 < out.size() && (out[i + 1] == '/' || out[i + 1] == '*')) {
      const bool line = out[i + 1] == '/';
      const std::size_t end = line ? out.find('\n', i) : out.find("*/", i + 2);
      // A comment without an end stays, and is an error where it begins.
      if (!line && end == std::string::npos) return out;
      const std::size_t behind = end == std::string::npos ? out.size() : line ? end : end + 2;
      blank(i, behind);
      i = behind - 1;
    } else if (c == ',') {
      comma = i;
    } else if (c == '}' || c == ']') {
      if (comma != std::string::npos) out[comma] = ' ';
      comma = std::string::npos;
    } else if (c != ' ' && c != '\n' && c != '\t' && c != '\r') {
      comma = std::string::npos;
    }
  }
  return out;
}

Loaded load(const Sources& sources) {
  Loaded loaded;
  read_file(sources, loaded);
  read_environment(sources, loaded);
  read_flags(sources, loaded);
  check_together(loaded);
  return loaded;
}

Result<Configuration> load_checked(const Sources& sources) {
  Loaded loaded = load(sources);
  if (loaded.problems.empty()) return std::move(loaded.configuration);
  Error first = loaded.problems.front();
  if (loaded.problems.size() > 1)
    first.hint += (first.hint.empty() ? "" : "; ") + std::to_string(loaded.problems.size() - 1) +
                  " more: `millrace config check` lists all";
  return fail(std::move(first));
}

std::vector<std::pair<std::string, std::string>> process_environment() {
  std::vector<std::pair<std::string, std::string>> all;
  for (char** entry = environ; *entry; ++entry) {
    const std::string_view text(*entry);
    const std::size_t at = text.find('=');
    if (text.starts_with("MILLRACE_") && at != std::string_view::npos)
      all.emplace_back(std::string(text.substr(0, at)), std::string(text.substr(at + 1)));
  }
  std::sort(all.begin(), all.end());
  return all;
}

std::string options_as_markdown() {
  const Configuration defaults;
  std::string out = "| option | default | values | meaning |\n|---|---|---|---|\n";
  const auto cell = [&](const std::string& text) {
    for (const char c : text) out.append(c == '|' ? "\\|" : std::string(1, c));
    out += " | ";
  };
  for (const Option& option : options()) {
    out += "| ";
    cell("`" + std::string(option.name) + "`" +
         (option.flag.empty() ? "" : " `--" + std::string(option.flag) + "`"));
    const std::string value = show_value(option, option.get(defaults));
    cell(value.empty() ? "" : "`" + value + "`");
    cell(show_range(option));
    out += option.help;
    out += " |\n";
  }
  return out;
}

}  // namespace millrace::service
