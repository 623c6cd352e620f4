#include <algorithm>

#include "definitions/intrinsics/call.h"

namespace millrace::definitions {

struct IntrinsicCall::Compiled {
  intrinsics::Call call;
};

namespace intrinsics {
namespace {

class Reader {
 public:
  Reader(std::string_view text, const Limits& limits) : text_(text), limits_(limits) {}

  Result<Call> whole() {
    skip_blanks();
    MR_TRY(call, read_call(1));
    skip_blanks();
    if (at_ != text_.size()) return wrong("unexpected text behind the call");
    return call;
  }

 private:
  tl::unexpected<Error> wrong(std::string_view what) const {
    return invalid(std::string(what) + " at column " + std::to_string(at_ + 1) + " of '" +
                   std::string(text_) + "'");
  }
  bool next_is(char c) const { return at_ < text_.size() && text_[at_] == c; }
  void skip_blanks() {
    while (at_ < text_.size() &&
           (text_[at_] == ' ' || text_[at_] == '\t' || text_[at_] == '\n' || text_[at_] == '\r'))
      ++at_;
  }

  Result<Call> read_call(int depth) {
    if (depth > limits_.intrinsic_nesting_max) {
      return wrong("intrinsic functions are nested deeper than " +
                   std::to_string(limits_.intrinsic_nesting_max) + " levels");
    }
    if (text_.substr(at_, 7) != "States.") return wrong("expected an intrinsic function (States.…)");
    at_ += 7;
    const std::size_t start = at_;
    while (at_ < text_.size() && (((text_[at_] | 0x20) >= 'a' && (text_[at_] | 0x20) <= 'z') ||
                                  (text_[at_] >= '0' && text_[at_] <= '9')))
      ++at_;
    const std::string_view name = text_.substr(start, at_ - start);
    Call call;
    for (const Function& function : functions()) {
      if (function.name == name) call.function = &function;
    }
    if (!call.function) return wrong("no intrinsic function is called 'States." + std::string(name) + "'");
    skip_blanks();
    if (!next_is('(')) return wrong("expected '('");
    ++at_;
    skip_blanks();
    while (!next_is(')')) {
      MR_TRY(argument, read_argument(depth));
      call.arguments.push_back(std::move(argument));
      skip_blanks();
      if (next_is(',')) {
        ++at_;
        skip_blanks();
        if (next_is(')')) return wrong("expected an argument");
      } else if (!next_is(')')) {
        return wrong("expected ',' or ')'");
      }
    }
    ++at_;
    const std::size_t n = call.arguments.size();
    if (n < call.function->arguments_min || n > call.function->arguments_max) {
      return wrong("States." + std::string(name) + " does not take " + std::to_string(n) + " arguments");
    }
    return call;
  }

  Result<Argument> read_argument(int depth) {
    if (at_ == text_.size()) return wrong("expected an argument");
    if (next_is('\'')) {
      MR_TRY(characters, read_string());
      return Argument(Payload::string(characters));
    }
    if (next_is('$')) {
      const std::string_view path_text = text_.substr(at_, path_length());
      MR_TRY(path, Path::parse(path_text));
      if (!path.unknown_function().empty())
        return wrong("no function is called '" + path.unknown_function() + "'");
      at_ += path_text.size();
      return Argument(std::move(path));
    }
    if (text_.substr(at_, 7) == "States.") {
      MR_TRY(call, read_call(depth + 1));
      return Argument(std::make_shared<const Call>(std::move(call)));
    }
    const std::size_t start = at_;
    while (at_ < text_.size() && text_[at_] != ',' && text_[at_] != ')' && text_[at_] != ' ') ++at_;
    auto literal = Payload::parse(text_.substr(start, at_ - start));
    if (!literal || literal->view().is_array() || literal->view().is_object() ||
        literal->view().is_string()) {
      at_ = start;
      return wrong("expected a string in apostrophes, a number, null, true, false, a path or a function");
    }
    return Argument(std::move(*literal));
  }

