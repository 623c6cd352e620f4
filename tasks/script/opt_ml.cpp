#include "tasks/script/opt_ml.h"

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "base/encoding.h"
#include "tasks/artifacts/files.h"
#include "tasks/script/process.h"
#include "tasks/script/sandbox.h"

namespace millrace::tasks {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kRoot = "/opt/ml";

tl::unexpected<Error> disk_error(std::string_view what, const fs::path& path, const std::error_code& code) {
  const bool full = code == std::errc::no_space_on_device;
  return fail(full ? ErrorCode::OutOfSpace : ErrorCode::Internal,
              std::string(what) + " " + path.string() + ": " + code.message());
}

Status make_directory(const fs::path& path) {
  std::error_code code;
  fs::create_directories(path, code);
  if (code) return disk_error("can't make", path, code);
  return {};
}

// What is left of a key below a prefix: "train/a.csv" of "data/" or "data"; the file's name when it is the
// prefix itself.
std::string relative_key(const std::string& key, const std::string& prefix) {
  const std::size_t slash = prefix.rfind('/');
  const std::size_t directory = slash == std::string::npos ? 0 : slash + 1;
  if (key == prefix || prefix.empty() || prefix.back() == '/') return key.substr(directory);
  return key.size() > prefix.size() && key[prefix.size()] == '/' ? key.substr(prefix.size() + 1)
                                                                 : key.substr(directory);
}

void add_bind(std::vector<std::string>& arguments, const char* how, const fs::path& from,
              const fs::path& to) {
  arguments.insert(arguments.end(), {how, from.string(), to.string()});
}

// A place for /opt/ml where this machine has none, without making one: /opt with what is in it, anew.
void add_place(std::vector<std::string>& arguments) {
  std::error_code code;
  if (fs::is_directory(kRoot, code)) return;
  arguments.insert(arguments.end(), {"--tmpfs", "/opt"});
  for (const auto& entry : fs::directory_iterator("/opt", code)) {
    if (entry.is_symlink(code))
      add_bind(arguments, "--symlink", fs::read_symlink(entry.path(), code), entry.path());
    else
      add_bind(arguments, "--dev-bind", entry.path(), entry.path());
  }
}

// SIGTERM is for the program: bubblewrap itself would end at once and take it down without grace. With
// processes of its own nothing that a program leaves behind outlives it, also what has left its group.
std::vector<std::string> mounting(const fs::path& root, const std::vector<OptMl::Shown>& shown,
                                  bool own_processes, bool without_network) {
  std::vector<std::string> arguments = {
      "/usr/bin/env", "--ignore-signal=TERM", "bwrap", "--dev-bind", "/", "/"};
  add_place(arguments);
  add_bind(arguments, "--bind", root, kRoot);
  for (const OptMl::Shown& one : shown) add_bind(arguments, "--ro-bind", one.from, one.to);
  arguments.push_back("--die-with-parent");
  if (without_network) arguments.push_back("--unshare-net");
  add_own_processes(arguments, own_processes);
  arguments.insert(arguments.end(), {"/usr/bin/env", "--default-signal=TERM"});
  return arguments;
}

// bubblewrap may be missing, or not allowed to make namespaces: only trying tells.
bool can_mount(const fs::path& root, bool own_processes) {
  ProcessSpec spec;
  spec.arguments = mounting(root, {}, own_processes, false);
  spec.arguments.push_back("true");
  const char* path = std::getenv("PATH");
  spec.environment = {std::string("PATH=") + (path ? path : "/usr/bin:/bin")};
  const auto end = run_process(spec, {});
  return end && end->signal == 0 && end->exit_code == 0;
}

}  // namespace

Result<OptMl> OptMl::make(const fs::path& root) {
  std::error_code code;
  fs::remove_all(root, code);
  if (code) return disk_error("can't empty", root, code);
  for (const char* name : {"input/config", "input/data", "model", "output/data", "code", "processing", "tmp"})
    MR_DO(make_directory(root / name));
  OptMl made(fs::absolute(root));
  made.own_processes_ = can_mount(made.root_, true);
  made.mounted_ = made.own_processes_ || can_mount(made.root_, false);
  return made;
}

