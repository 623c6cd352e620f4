// `millrace validate` and `millrace graph`: a definition without running it.

#include <CLI/CLI.hpp>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>

#include "definitions/compile.h"
#include "service/cli/command.h"
#include "service/cli/render_graph.h"

namespace millrace::cli {
namespace {

Json diagnostic_json(const definitions::Diagnostic& d) {
  Json json = {{"severity", d.severity == definitions::Severity::Error ? "ERROR" : "WARNING"},
               {"code", d.code},
               {"message", d.message},
               {"location", d.pointer},
               {"line", d.position.line},
               {"column", d.position.column}};
  if (!d.hint.empty()) json["hint"] = d.hint;
  return json;
}

int validate(const std::vector<std::string>& files, const Shared& shared) {
  const bool as_json = shared.json;
  int exit_code = kSucceeded;
  Json answers = Json::array();
  for (const std::string& file : files) {
    const auto text = read_input(file);
    if (!text) {
      exit_code = report(text.error(), shared);
      if (as_json)
        answers.push_back({{"file", file}, {"result", "UNREADABLE"}, {"diagnostics", Json::array()}});
      continue;
    }
    const definitions::Compiled compiled = definitions::compile(*text);
    if (!compiled.program) exit_code = kBadInput;
    Json diagnostics = Json::array();
    for (const definitions::Diagnostic& d : compiled.diagnostics) {
      if (as_json)
        diagnostics.push_back(diagnostic_json(d));
      else
        std::fputs(definitions::render(d, file, *text).c_str(), stderr);
    }
    if (as_json)
      answers.push_back({{"file", file},
                         {"result", compiled.program ? "OK" : "FAIL"},
                         {"diagnostics", std::move(diagnostics)}});
    else if (compiled.program)
      std::printf("%s: valid, %zu states\n", file.c_str(), compiled.program->nodes.size());
  }
  if (as_json) print_json(answers);
  return exit_code;
}

Status draw(const std::string& file, const std::string& format_or_file) {
  MR_TRY(text, read_input(file));
  const definitions::Compiled compiled = definitions::compile(text);
  if (!compiled.program) {
    for (const definitions::Diagnostic& d : compiled.diagnostics)
      std::fputs(definitions::render(d, file, text).c_str(), stderr);
    return invalid(file + " does not compile", "the messages above say where and what to do");
  }
  // "svg" writes to stdout; "picture.svg" to that file.
  const std::size_t dot = format_or_file.rfind('.');
  const auto format =
      graph_format(dot == std::string::npos ? format_or_file : format_or_file.substr(dot + 1));
  if (!format)
    return invalid("'" + format_or_file + "' is no picture format",
                   "use svg, dot or mermaid, or a file that ends so");
  const std::string picture = render_graph(*compiled.program, *format);
  if (dot == std::string::npos) {
    print_line(picture);
    return {};
  }
  std::ofstream out(format_or_file, std::ios::binary);
  if (!(out << picture) || !out.flush())
    return invalid("can't write " + format_or_file, "check the path and the disk");
  return {};
}

}  // namespace

void add_validate(CLI::App& app, const Shared& shared, int& exit_code) {
  CLI::App* command =
      app.add_subcommand("validate", "Check definitions: all mistakes at once, with place and remedy");
  command->fallthrough();
  auto files = std::make_shared<std::vector<std::string>>();
  command->add_option("FILE", *files, "definitions; '-' is standard input")->required();
  command->footer("Example:\n  millrace validate examples/*/definition.json");
  command->callback([files, &shared, &exit_code] { exit_code = validate(*files, shared); });
}

void add_graph(CLI::App& app, const Shared& shared, int& exit_code) {
  CLI::App* command = app.add_subcommand("graph", "Draw a definition");
  command->fallthrough();
  auto file = std::make_shared<std::string>();
  auto output = std::make_shared<std::string>("svg");
  command->add_option("FILE", *file, "the definition")->required();
  command
      ->add_option("-o,--output", *output,
                   "svg, dot or mermaid (to stdout), or a file that ends in one of them")
      ->capture_default_str();
  command->footer(
      "Examples:\n  millrace graph fraud.json -o fraud.svg\n  millrace graph fraud.json -o mermaid");
  command->callback([file, output, &shared, &exit_code] {
    const auto drawn = draw(*file, *output);
    if (!drawn) exit_code = report(drawn.error(), shared);
  });
}

}  // namespace millrace::cli
