// `millrace vacuum`: the databases of a home that nobody uses, written anew without their free pages.

#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>

#include "base/sqlite.h"
#include "service/cli/command.h"
#include "service/home.h"
#include "service/ops/backup.h"

namespace millrace::cli {
namespace {

namespace fs = std::filesystem;

std::uint64_t size_with_log(const fs::path& file) {
  std::uint64_t all = 0;
  for (const char* suffix : {"", "-wal"}) {
    std::error_code error;
    const auto size = fs::file_size(file.string() + suffix, error);
    if (!error) all += size;
  }
  return all;
}

Status vacuum_one(const fs::path& file) {
  std::error_code error;
  const auto space = fs::space(file.parent_path(), error);
  const std::uint64_t size = size_with_log(file);
  if (!error && space.available < 2 * size)
    return fail(ErrorCode::OutOfSpace,
                file.string() + " is written anew beside itself, for which " + std::to_string(2 * size) +
                    " free bytes are needed; there are " + std::to_string(space.available),
                "free some space; nothing was changed");
  MR_TRY(database, Database::open(file.string()));
  // Homes of older versions could not give pages back while they are used: from now on they can.
  MR_DO(database.execute("PRAGMA auto_vacuum=INCREMENTAL; VACUUM"));
  return database.checkpoint();
}

Result<int> vacuum(const Shared& shared) {
  const fs::path home = service::home_path(shared.home);
  std::error_code error;
  if (!fs::exists(home / "millrace.db", error))
    return fail(ErrorCode::NotFound, "there is no home directory at " + home.string(),
                "name it with --home or MILLRACE_HOME");
  MR_TRY(lock, service::HomeLock::take(home.string()));
  JsonWriter out;
  out.begin_object();
  for (const char* name : service::kHomeDatabases) {
    if (!fs::exists(home / name, error)) continue;
    const std::uint64_t before = size_with_log(home / name);
    MR_DO(vacuum_one(home / name));
    const std::uint64_t after = size_with_log(home / name);
    const auto freed = static_cast<std::int64_t>(before) - static_cast<std::int64_t>(after);
    out.key(name).begin_object().key("bytes").number(static_cast<std::int64_t>(after));
    out.key("freed").number(freed).end_object();
    if (!shared.json)
      std::printf("%-12s %12llu bytes, %lld freed\n", name, static_cast<unsigned long long>(after),
                  static_cast<long long>(freed));
  }
  out.end_object();
  if (shared.json) print_line(out.finish().text());
  return kSucceeded;
}

}  // namespace

void add_vacuum(CLI::App& app, const Shared& shared, int& exit_code) {
  CLI::App* command =
      app.add_subcommand("vacuum", "Give the free pages of a home's databases back to the disk");
  command->fallthrough();
  command->footer(
      "For a home that no server uses. A server gives pages back by itself, a few at a time, after it has "
      "removed\n"
      "old executions (`millrace config explain retention.days`).");
  command->callback([&shared, &exit_code] {
    const auto code = vacuum(shared);
    exit_code = code ? *code : report(code.error(), shared);
  });
}

}  // namespace millrace::cli
