// `millrace eval`: one expression on one document, or a stream of requests, one a line.

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <map>

#include "base/clock.h"
#include "service/cli/command.h"
#include "service/cli/eval_request.h"
#include "service/cli/print.h"
#include "service/home.h"

namespace millrace::cli {
namespace {

using definitions::JsonataDialect;

constexpr std::size_t kLineBytesMax = 64 * 1024 * 1024;

struct EvalOptions {
  std::string expression;
  std::string input;
  std::string bindings;
  std::string context;
  std::string language = "jsonata";
  std::string dialect = "jsonata";
  bool lines = false;
  bool raw = false;
};

struct Evaluator {
  Language language;
  JsonataDialect dialect;
  Limits limits = {};
  std::uint64_t seed = service::draw_seed();
  SystemClock clock = {};

  EvalAnswer operator()(const EvalRequest& request) {
    return evaluate(request, language, dialect, Environment{clock.now(), ++seed, &limits});
  }
};

Evaluator evaluator_of(const EvalOptions& options) {
  static const std::map<std::string, Language> kLanguages{
      {"jsonata", Language::Jsonata}, {"jsonpath", Language::JsonPath}, {"intrinsic", Language::Intrinsic}};
  return {kLanguages.at(options.language),
          options.dialect == "states" ? JsonataDialect::StatesLanguage : JsonataDialect::Jsonata};
}

// Lines of standard input as they come, however short the pieces.
class LineReader {
 public:
  struct Line {
    std::string text;
    bool too_long = false;  // `text` is cut
  };
  std::optional<Line> next() {
    Line line;
    for (;;) {
      const std::size_t end = buffer_.find('\n', at_);
      const std::string_view piece = std::string_view(buffer_).substr(at_, end - at_);  // npos: the rest
      const std::size_t room = kLineBytesMax - line.text.size();
      line.too_long = line.too_long || piece.size() > room;
      line.text.append(piece.substr(0, room));
      any_ = any_ || !piece.empty();
      if (end != std::string::npos) {
        at_ = end + 1;
        any_ = false;
        return line;
      }
      if (fill()) continue;
      if (!any_) return std::nullopt;
      any_ = false;
      return line;
    }
  }

 private:
  bool fill() {
    buffer_.resize(1 << 16);
    at_ = 0;
    ssize_t got = 0;
    do got = ::read(STDIN_FILENO, buffer_.data(), buffer_.size());
    while (got < 0 && errno == EINTR);
    buffer_.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    return got > 0;
  }

