// `millrace keys`: the access keys of a home: who may call `millrace serve`, and what each may do. Works
// beside a server: it reads the keys again when they change.

#include <CLI/CLI.hpp>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "base/clock.h"
#include "service/auth/keys.h"
#include "service/cli/command.h"
#include "service/cli/print.h"
#include "service/home.h"

namespace millrace::cli {
namespace {

struct KeyOptions {
  std::string which, policy;
  bool remove = false;
};

// A policy as it is kept: the text of a file, '-', or JSON in place.
Result<std::string> policy_text(const std::string& argument) {
  MR_TRY(document, read_json(argument));
  return std::string(document.text());
}

Result<int> make_key(const KeyOptions& options, const std::string& home, const Shared& shared) {
  std::string policy;
  if (!options.policy.empty()) {
    MR_TRY(text, policy_text(options.policy));
    policy = std::move(text);
  }
  MR_TRY(key, auth::create_key(home, options.which, policy, SystemClock().now()));
  if (shared.json) {
    print_json(Json{{"UserName", key.name}, {"AccessKeyId", key.id}, {"SecretAccessKey", key.secret}});
    return kSucceeded;
  }
  print_line("export AWS_ACCESS_KEY_ID=" + key.id);
  print_line("export AWS_SECRET_ACCESS_KEY=" + key.secret);
  std::fprintf(stderr, "made the key of %s; its secret is not shown again\n", key.name.c_str());
  return kSucceeded;
}

Result<int> list_keys(const std::string& home, const Shared& shared) {
  MR_TRY(keys, auth::load_keys(home));
  Json rows = Json::array();
  for (const auth::Key& key : keys) {
    const std::string created = format_rfc3339(key.created);
    if (shared.json) {
      rows.push_back({{"UserName", key.name}, {"AccessKeyId", key.id}, {"CreateDate", created}});
      rows.back()["Policy"] = key.policy.empty() ? Json() : to_json(Payload::literal(key.policy).view());
    } else {
      std::printf("%-24s %s  %s  %s\n", key.name.c_str(), key.id.c_str(), created.c_str(),
                  key.policy.empty() ? "everything" : "as its policy says");
    }
  }
  if (shared.json)
    print_json(Json{{"Keys", std::move(rows)}});
  else if (keys.empty())
    std::fprintf(stderr, "there are no keys in %s: `millrace keys create NAME` makes one\n", home.c_str());
  return kSucceeded;
}

Result<int> remove_key(const KeyOptions& options, const std::string& home) {
  MR_DO(auth::delete_key(home, options.which));
  MR_TRY(keys, auth::load_keys(home));
  if (keys.empty())
    std::fprintf(stderr,
                 "that was the last key: a server that runs lets nobody in from now on; one that is started "
                 "anew asks for none, and listens on loopback alone\n");
  return kSucceeded;
}

Result<int> key_policy(const KeyOptions& options, const std::string& home) {
  if (options.remove || !options.policy.empty()) {
    std::string text;
    if (!options.remove) {
      MR_TRY(given, policy_text(options.policy));
      text = std::move(given);
    }
    MR_DO(auth::set_key_policy(home, options.which, text));
    return kSucceeded;
  }
  MR_TRY(keys, auth::load_keys(home));
  const auth::Key* key = auth::find_key(keys, options.which);
  if (!key) return fail(ErrorCode::NotFound, "there is no key '" + options.which + "'");
  if (key->policy.empty())
    std::fprintf(stderr, "%s has no policy: everything is allowed\n", key->name.c_str());
  else
    print_line(pretty(Payload::literal(key->policy).view()));
  return kSucceeded;
}

}  // namespace

void add_keys(CLI::App& app, const Shared& shared, int& exit_code) {
  CLI::App* command = app.add_subcommand("keys", "Make, show and delete the access keys of `millrace serve`");
  command->fallthrough();
  command->require_subcommand(1);
  auto options = std::make_shared<KeyOptions>();
  const auto add = [&](const char* name, const char* words, auto action) {
    CLI::App* sub = command->add_subcommand(name, words);
    sub->fallthrough();
    sub->callback([options, &shared, &exit_code, action] {
      const Result<int> code = action(*options, service::home_path(shared.home));
      exit_code = code ? *code : report(code.error(), shared);
    });
    return sub;
  };
  CLI::App* creating = add("create", "Make a key, and show its secret, this once",
                           [&shared](const auto& o, const auto& home) { return make_key(o, home, shared); });
  creating->add_option("NAME", options->which, "whose it is: a user's or a program's name")->required();
  creating->add_option("--policy", options->policy, "what it may do: a file, '-' or JSON; else everything");
  add("list", "Show the keys, without their secrets",
      [&shared](const auto&, const auto& home) { return list_keys(home, shared); });
  CLI::App* deleting =
      add("delete", "Delete a key", [](const auto& o, const auto& home) { return remove_key(o, home); });
  deleting->add_option("NAME", options->which, "the key's name or id")->required();
  CLI::App* deciding = add("policy", "Show or set what a key may do",
                           [](const auto& o, const auto& home) { return key_policy(o, home); });
  deciding->add_option("NAME", options->which, "the key's name or id")->required();
  CLI::Option* file =
      deciding->add_option("POLICY", options->policy, "a file, '-' or JSON; without it: show");
  deciding->add_flag("--remove", options->remove, "no policy: everything is allowed")->excludes(file);
  command->footer(
      "Examples:\n"
      "  eval \"$(millrace keys create ada)\"\n"
      "  millrace keys policy ada '{\"Version\": \"2012-10-17\", \"Statement\": [{\"Effect\": \"Allow\",\n"
      "      \"Action\": \"states:*\", \"Resource\": \"*\"}]}'");
}

}  // namespace millrace::cli
