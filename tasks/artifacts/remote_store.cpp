#include "tasks/artifacts/remote_store.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <thread>

#include "base/encoding.h"
#include "base/xml.h"
#include "tasks/artifacts/files.h"
#include "tasks/artifacts/object_store.h"

namespace millrace::tasks {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kListedMax = 1'000'000;  // objects of a channel
constexpr Millis kFirstPause{200};
constexpr std::size_t kKnownMax = 100'000;

// What the other store said against a request.
tl::unexpected<Error> remote_refusal(const S3Uri& uri, const RemoteBucket& bucket,
                                     const RemoteAnswer& answer) {
  std::string code = "HTTP " + std::to_string(answer.status), words;
  if (const auto xml = parse_xml(answer.body); xml && xml->name == "Error") {
    if (!xml->text_of("Code").empty()) code = xml->text_of("Code");
    words = xml->text_of("Message").substr(0, 300);
  }
  const std::string message =
      uri.text() + ": " + bucket.endpoint + " says " + code + (words.empty() ? "" : ": " + words);
  if (answer.status == 404) return fail(ErrorCode::NotFound, message);
  if (answer.status == 401 || answer.status == 403)
    return invalid(message, "look at the bucket's keys and region in remotes.json");
  if (answer.status >= 500 || answer.status == 429) return fail(ErrorCode::Unavailable, message);
  return fail(ErrorCode::Internal, message);
}

std::uint64_t header_number(std::string_view text) {
  return std::strtoull(std::string(text).c_str(), nullptr, 10);
}

}  // namespace

RemoteStore::RemoteStore(RemoteSettings settings, fs::path cache)
    : settings_(std::move(settings)), cache_(std::move(cache)) {}

Result<RemoteAnswer> RemoteStore::ask(const S3Uri& uri, const RemoteCall& call) const {
  const RemoteBucket& bucket = settings_.buckets.at(uri.bucket);
  Millis pause = kFirstPause;
  for (int attempt = 1;; ++attempt, pause *= 2) {
    auto answer = call_remote(bucket, call, clock_.now(), settings_.idle_seconds_max);
    const bool again = answer ? answer->status >= 500 || answer->status == 429
                              : answer.error().code == ErrorCode::Unavailable;
    if (!again || attempt == settings_.attempts_max) {
      if (!answer)
        return fail(answer.error().code, uri.text() + ": " + answer.error().message, answer.error().hint);
      if (answer->status >= 200 && answer->status < 300) return answer;
      return remote_refusal(uri, bucket, *answer);
    }
    std::this_thread::sleep_for(pause);
  }
}

Result<std::vector<ObjectInfo>> RemoteStore::list(const S3Uri& uri, bool hidden) const {
  std::vector<ObjectInfo> found;
  std::string token;
  do {
    RemoteCall call;
    call.query = {{"list-type", "2"}, {"prefix", uri.key}};
    if (!token.empty()) call.query.emplace_back("continuation-token", token);
    MR_TRY(answer, ask(uri, call));
    const auto xml = parse_xml(answer.body);
    if (!xml || xml->name != "ListBucketResult")
      return fail(ErrorCode::DataLoss, uri.text() + ": the list of objects is no XML of S3");
    for (const XmlNode& node : xml->children) {
      if (node.name != "Contents") continue;
      ObjectInfo info{std::string(node.text_of("Key")), header_number(node.text_of("Size"))};
      const std::string_view last = std::string_view(info.key).substr(info.key.rfind('/') + 1);
      if (last.empty() || (!hidden && (last.starts_with('_') || last.starts_with('.')))) continue;
      if (!parse_s3_uri("s3://" + uri.bucket + "/" + info.key)) continue;
      remember({uri.bucket, info.key}, std::string(node.text_of("ETag")));
      found.push_back(std::move(info));
    }
    if (found.size() > kListedMax)
      return fail(ErrorCode::LimitExceeded,
                  uri.text() + " has more than " + std::to_string(kListedMax) + " objects");
    token = xml->text_of("IsTruncated") == "true" ? std::string(xml->text_of("NextContinuationToken")) : "";
  } while (!token.empty());
  // A URI that names one object gives that one.
  const auto exact = std::ranges::find(found, uri.key, &ObjectInfo::key);
  if (exact != found.end() && !uri.key.ends_with('/')) return std::vector<ObjectInfo>{*exact};
  if (found.empty()) return fail(ErrorCode::NotFound, "no object at " + uri.text());
  std::ranges::sort(found, {}, &ObjectInfo::key);
  return found;
}

