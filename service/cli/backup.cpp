// `millrace backup` and `millrace restore`.

#include <CLI/CLI.hpp>
#include <cstdio>

#include "base/clock.h"
#include "service/cli/command.h"
#include "service/home.h"
#include "service/ops/backup.h"

namespace millrace::cli {
namespace {

void tell(const service::Manifest& manifest, const std::string& what, const std::string& where,
          const Shared& shared) {
  if (!shared.json) {
    print_line(what + " " + where + ": " + std::to_string(manifest.files.size()) + " files, " +
               std::to_string(manifest.bytes()) + " bytes, of " + format_rfc3339(manifest.created));
    return;
  }
  JsonWriter out;
  out.begin_object().key("path").string(where).key("files").number(
      static_cast<std::int64_t>(manifest.files.size()));
  out.key("bytes").number(static_cast<std::int64_t>(manifest.bytes()));
  out.key("created").string(format_rfc3339(manifest.created)).end_object();
  print_line(out.finish().text());
}

int finish(const Result<service::Manifest>& done, const std::string& what, const std::string& where,
           const Shared& shared) {
  if (!done) return report(done.error(), shared);
  tell(*done, what, where, shared);
  return kSucceeded;
}

}  // namespace

void add_backup(CLI::App& app, const Shared& shared, int& exit_code) {
  struct Options {
    std::string target;
    bool hard_links = false;
  };
  CLI::App* command = app.add_subcommand("backup", "Copy a home while its server runs");
  command->fallthrough();
  auto options = std::make_shared<Options>();
  command->add_option("DIR", options->target, "a new directory")->required();
  command->add_flag(
      "--hard-links", options->hard_links,
      "link objects instead of copying them: on the same file system, where nobody changes objects in "
      "place");
  command->footer(
      "Every execution that was acknowledged before it begins is in it. Logs are not.\n"
      "Example:\n"
      "  millrace backup /backups/$(date +%F)");
  command->callback([options, &shared, &exit_code] {
    const SystemClock clock;
    exit_code = finish(service::back_up(service::home_path(shared.home), options->target, clock.now(),
                                        {options->hard_links}),
                       "backed up to", options->target, shared);
  });
}

void add_restore(CLI::App& app, const Shared& shared, int& exit_code) {
  CLI::App* command = app.add_subcommand("restore", "Make a new home from a backup");
  command->fallthrough();
  auto source = std::make_shared<std::string>();
  auto verify = std::make_shared<bool>(false);
  command->add_option("DIR", *source, "the backup")->required();
  command->add_flag("--verify", *verify, "only read the backup and compare all checksums");
  command->footer(
      "Example:\n"
      "  millrace restore /backups/2026-11-21 --home /var/lib/millrace");
  command->callback([source, verify, &shared, &exit_code] {
    if (*verify) {
      exit_code = finish(service::verify_backup(*source), "verified", *source, shared);
      return;
    }
    const std::string home = service::home_path(shared.home);
    exit_code = finish(service::restore(*source, home), "restored", home, shared);
  });
}

}  // namespace millrace::cli
