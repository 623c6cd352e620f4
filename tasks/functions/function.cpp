#include "tasks/functions/function.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "tasks/arguments.h"
#include "tasks/integrations/http/transfers.h"

namespace millrace::tasks {
namespace {

namespace fs = std::filesystem;

// What a folder may hold, in the order in which it is looked for.
struct Layout {
  const char* file;
  FunctionKind kind;
  const char* handler;
};
constexpr Layout kLayouts[] = {
    {"handler.py", FunctionKind::Python, "handler.handler"},
    {"lambda_function.py", FunctionKind::Python, "lambda_function.lambda_handler"},
    {"bootstrap", FunctionKind::Bootstrap, ""},
    {"index.mjs", FunctionKind::Node, "index.handler"},
    {"index.js", FunctionKind::Node, "index.handler"},
};
constexpr const char* kFields[] = {"handler",     "timeout", "memory_size", "concurrency",
                                   "environment", "runtime", "command",     "description",
                                   "url",         "headers", "connection"};
// What has a meaning for a process only.
constexpr const char* kProcessFields[] = {"handler", "memory_size", "environment", "runtime", "command"};

bool is_executable(const fs::path& file) {
  return ::access(file.c_str(), X_OK) == 0;
}

Result<Json> read_settings(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) return Json(Json::object());
  std::ostringstream text;
  text << in.rdbuf();
  const auto parsed = Payload::parse(text.str());
  if (!parsed) return invalid(file.string() + ": " + parsed.error().message);
  if (!parsed->view().is_object()) return invalid(file.string() + ": expected an object");
  Json settings = to_json(parsed->view());
  for (const auto& [key, value] : settings.items()) {
    if (std::none_of(std::begin(kFields), std::end(kFields), [&](const char* known) { return key == known; }))
      return invalid(file.string() + ": unknown field \"" + key + "\"",
                     "fields are handler, timeout, memory_size, concurrency, environment, runtime, command, "
                     "description, url, headers, connection");
  }
  return settings;
}

FunctionKind kind_of_runtime(const std::string& runtime, FunctionKind otherwise) {
  const std::string program = fs::path(runtime).filename().string();
  if (program.starts_with("python")) return FunctionKind::Python;
  if (program.starts_with("node")) return FunctionKind::Node;
  if (program.starts_with("provided")) return FunctionKind::Bootstrap;
  return otherwise;
}

// The program that runs a module: a path as it is; AWS's names for versions ("python3.12", "nodejs20.x") mean
// whichever version this machine has.
std::string program_for(FunctionKind kind, const std::string& runtime) {
  if (runtime.find('/') != std::string::npos) return runtime;
  return kind == FunctionKind::Python ? "python3" : "node";
}

Status set_handler(Function& function, const std::string& handler, const fs::path& settings) {
  const std::size_t dot = handler.rfind('.');
  if (dot == std::string::npos || dot == 0 || dot + 1 == handler.size())
    return invalid(settings.string() + ": handler \"" + handler + "\" is not module.function");
  function.module = handler.substr(0, dot);
  function.handler = handler.substr(dot + 1);
  return {};
}

// Numbers and names of function.json.
Status apply_limits(Function& function, const Arguments& settings) {
  MR_TRY(timeout, settings.real_or("timeout", 900));
  if (!(timeout > 0 && timeout <= 86'400))
    return settings.wrong("timeout", "expected seconds, 0 < timeout <= 86400");
  function.timeout = Millis(static_cast<std::int64_t>(timeout * 1000));
  MR_TRY(memory, settings.integer_or("memory_size", 0));
  if (memory < 0 || (memory > 0 && memory < 32))
    return settings.wrong("memory_size", "expected megabytes, at least 32, or 0 for no limit");
  function.memory_mb = static_cast<std::uint64_t>(memory);
  MR_TRY(concurrency, settings.integer_or("concurrency", 10));
  if (concurrency < 1 || concurrency > 1000) return settings.wrong("concurrency", "expected 1..1000");
  function.concurrency = static_cast<int>(concurrency);
  MR_TRY(environment, settings.text_map("environment"));
  function.environment = std::move(environment);
  MR_TRY(description, settings.text_or("description", ""));
  function.description = std::move(description);
  return {};
}

Status set_url(Function& function, const Arguments& settings, std::string url) {
  for (const char* field : kProcessFields) {
    if (settings.has(field)) return settings.wrong(field, "a function at a URL has none");
  }
  const auto parts = parse_url(url);
  if (!parts) return settings.wrong("url", parts.error().message, parts.error().hint);
  MR_TRY(headers, settings.text_map("headers"));
  MR_TRY(connection, settings.text_or("connection", ""));
  function.kind = FunctionKind::Url;
  function.runtime = "url";
  function.url = std::move(url);
  function.headers = std::move(headers);
  function.connection = std::move(connection);
  return {};
}

// Which file runs: function.json says so, or the folder's files do.
Status choose_program(Function& function, const Arguments& settings, const fs::path& settings_file) {
  MR_TRY(url, settings.text_or("url", ""));
  if (!url.empty()) return set_url(function, settings, std::move(url));
  for (const char* field : {"headers", "connection"}) {
    if (settings.has(field)) return settings.wrong(field, "is for a function at a URL; there is no url");
  }
  MR_TRY(command, settings.texts("command"));
  if (!command.empty()) {
    function.kind = FunctionKind::Command;
    function.runtime = "command";
    function.command = std::move(command);
    return {};
  }
  MR_TRY(runtime, settings.text_or("runtime", ""));
  const Layout* found = nullptr;
  for (const Layout& layout : kLayouts) {
    std::error_code error;
    if (!found && fs::is_regular_file(function.directory / layout.file, error)) found = &layout;
  }
  MR_TRY(handler, settings.text_or("handler", found ? found->handler : ""));
  if (!found && handler.empty())
    return invalid(
        "the function folder " + function.directory.string() + " has nothing to run",
        "put a handler.py with handler(event, context) there, an index.js, an executable bootstrap, or a "
        "function.json with a command or a url");
  FunctionKind kind = found ? found->kind : FunctionKind::Python;
  if (!runtime.empty()) kind = kind_of_runtime(runtime, kind);
  function.kind = kind;
  if (kind == FunctionKind::Bootstrap) {
    const fs::path program = function.directory / "bootstrap";
    if (!is_executable(program)) return invalid(program.string() + " is not executable", "chmod +x it");
    function.runtime = "provided";
    function.command = {program.string()};
    return {};
  }
  function.runtime = program_for(kind, runtime);
  return set_handler(function, handler, settings_file);
}

void stamp(Function& function) {
  std::error_code error;
  auto entry = fs::recursive_directory_iterator(function.directory, error);
  for (; !error && entry != fs::recursive_directory_iterator(); entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    if (name == "__pycache__" || name == "node_modules") {
      entry.disable_recursion_pending();
      continue;
    }
    struct stat info {};
    if (::stat(entry->path().c_str(), &info) != 0) continue;
    const std::int64_t ms = std::int64_t{info.st_mtim.tv_sec} * 1000 + info.st_mtim.tv_nsec / 1'000'000;
    function.modified_ms = std::max(function.modified_ms, ms);
    if (S_ISREG(info.st_mode)) function.bytes += static_cast<std::uint64_t>(info.st_size);
  }
}

}  // namespace

bool is_function_name(std::string_view name) {
  return !name.empty() && name.size() <= 140 && name.front() != '.' &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return std::isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_' || c == '.';
         });
}

Result<Function> load_function(const fs::path& functions, std::string_view name) {
  Function function;
  function.name = name;
  function.directory = functions / function.name;
  std::error_code error;
  if (!is_function_name(name) || !fs::is_directory(function.directory, error))
    return fail(ErrorCode::NotFound, "there is no function \"" + function.name + "\"",
                "a function is a folder " + (functions / "NAME").string() + " with a handler.py");
  const fs::path file = function.directory / "function.json";
  MR_TRY(settings, read_settings(file));
  const Arguments arguments(settings, file.string());
  MR_DO(choose_program(function, arguments, file));
  MR_DO(apply_limits(function, arguments));
  stamp(function);
  return function;
}

std::vector<std::string> function_names(const fs::path& functions) {
  std::set<std::string> names;
  std::error_code error;
  for (auto entry = fs::directory_iterator(functions, error); !error && entry != fs::directory_iterator();
       entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    std::error_code ignored;
    if (is_function_name(name) && entry->is_directory(ignored)) names.insert(name);
  }
  return {names.begin(), names.end()};
}

}  // namespace millrace::tasks
