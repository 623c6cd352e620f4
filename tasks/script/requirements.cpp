#include "tasks/script/requirements.h"

#include <fstream>
#include <map>
#include <vector>

#include "base/encoding.h"
#include "tasks/artifacts/files.h"

namespace millrace::tasks {
namespace {

namespace fs = std::filesystem;

constexpr const char* kFileName = "requirements.txt";
constexpr std::size_t kRequirementFilesMax = 64;  // that name each other
constexpr std::size_t kRequirementBytesMax = 1 << 20;

std::string stripped(std::string_view line) {
  const std::size_t begin = line.find_first_not_of(" \t\r");
  if (begin == std::string_view::npos || line[begin] == '#') return {};
  std::size_t end = line.find(" #", begin);
  if (end == std::string_view::npos) end = line.size();
  end = line.find_last_not_of(" \t\r", end - 1) + 1;
  return std::string(line.substr(begin, end - begin));
}

// Lines without comments, those that end in '\' joined with what follows.
std::vector<std::string> lines_of_requirements(std::string_view text) {
  std::vector<std::string> lines;
  std::string pending;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    std::string line = stripped(text.substr(at, end - at));
    at = end + 1;
    const bool goes_on = line.ends_with('\\');
    if (goes_on) line.pop_back();
    pending += line;
    if (goes_on) continue;
    if (!pending.empty()) lines.push_back(pending);
    pending.clear();
  }
  if (!pending.empty()) lines.push_back(pending);
  return lines;
}

// "base.txt" of "-r base.txt", "--requirement=base.txt" and "-rbase.txt"; nothing when it is another option.
std::optional<std::string> value_of_option(const std::string& line, std::string_view brief,
                                           std::string_view full) {
  for (const std::string_view name : {full, brief}) {
    if (line.rfind(name, 0) != 0) continue;
    const std::size_t at = line.find_first_not_of(" =\t", name.size());
    if (name == full && line.size() > name.size() &&
        std::string_view(" =\t").find(line[name.size()]) == std::string_view::npos)
      continue;
    return at == std::string::npos ? std::string() : line.substr(at);
  }
  return std::nullopt;
}

// Whether pip would take files of the directory for it, which are then part of what is asked for.
bool is_local(const std::string& line) {
  const std::string name = line.substr(0, line.find_first_of(" ;["));
  if (const auto place = value_of_option(line, "-f", "--find-links"))
    return place->find("://") == std::string::npos || place->rfind("file:", 0) == 0;
  if (line.front() == '-') return false;
  if (line.front() == '.' || line.find("file:") != std::string::npos) return true;
  if (name.find("://") != std::string::npos || line.find("://") != std::string::npos) return false;
  return name.find('/') != std::string::npos || name.ends_with(".whl") || name.ends_with(".tar.gz") ||
         name.ends_with(".zip");
}

// "-r https://…": what it asks for is not known.
bool is_elsewhere(const std::string& line) {
  const auto file = value_of_option(line, "-r", "--requirement");
  return file && file->find("://") != std::string::npos;
}

class RequirementReader {
 public:
  explicit RequirementReader(fs::path directory) : directory_(std::move(directory)) {}

  // `name`: below the directory. Reads it and what it names.
  Status read(const std::string& name, const std::string& from) {
    const fs::path normal = fs::path(name).lexically_normal();
    if (normal.empty() || normal.is_absolute() || *normal.begin() == "..")
      return invalid(from + " names " + name + ", which is not in the directory of the program");
    if (files_.contains(normal.string())) return {};
    if (files_.size() >= kRequirementFilesMax)
      return invalid(from + " and what it names are more than " + std::to_string(kRequirementFilesMax) +
                     " files");
    auto text = read_file(directory_ / normal);
    if (!text) return invalid(from + " names " + name + ", which is not there");
    if (text->size() > kRequirementBytesMax) return invalid(name + " is larger than a megabyte");
    const std::vector<std::string> lines = lines_of_requirements(*text);
    files_[normal.string()] = std::move(*text);
    for (const std::string& line : lines) {
      if (value_of_option(line, "-e", "--editable"))
        return invalid(
            name + ": \"" + line + "\": an editable package would lead into the job's own directory",
            "write it without -e");
      auto next = value_of_option(line, "-r", "--requirement");
      if (!next) next = value_of_option(line, "-c", "--constraint");
      if (next && next->find("://") == std::string::npos)
        MR_DO(read((normal.parent_path() / *next).string(), name));
      asks_ = asks_ || line.front() != '-' || is_elsewhere(line);
      local_ = local_ || is_local(line);
    }
    return {};
  }

  bool asks() const { return asks_; }    // for something
  bool local() const { return local_; }  // for files of the directory
  const std::map<std::string, std::string>& files() const { return files_; }

 private:
  const fs::path directory_;
  std::map<std::string, std::string> files_;
  bool asks_ = false, local_ = false;
};

// In pieces: wheels are large.
Result<std::string> digest_of_file(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::vector<char> piece(1 << 20);
  Sha256 hash;
  while (file.read(piece.data(), static_cast<std::streamsize>(piece.size())) || file.gcount() > 0)
    hash.update({piece.data(), static_cast<std::size_t>(file.gcount())});
  if (!file.eof()) return fail(ErrorCode::Internal, "can't read " + path.string());
  return hash.finish_hex();
}

// Names below `folder` and digests of the bytes, in the order of the names. What pip makes is passed over.
Status add_files(const fs::path& directory, const fs::path& folder,
                 std::map<std::string, std::string>& digests) {
  std::error_code code;
  fs::recursive_directory_iterator walk(folder, code);
  for (; !code && walk != fs::end(walk); walk.increment(code)) {
    if (!walk->is_regular_file()) continue;
    const fs::path name = walk->path().lexically_relative(directory);
    const std::string top = name.begin()->string();
    if (top == "build" || top.ends_with(".egg-info")) continue;
    MR_TRY(digest, digest_of_file(walk->path()));
    digests[name.generic_string()] = digest;
  }
  if (code) return fail(ErrorCode::Internal, "can't read " + folder.string() + ": " + code.message());
  return {};
}

}  // namespace

Result<std::optional<Requirements>> read_requirements(const fs::path& directory) {
  std::error_code code;
  Requirements found;
  found.package = fs::is_regular_file(directory / "setup.py", code);
  RequirementReader reader(directory);
  if (fs::is_regular_file(directory / kFileName, code)) MR_DO(reader.read(kFileName, kFileName));
  if (!found.package && !reader.asks()) return std::optional<Requirements>();
  if (const auto text = reader.files().find(kFileName); text != reader.files().end())
    found.text = text->second;
  const fs::path wheels = directory / "wheels";
  found.wheels = fs::is_directory(wheels, code) && !fs::is_empty(wheels, code);
  std::map<std::string, std::string> digests;
  for (const auto& [name, text] : reader.files()) digests[name] = digest_hex(Digest::Sha256, text);
  if (found.package || reader.local())
    MR_DO(add_files(directory, directory, digests));
  else if (found.wheels)
    MR_DO(add_files(directory, wheels, digests));
  Sha256 hash;
  for (const auto& [name, digest] : digests) hash.update(name + '\0' + digest + '\n');
  found.digest = hash.finish_hex();
  return std::optional(std::move(found));
}

}  // namespace millrace::tasks
