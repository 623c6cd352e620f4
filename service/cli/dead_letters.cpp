// `millrace dead-letters`: what topics could not deliver for good. Works beside a process that has the home
// open.

#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "service/cli/command.h"
#include "service/home.h"
#include "tasks/integrations/sns/topics.h"

namespace millrace::cli {
namespace {

struct DeadLetterOptions {
  std::string topic;
  std::size_t limit = 100;
};

constexpr std::size_t kMessageShown = 120;  // characters, about

std::string part(const Json& object, const char* name) {
  const auto found = object.find(name);
  if (found == object.end() || found->is_null()) return {};
  return found->is_string() ? found->get<std::string>() : found->dump();
}

void print_letter(const Json& letter) {
  const Json message = letter.value("Message", Json::object());
  std::string text = part(message, "Message");
  if (text.size() > kMessageShown) {
    std::size_t end = kMessageShown;
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
    text = text.substr(0, end) + "…";
  }
  print_line(part(letter, "Time") + "  " + part(message, "TopicArn") + " → " + part(letter, "Protocol") +
             " " + part(letter, "Endpoint"));
  print_line("  after " + part(letter, "Attempts") + " attempts: " + part(letter, "Reason"));
  print_line("  message " + part(message, "MessageId") + ": " + text);
}

Result<int> show_dead_letters(const DeadLetterOptions& options, const Shared& shared) {
  const std::string home = service::home_path(shared.home);
  std::error_code error;
  if (!std::filesystem::exists(home, error))
    return fail(ErrorCode::NotFound, "there is no home directory at " + home,
                "name it with --home or MILLRACE_HOME");
  // Of an ARN its name.
  const std::string topic = options.topic.substr(options.topic.rfind(':') + 1);
  MR_TRY(letters, tasks::Topics::dead_letters(home + "/topics.db", topic, options.limit));
  for (const Json& letter : letters) {
    if (shared.json)
      print_json(letter);
    else
      print_letter(letter);
  }
  std::fflush(stdout);
  if (letters.empty() && !shared.json)
    std::fprintf(stderr, "there are no dead letters%s%s\n", topic.empty() ? "" : " of ", topic.c_str());
  if (letters.size() == options.limit)
    std::fprintf(stderr, "there may be more than %zu: see --limit\n", options.limit);
  return kSucceeded;
}

}  // namespace

void add_dead_letters(CLI::App& app, const Shared& shared, int& exit_code) {
  CLI::App* command = app.add_subcommand("dead-letters", "Show what topics could not deliver for good");
  command->fallthrough();
  auto options = std::make_shared<DeadLetterOptions>();
  command->add_option("TOPIC", options->topic, "a topic's name or ARN; without it those of all topics");
  command->add_option("--limit", options->limit, "at most so many, the newest first")->capture_default_str();
  command->footer(
      "Of a home on this machine, also while a server has it open. With --json a document a line.\n"
      "Examples:\n"
      "  millrace dead-letters alerts\n"
      "  millrace dead-letters --json | jq -r .Reason");
  command->callback([options, &shared, &exit_code] {
    const auto code = show_dead_letters(*options, shared);
    exit_code = code ? *code : report(code.error(), shared);
  });
}

}  // namespace millrace::cli