void RemoteStore::remember(const S3Uri& uri, const std::string& etag) const {
  const std::lock_guard lock(mutex_);
  if (known_.size() >= kKnownMax) known_.clear();
  known_[uri.text()] = {etag, clock_.uptime()};
}

fs::path RemoteStore::copy_of(const S3Uri& uri, const std::string& etag) const {
  const std::string name = digest_hex(Digest::Sha256, uri.key + "\n" + etag).substr(0, 32);
  return cache_ / uri.bucket / name / fs::path(uri.key).filename();
}

Result<fs::path> RemoteStore::fetch(const S3Uri& uri) const {
  if (uri.key.empty() || uri.key.ends_with('/'))
    return invalid(uri.text() + " is a prefix in another store; an object needs a name");
  std::string etag;
  {
    const std::lock_guard lock(mutex_);
    const auto known = known_.find(uri.text());
    if (known != known_.end() && clock_.uptime() - known->second.at < Millis(settings_.known_seconds * 1000))
      etag = known->second.etag;
  }
  if (etag.empty()) {
    auto seen = ask(uri, {.method = "HEAD", .key = uri.key});
    if (!seen && seen.error().code == ErrorCode::NotFound)
      return fail(ErrorCode::NotFound, "no object at " + uri.text());
    if (!seen) return fail(seen.error());
    etag = seen->etag;
    remember(uri, etag);
  }
  const fs::path path = copy_of(uri, etag);
  std::error_code code;
  if (fs::is_regular_file(path, code)) {
    fs::last_write_time(path.parent_path(), fs::file_time_type::clock::now(), code);  // the oldest go first
    return path;
  }
  static std::atomic<std::uint64_t> serial{0};
  make_room();
  MR_DO(make_directories(path.parent_path()));
  const fs::path part = path.parent_path() / (std::string(kUnfinishedPrefix) + std::to_string(::getpid()) +
                                              "-" + std::to_string(serial++));
  RemoteCall call{.key = uri.key, .headers = {{"if-match", etag}}, .download = &part};
  auto answer = ask(uri, call);
  if (!answer) {
    fs::remove(part, code);
    return fail(answer.error());
  }
  fs::rename(part, path, code);
  if (code) return fail(ErrorCode::Internal, "can't write " + path.string() + ": " + code.message());
  return path;
}

Status RemoteStore::put(const S3Uri& uri, const fs::path& file) const {
  std::error_code code;
  const std::uint64_t bytes = fs::file_size(file, code);
  if (code) return fail(ErrorCode::NotFound, "can't open " + file.string());
  if (bytes > settings_.object_bytes_max)
    return fail(ErrorCode::LimitExceeded,
                uri.text() + ": " + std::to_string(bytes) + " bytes are more than " +
                    std::to_string(settings_.object_bytes_max) + " (object_bytes_max)");
  MR_TRY(answer, ask(uri, {.method = "PUT", .key = uri.key, .upload = &file}));
  remember(uri, answer.etag);
  return {};
}

Status RemoteStore::put(const S3Uri& uri, std::string_view bytes) const {
  MR_TRY(answer, ask(uri, {.method = "PUT", .key = uri.key, .body = bytes}));
  remember(uri, answer.etag);
  return {};
}

Status RemoteStore::remove(const S3Uri& uri) const {
  const auto answer = ask(uri, {.method = "DELETE", .key = uri.key});
  const std::lock_guard lock(mutex_);
  known_.erase(uri.text());
  if (!answer && answer.error().code != ErrorCode::NotFound) return fail(answer.error());
  return {};
}

// Copies whose folder was not used for longest go until the rest is within the limit. A copy that is being
// read stays readable: its name goes, not its bytes.
void RemoteStore::make_room() const {
  struct Copy {
    fs::path folder;
    fs::file_time_type used;
    std::uint64_t bytes = 0;
  };
  std::vector<Copy> copies;
  std::uint64_t bytes = 0;
  std::error_code code;
  for (const auto& bucket : fs::directory_iterator(cache_, code)) {
    for (const auto& folder : fs::directory_iterator(bucket.path(), code)) {
      Copy copy{folder.path(), fs::last_write_time(folder.path(), code), 0};
      for (const auto& file : fs::directory_iterator(folder.path(), code)) copy.bytes += file.file_size(code);
      bytes += copy.bytes;
      copies.push_back(std::move(copy));
    }
  }
  std::ranges::sort(copies, {}, &Copy::used);
  for (const Copy& copy : copies) {
    if (bytes <= settings_.cache_bytes_max) return;
    fs::remove_all(copy.folder, code);
    bytes -= copy.bytes;
  }
}

}  // namespace millrace::tasks
