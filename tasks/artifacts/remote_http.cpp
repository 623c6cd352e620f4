#include "tasks/artifacts/remote_http.h"

#include <curl/curl.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <memory>

#include "base/encoding.h"
#include "tasks/artifacts/files.h"

namespace millrace::tasks {
namespace {

constexpr long kRemoteConnectMillis = 10'000;

struct CurlListFree {
  void operator()(curl_slist* list) const noexcept { curl_slist_free_all(list); }
};
struct CurlFree {
  void operator()(CURL* curl) const noexcept { curl_easy_cleanup(curl); }
};

// The body of an answer on its way: to the file when the answer is good, else to the text.
struct RemoteBody {
  CURL* curl = nullptr;
  int file = -1;
  std::string text;
  int write_error = 0;
  RemoteAnswer answer;
};

std::size_t take_body(char* bytes, std::size_t size, std::size_t count, void* into) {
  auto& body = *static_cast<RemoteBody*>(into);
  const std::string_view piece(bytes, size * count);
  long status = 0;
  curl_easy_getinfo(body.curl, CURLINFO_RESPONSE_CODE, &status);
  if (body.file >= 0 && status >= 200 && status < 300) {
    if (!write_all(body.file, piece, "")) {
      body.write_error = errno != 0 ? errno : ENOSPC;
      return 0;
    }
    return piece.size();
  }
  if (body.text.size() + piece.size() > kRemoteTextBytesMax) return 0;
  body.text += piece;
  return piece.size();
}

std::size_t take_header(char* bytes, std::size_t size, std::size_t count, void* into) {
  auto& answer = static_cast<RemoteBody*>(into)->answer;
  const std::string_view line(bytes, size * count);
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) return line.size();
  std::string name(line.substr(0, colon));
  std::ranges::transform(name, name.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  std::string_view value = line.substr(colon + 1);
  value.remove_prefix(std::min(value.find_first_not_of(' '), value.size()));
  value = value.substr(0, value.find_last_not_of(" \r\n") + 1);
  if (name == "etag") answer.etag = value;
  if (name == "last-modified") answer.last_modified = value;
  return line.size();
}

std::size_t give_body(char* into, std::size_t size, std::size_t count, void* from) {
  const ssize_t got = ::read(*static_cast<int*>(from), into, size * count);
  return got < 0 ? CURL_READFUNC_ABORT : static_cast<std::size_t>(got);
}

class LocalFile {
 public:
  LocalFile(const std::filesystem::path* path, int flags)
      : descriptor_(path != nullptr ? ::open(path->c_str(), flags | O_CLOEXEC, 0666) : -1),
        fine_(path == nullptr || descriptor_ >= 0) {}
  LocalFile(const LocalFile&) = delete;
  LocalFile& operator=(const LocalFile&) = delete;
  ~LocalFile() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  int descriptor_;
  bool fine_;
};

Result<std::string> sha256_of(int file) {
  Sha256 hash;
  std::string piece(1u << 18, '\0');
  for (;;) {
    const ssize_t got = ::read(file, piece.data(), piece.size());
    if (got < 0) return fail(ErrorCode::DataLoss, std::string("can't read: ") + std::strerror(errno));
    if (got == 0) break;
    hash.update(std::string_view(piece).substr(0, static_cast<std::size_t>(got)));
  }
  if (::lseek(file, 0, SEEK_SET) != 0) return fail(ErrorCode::DataLoss, "can't read again");
  return hash.finish_hex();
}

struct Target {
  std::string url, host, path, query;
};

Target target_of(const RemoteBucket& bucket, const RemoteCall& call) {
  Target target;
  std::string_view endpoint = bucket.endpoint;
  while (endpoint.ends_with('/')) endpoint.remove_suffix(1);
  const std::size_t scheme = endpoint.find("://");
  target.host = endpoint.substr(scheme == std::string_view::npos ? 0 : scheme + 3);
  target.path = "/" + percent_encode(bucket.bucket);
  if (!call.key.empty()) target.path += "/" + percent_encode(call.key, true);
  auto pairs = call.query;
  std::sort(pairs.begin(), pairs.end());
  for (const auto& [name, value] : pairs) {
    target.query += (target.query.empty() ? "" : "&") + percent_encode(name) + "=" + percent_encode(value);
  }
  target.url = std::string(endpoint) + target.path + (target.query.empty() ? "" : "?" + target.query);
  return target;
}

std::unique_ptr<curl_slist, CurlListFree> header_list(const SignedHeaders& headers) {
  std::unique_ptr<curl_slist, CurlListFree> list;
  const auto add = [&](const std::string& line) {
    if (curl_slist* longer = curl_slist_append(list.get(), line.c_str())) {
      (void)list.release();
      list.reset(longer);
    }
  };
  for (const auto& [name, value] : headers) add(name + ": " + value);
  add("Expect:");
  return list;
}

CURL* curl_of_thread() {
  static const bool ready = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
  thread_local const std::unique_ptr<CURL, CurlFree> curl(ready ? curl_easy_init() : nullptr);
  if (curl) curl_easy_reset(curl.get());
  return curl.get();
}

}  // namespace

Result<RemoteAnswer> call_remote(const RemoteBucket& bucket, const RemoteCall& call, Instant now,
                                 int idle_seconds) {
  CURL* curl = curl_of_thread();
  if (curl == nullptr) return fail(ErrorCode::Internal, "libcurl can't be set up");
  LocalFile in(call.upload, O_RDONLY), out(call.download, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW);
  if (!in.fine_) return fail(ErrorCode::NotFound, "can't open " + call.upload->string());
  if (!out.fine_) return fail(ErrorCode::Internal, "can't write " + call.download->string());
  const Target target = target_of(bucket, call);
  SignedHeaders headers = call.headers;
  std::string hash;
  if (call.upload != nullptr) {
    MR_TRY(digest, sha256_of(in.descriptor_));
    hash = std::move(digest);
  } else {
    hash = digest_hex(Digest::Sha256, call.body);
  }
  headers.emplace_back("x-amz-content-sha256", hash);
  if (call.method == "PUT") headers.emplace_back("content-type", "application/octet-stream");
  if (!bucket.credentials.access_key.empty()) {
    const SignedHeaders added = sign_request(bucket.credentials, {bucket.region, "s3"},
                                             {.method = call.method,
                                              .path = target.path,
                                              .query = target.query,
                                              .host = target.host,
                                              .payload_hash = hash},
                                             headers, now);
    headers.insert(headers.end(), added.begin(), added.end());
  }
  headers.emplace_back("host", target.host);
  const auto list = header_list(headers);
  RemoteBody body;
  body.curl = curl, body.file = out.descriptor_;
  char problem[CURL_ERROR_SIZE] = {};
  curl_easy_setopt(curl, CURLOPT_URL, target.url.c_str());
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, list.get());
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, kRemoteConnectMillis);
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, static_cast<long>(idle_seconds));
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, problem);
  curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, take_header);
  curl_easy_setopt(curl, CURLOPT_HEADERDATA, &body);
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &body);
  if (!bucket.ca_file.empty()) curl_easy_setopt(curl, CURLOPT_CAINFO, bucket.ca_file.c_str());
  if (call.method == "HEAD") {
    curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
  } else if (call.upload != nullptr) {
    struct stat status {};
    if (::fstat(in.descriptor_, &status) != 0)
      return fail(ErrorCode::DataLoss, "can't read " + call.upload->string());
    curl_easy_setopt(curl, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(curl, CURLOPT_READFUNCTION, give_body);
    curl_easy_setopt(curl, CURLOPT_READDATA, &in.descriptor_);
    curl_easy_setopt(curl, CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(status.st_size));
  } else if (call.method != "GET") {
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, call.body.data());
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(call.body.size()));
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, std::string(call.method).c_str());
  }
  const CURLcode code = curl_easy_perform(curl);
  if (body.write_error != 0)
    return fail(body.write_error == ENOSPC || body.write_error == EDQUOT ? ErrorCode::OutOfSpace
                                                                         : ErrorCode::Internal,
                "can't write " + call.download->string() + ": " + std::strerror(body.write_error),
                "free space on the disk of the home directory");
  if (code != CURLE_OK)
    return fail(ErrorCode::Unavailable, bucket.endpoint + " can't be reached: " +
                                            (problem[0] != 0 ? problem : curl_easy_strerror(code)));
  long status = 0;
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
  body.answer.status = static_cast<int>(status);
  body.answer.body = std::move(body.text);
  return std::move(body.answer);
}

}  // namespace millrace::tasks