OptMl::~OptMl() {
  std::error_code ignored;  // what stays is emptied by the next job of that name
  if (!root_.empty()) fs::remove_all(root_, ignored);
}

Result<fs::path> OptMl::real(std::string_view opt_ml_path) const {
  const fs::path normal = fs::path(opt_ml_path).lexically_normal();
  const fs::path below = normal.lexically_relative(kRoot);
  if (below.empty() || *below.begin() == "..")
    return invalid("\"" + std::string(opt_ml_path) + "\" is not below /opt/ml");
  return below == "." ? root_ : root_ / below;
}

std::string OptMl::seen(std::string_view text) const {
  if (mounted_) return std::string(text);
  std::string result;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = at + kRoot.size();
    const bool begins = at == 0 || std::string_view("=: ").find(text[at - 1]) != std::string_view::npos;
    const bool matches = text.substr(at, kRoot.size()) == kRoot && (end == text.size() || text[end] == '/');
    if (begins && matches) {
      result += root_.string();
      at = end;
    } else {
      result += text[at++];
    }
  }
  return result;
}

Result<std::vector<std::string>> OptMl::command(const std::vector<std::string>& arguments,
                                                bool cut_off) const {
  std::vector<std::string> result;
  if (mounted_) {
    result = mounting(root_, shown_, own_processes_, cut_off);
  } else if (cut_off) {
    MR_TRY(prefix, without_network());
    result = std::move(prefix);
  }
  for (const std::string& argument : arguments) result.push_back(seen(argument));
  return result;
}

bool OptMl::show(const fs::path& from, const fs::path& to) {
  if (mounted_) shown_.push_back({from, to});
  return mounted_;
}

Status OptMl::write_config(std::string_view name, const Json& document) const {
  return replace_file(root_ / "input/config" / std::string(name), to_payload(document).text());
}

Status OptMl::bring(const ObjectStore& objects, std::string_view uri, const fs::path& directory, bool linked,
                    Share share) const {
  MR_TRY(parsed, parse_s3_uri(uri));
  MR_TRY(list, objects.list(uri, true));
  for (std::size_t i = share.part; i < list.size(); i += share.parts) {
    const ObjectInfo& object = list[i];
    MR_TRY(source, objects.path_of("s3://" + parsed.bucket + "/" + object.key));
    const fs::path target = directory / relative_key(object.key, parsed.key);
    MR_DO(make_directory(target.parent_path()));
    std::error_code code;
    if (linked)
      fs::create_symlink(fs::absolute(source), target, code);
    else
      fs::copy_file(source, target, fs::copy_options::overwrite_existing, code);
    if (code) return disk_error("can't bring " + std::string(uri) + " to", target, code);
  }
  return {};
}

Result<std::map<std::string, std::string>> OptMl::files(const fs::path& directory) const {
  std::map<std::string, std::string> digests;
  std::error_code code;
  fs::recursive_directory_iterator walk(directory, code);
  for (; !code && walk != fs::end(walk); walk.increment(code)) {
    // A link could lead anywhere on this machine; only what the program wrote is taken.
    if (walk->is_symlink() || !walk->is_regular_file()) continue;
    MR_TRY(bytes, read_file(walk->path()));
    digests[walk->path().lexically_relative(directory).generic_string()] = digest_hex(Digest::Sha256, bytes);
  }
  if (code) return disk_error("can't read", directory, code);
  return digests;
}

Status OptMl::take(const ObjectStore& objects, const fs::path& directory, std::string_view uri) const {
  MR_TRY(digests, files(directory));
  for (const auto& [name, digest] : digests) {
    MR_TRY(bytes, read_file(directory / name));
    MR_DO(objects.write(join_uri(uri, name), bytes));
  }
  return {};
}

std::string OptMl::note(std::string_view opt_ml_path, std::size_t bytes_max) const {
  const auto path = real(opt_ml_path);
  const auto text = path ? read_file(*path) : Result<std::string>(fail(path.error()));
  if (!text) return {};
  const std::size_t end = text->find_last_not_of(" \r\n\t");
  return text->substr(0, end == std::string::npos ? 0 : std::min(end + 1, bytes_max));
}

}  // namespace millrace::tasks