  // A path ends at a comma, blank or closing parenthesis outside of its own brackets and quotes.
  std::size_t path_length() const {
    int open = 0;
    char quote = 0;
    for (std::size_t i = at_; i < text_.size(); ++i) {
      const char c = text_[i];
      if (quote) {
        if (c == '\\')
          ++i;
        else if (c == quote)
          quote = 0;
        continue;
      }
      if (open > 0 && (c == '\'' || c == '"')) quote = c;
      if (c == '[' || c == '(') ++open;
      if (c == ']') --open;
      if (c == ')' && open-- == 0) return i - at_;
      if (open == 0 && (c == ',' || c == ' ')) return i - at_;
    }
    return text_.size() - at_;
  }

  // 'text' with \' \\ \{ \} ; the escapes of braces stay for States.Format to read.
  Result<std::string> read_string() {
    ++at_;
    std::string out;
    while (at_ < text_.size() && text_[at_] != '\'') {
      if (text_[at_] == '\\') {
        const char next = at_ + 1 < text_.size() ? text_[at_ + 1] : 0;
        if (next == '{' || next == '}' || next == '\\')
          out += '\\';
        else if (next != '\'')
          return wrong("an escape that strings do not know: use \\', \\\\, \\{ or \\}");
        ++at_;
      }
      out += text_[at_++];
    }
    if (at_ == text_.size()) return wrong("expected a closing apostrophe");
    ++at_;
    return out;
  }

  std::string_view text_;
  const Limits& limits_;
  std::size_t at_ = 0;
};

// Texts written in the call still have \{ \} \\ for Format; everybody else gets plain characters.
Payload plain(const Payload& literal) {
  if (!literal.view().is_string()) return literal;
  const std::string text = literal.view().string();
  if (text.find('\\') == std::string::npos) return literal;
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 1 < text.size()) ++i;
    out += text[i];
  }
  return Payload::string(out);
}

Outcome evaluate(const Call& call, const Scope& scope) {
  std::vector<Payload> values;
  values.reserve(call.arguments.size());
  for (std::size_t i = 0; i < call.arguments.size(); ++i) {
    const Argument& argument = call.arguments[i];
    if (const auto* literal = std::get_if<Payload>(&argument)) {
      const bool is_format_template = i == 0 && call.function->name == "Format";
      values.push_back(is_format_template ? *literal : plain(*literal));
      continue;
    }
    const auto* path = std::get_if<Path>(&argument);
    Outcome value =
        path ? path->evaluate(scope) : evaluate(*std::get<std::shared_ptr<const Call>>(argument), scope);
    if (!value) return value;
    values.push_back(std::move(*value));
  }
  return call.function->run(values, Evaluation{scope});
}

void variables(const Call& call, VariableNames& names) {
  for (const Argument& argument : call.arguments) {
    if (const auto* path = std::get_if<Path>(&argument)) {
      if (path->root() == Path::Root::Variable) names.insert(path->variable());
    } else if (const auto* inner = std::get_if<std::shared_ptr<const Call>>(&argument)) {
      variables(**inner, names);
    }
  }
}

}  // namespace
}  // namespace intrinsics

Result<IntrinsicCall> IntrinsicCall::parse(std::string_view source, const Limits& limits) {
  MR_TRY(call, intrinsics::Reader(source, limits).whole());
  IntrinsicCall made;
  made.source_ = std::string(source);
  made.compiled_ = std::make_shared<const Compiled>(Compiled{std::move(call)});
  return made;
}

void IntrinsicCall::variables(VariableNames& names) const {
  intrinsics::variables(compiled_->call, names);
}

Outcome IntrinsicCall::evaluate(const Scope& scope) const {
  return intrinsics::evaluate(compiled_->call, scope);
}

}  // namespace millrace::definitions