  std::string buffer_;
  std::size_t at_ = 0;
  bool any_ = false;  // something of a last line without its end
};

EvalAnswer bad_line(ErrorCode code, std::string message) {
  EvalAnswer answer;
  answer.kind = EvalAnswer::Kind::Error;
  answer.code = name_of(code);
  answer.message = std::move(message);
  return answer;
}

EvalAnswer answer_line(Evaluator& evaluator, const LineReader::Line& line) {
  if (line.too_long)
    return bad_line(ErrorCode::LimitExceeded,
                    "the line is longer than " + std::to_string(kLineBytesMax) + " bytes");
  const auto request = parse_eval_request(line.text);
  if (!request) return bad_line(request.error().code, request.error().message);
  return evaluator(*request);
}

int eval_lines(const EvalOptions& options) {
  Evaluator evaluator = evaluator_of(options);
  LineReader reader;
  while (const auto line = reader.next()) {
    print_line(answer_json(answer_line(evaluator, *line)).text());
    if (std::fflush(stdout) != 0) break;  // nobody reads any more; run_main says so
  }
  return kSucceeded;
}

// The document: --input, else standard input unless somebody types there or there is nothing.
Result<std::optional<Payload>> read_data(const EvalOptions& options) {
  if (!options.input.empty()) {
    MR_TRY(given, read_json(options.input));
    return given;
  }
  if (isatty(STDIN_FILENO)) return std::nullopt;
  MR_TRY(text, read_input("-"));
  if (text.find_first_not_of(" \t\r\n") == text.npos) return std::nullopt;
  auto parsed = Payload::parse(text);
  if (!parsed)
    return invalid(
        "standard input: " + parsed.error().message,
        "the data is one JSON document, from --input or standard input; for many requests use --lines");
  return *parsed;
}

Result<EvalRequest> read_request(const EvalOptions& options) {
  EvalRequest request;
  request.expression = options.expression;
  MR_TRY(data, read_data(options));
  request.data = std::move(data);
  const std::tuple<const char*, const std::string&, Payload*> objects[] = {
      {"--bindings", options.bindings, &request.bindings}, {"--context", options.context, &request.context}};
  for (const auto& [name, argument, field] : objects) {
    if (argument.empty()) continue;
    MR_TRY(given, read_json(argument));
    if (!given.view().is_object())
      return invalid(std::string(name) + " wants a JSON object", "{\"name\": value}");
    *field = std::move(given);
  }
  return request;
}

int eval_once(const EvalOptions& options, const Shared& shared) {
  const auto request = read_request(options);
  if (!request) return report(request.error(), shared);
  Evaluator evaluator = evaluator_of(options);
  const EvalAnswer answer = evaluator(*request);
  using Kind = EvalAnswer::Kind;
  const int exit_code = answer.kind == Kind::Result ? kSucceeded
                        : answer.refused            ? kBadInput
                                                    : kWorkflowFailed;
  if (shared.json) {
    print_line(answer_json(answer).text());
  } else if (answer.kind == Kind::Result) {
    print_line(options.raw && answer.result.view().is_string() ? answer.result.view().string()
                                                               : pretty(answer.result.view()));
  } else if (answer.kind == Kind::Error) {
    const std::string place =
        answer.position >= 0 ? " (position " + std::to_string(answer.position) + ")" : "";
    std::fprintf(stderr, "millrace: %s: %s%s\n", answer.code.c_str(), answer.message.c_str(), place.c_str());
  } else {
    std::fprintf(
        stderr, "millrace: no result: %s\n",
        answer.message.empty() ? "the expression is undefined on this data" : answer.message.c_str());
  }
  return exit_code;
}

}  // namespace

void add_eval(CLI::App& app, const Shared& shared, int& exit_code) {
  CLI::App* command =
      app.add_subcommand("eval", "Evaluate a JSONata expression, a JSONPath or an intrinsic function");
  command->fallthrough();
  auto options = std::make_shared<EvalOptions>();
  auto* expression = command->add_option("EXPR", options->expression, "the expression, without {% %}");
  command->add_option("-i,--input", options->input,
                      "the data: a file, or JSON in quotes; default: standard input, if there is any");
  command->add_option("-l,--language", options->language, "jsonata, jsonpath or intrinsic")
      ->check(CLI::IsMember({"jsonata", "jsonpath", "intrinsic"}))
      ->capture_default_str();
  command
      ->add_option("--dialect", options->dialect,
                   "states: only what Step Functions takes; jsonata: all of JSONata 2.2, and JSONPaths "
                   "without $ as its library takes them")
      ->check(CLI::IsMember({"jsonata", "states"}))
      ->capture_default_str();
  command->add_option("-b,--bindings", options->bindings, "variables: an object of values by name without $");
  command->add_option("--context", options->context,
                      "the context object, $$ of JSONPath and intrinsic functions");
  command->add_flag("-r,--raw-output", options->raw, "a string without its quotes");
  command->add_flag("--lines", options->lines, "answer requests on standard input, one a line")
      ->excludes(expression);
  command->footer(
      "Examples:\n"
      "  echo '{\"a\":[1,2,3]}' | millrace eval '$sum(a)'\n"
      "  millrace eval '$states.input.name & \"!\"' --dialect states -b "
      "'{\"states\":{\"input\":{\"name\":\"Ada\"}}}'\n"
      "  millrace eval '$.orders[?(@.total > 100)].id' -l jsonpath -i orders.json\n"
      "  millrace eval \"States.Format('{} of {}', $.n, $.of)\" -l intrinsic -i '{\"n\":1,\"of\":2}'\n"
      "  echo '{\"expr\":\"a+b\",\"data\":{\"a\":1,\"b\":2}}' | millrace eval --lines\n\n"
      "A line of --lines is {\"expr\":…,\"data\":…,\"bindings\":{…},\"context\":{…}}; its answer is one of\n"
      "{\"result\":…}, {\"undefined\":true}, {\"noMatch\":true}, "
      "{\"error\":{\"code\":…,\"message\":…,\"position\":…}}.\n"
      "Exit codes: 0 a result; 1 none, or the evaluation failed; 2 the expression or the data is wrong.");
  command->callback([options, expression, &shared, &exit_code] {
    if (!options->lines && expression->count() == 0) throw CLI::RequiredError("EXPR or --lines");
    exit_code = options->lines ? eval_lines(*options) : eval_once(*options, shared);
  });
}

}  // namespace millrace::cli
