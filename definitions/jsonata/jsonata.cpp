#include "definitions/jsonata/jsonata.h"

#include <utility>

#include "base/utf8.h"
#include "definitions/jsonata/evaluation.h"
#include "definitions/jsonata/messages.h"
#include "definitions/jsonata/parser.h"

namespace millrace::definitions {

using namespace jsonata;

std::uint32_t Jsonata::Compiled::number_of(std::string_view name) {
  const auto [at, added] = name_numbers.emplace(name, static_cast<std::uint32_t>(names.size()));
  if (added) names.push_back({name, false});
  return at->second;
}

int Jsonata::Compiled::position_of(std::size_t byte) const {
  int units = 0;
  for (std::size_t i = 0; i < byte && i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if ((c & 0xC0) != 0x80) units += c >= 0xF0 ? 2 : 1;
  }
  return units;
}

namespace {

JsonataError told(const Jsonata::Compiled& compiled, const SyntaxError& error) {
  JsonataError out;
  out.code = error.code;
  out.position = compiled.position_of(error.position);
  out.token = error.token;
  out.value = error.value;
  MessageParts parts{.token = error.token, .value = error.value};
  parts.token_literal = error.literal;
  if (error.code == "U1001") parts.raw = "Stack overflow error";
  out.message = message_of(error.code, parts);
  return out;
}

// Beyond some pictures, and long ones, the rest is read when it is used.
void read_pictures(Jsonata::Compiled& compiled) {
  constexpr std::size_t kBytesMax = 1'000;  // of a picture
  std::size_t room = KnownPictures<DateReader>::kMost;
  for (const Node& node : compiled.nodes) {
    if (node.kind != NodeKind::Call || node.a->kind != NodeKind::Variable) continue;
    const std::string_view name = node.a->text;
    const bool reads = name == "toMillis";
    if (!reads && name != "fromMillis" && name != "now") continue;
    for (const Node* argument : node.items) {
      if (argument->kind != NodeKind::String || argument->text.size() > kBytesMax || room == 0) continue;
      --room;
      if (reads) {
        compiled.readers.add(argument->text, date_reader);
      } else {
        compiled.pictures.add(argument->text, date_picture);
      }
    }
  }
}

}  // namespace

tl::expected<Jsonata, JsonataError> Jsonata::compile(std::string_view text, JsonataDialect dialect) {
  auto compiled = std::make_shared<Compiled>();
  compiled->text = std::string(text);
  compiled->dialect = dialect;
  compiled->number_of("");
  auto tree = parse(*compiled);
  if (tree) tree = resolve(*compiled, *tree);
  if (!tree) return tl::unexpected(told(*compiled, tree.error()));
  compiled->root = *tree;
  if (auto checked = check_references(*compiled); !checked)
    return tl::unexpected(told(*compiled, checked.error()));
  read_pictures(*compiled);
  Jsonata made;
  made.compiled_ = std::move(compiled);
  return made;
}

JsonataResult Jsonata::evaluate(JsonView input, const std::vector<Binding>& bindings,
                                const Environment& environment) const {
  return Evaluation(*compiled_, input, bindings, environment).run();
}

const std::string& Jsonata::text() const {
  return compiled_->text;
}

const std::vector<std::string>& Jsonata::functions() const {
  return compiled_->functions;
}

const std::vector<JsonataReference>& Jsonata::references() const {
  return compiled_->references;
}

}  // namespace millrace::definitions
