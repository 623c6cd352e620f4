#include "service/cli/command.h"

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <nlohmann/json.hpp>

namespace millrace::cli {

int report(const Error& error, const Shared& shared) {
  if (shared.json) {
    Json json = {{"code", name_of(error.code)}, {"message", error.message}};
    if (!error.hint.empty()) json["hint"] = error.hint;
    const std::string line =
        Json{{"error", std::move(json)}}.dump(-1, ' ', false, Json::error_handler_t::replace);
    std::fprintf(stderr, "%s\n", line.c_str());
  } else {
    std::fprintf(stderr, "millrace: %s\n", error.message.c_str());
    if (!error.hint.empty()) std::fprintf(stderr, "  hint: %s\n", error.hint.c_str());
  }
  switch (error.code) {
    case ErrorCode::InvalidArgument:
    case ErrorCode::NotFound:
    case ErrorCode::AlreadyExists:
      return kBadInput;
    default:
      return kEnvironment;
  }
}

CLI::App* add_action(CLI::App& command, const char* name, const char* what, const Shared& shared,
                     int& exit_code, std::function<Result<int>()> run) {
  CLI::App* sub = command.add_subcommand(name, what);
  sub->fallthrough();
  sub->callback([&shared, &exit_code, run = std::move(run)] {
    const Result<int> code = run();
    exit_code = code ? *code : report(code.error(), shared);
  });
  return sub;
}

Result<std::string> read_input(const std::string& path) {
  if (path == "-") return std::string(std::istreambuf_iterator<char>(std::cin), {});
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) return invalid(path + ": is a directory", "name a file");
  std::ifstream in(path, std::ios::binary);
  if (!in) return invalid(path + ": " + std::strerror(errno), "check the path and that you may read it");
  std::string bytes(std::istreambuf_iterator<char>(in), {});
  if (in.bad()) return invalid(path + ": could not be read");
  return bytes;
}

Result<Payload> read_json(const std::string& argument) {
  const std::size_t first = argument.find_first_not_of(" \t\n");
  const bool in_place = first != std::string::npos &&
                        (argument[first] == '{' || argument[first] == '[' || argument[first] == '"');
  std::string text = argument;
  if (!in_place) {
    MR_TRY(bytes, read_input(argument));
    text = std::move(bytes);
  }
  auto parsed = Payload::parse(text);
  if (!parsed) {
    return invalid((in_place ? "the input: " : argument + ": ") + parsed.error().message,
                   "an input is a JSON document: a file, '-' for standard input, or JSON in quotes");
  }
  return *parsed;
}

void print_json(const Json& json) {
  print_line(json.dump(-1, ' ', false, Json::error_handler_t::replace));
}

void print_line(std::string_view line) {
  std::fwrite(line.data(), 1, line.size(), stdout);
  std::fputc('\n', stdout);
}

}  // namespace millrace::cli
