#include "tasks/storage/s3_operations.h"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <mutex>
#include <nlohmann/json.hpp>
#include <set>

#include "base/encoding.h"
#include "base/random.h"
#include "tasks/arguments.h"
#include "tasks/artifacts/object_store.h"
#include "tasks/functions/lambda.h"
#include "tasks/request_ids.h"

namespace millrace::tasks {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kBodyBytesMax = 16 << 20;  // far beyond what a payload may have
constexpr std::int64_t kKeysMax = 1000;

tl::unexpected<Failure> s3_failure(TaskCall& call, std::string_view code, int status,
                                   std::string_view message) {
  return service_failure("s3", code,
                         std::string(message) + " (Service: S3, Status Code: " + std::to_string(status) +
                             ", Request ID: " + call.ids->next() +
                             ", Extended Request ID: " + call.ids->next() + ")");
}

// What the store says, in S3's words.
tl::unexpected<Failure> s3_refused(TaskCall& call, const Error& error) {
  switch (error.code) {
    case ErrorCode::NotFound:
      return s3_failure(call, "NoSuchKeyException", 404, "The specified key does not exist.");
    case ErrorCode::InvalidArgument:
    case ErrorCode::Conflict:
      return s3_failure(call, "S3Exception", 400, error.message);
    default:
      return s3_failure(call, "S3Exception", 500, error.message);
  }
}

#define S3_TRY(name, ...)                                             \
  auto name##_result = (__VA_ARGS__);                                 \
  if (!name##_result) return s3_refused(call, name##_result.error()); \
  auto name = std::move(*name##_result)

struct Stored {
  fs::path path;
  std::uint64_t bytes = 0;
  Instant modified;
};

// Why an object can't be had, or where it is.
tl::expected<Stored, Failure> find_object(TaskCall& call, const std::string& bucket, const std::string& key) {
  S3_TRY(path, call.context.objects().path_of("s3://" + bucket + "/" + key));
  S3_TRY(folder, call.context.objects().path_of("s3://" + bucket));
  std::error_code error;
  if (!fs::is_directory(folder, error))
    return s3_failure(call, "NoSuchBucketException", 404, "The specified bucket does not exist");
  struct stat info {};
  if (key.ends_with('/') || ::stat(path.c_str(), &info) != 0 || !S_ISREG(info.st_mode))
    return s3_failure(call, "NoSuchKeyException", 404, "The specified key does not exist.");
  const std::int64_t ms = std::int64_t{info.st_mtim.tv_sec} * 1000;
  return Stored{path, static_cast<std::uint64_t>(info.st_size), from_millis(ms)};
}

tl::expected<Stored, Failure> find_object(TaskCall& call) {
  const Arguments arguments(call.arguments);
  S3_TRY(bucket, arguments.text("Bucket"));
  S3_TRY(key, arguments.text("Key"));
  return find_object(call, bucket, key);
}

// Held while an object is looked at and then written: the conditions of two puts do not both hold.
std::mutex& lock_of(const std::string& uri) {
  static std::array<std::mutex, 32> locks;
  return locks[hash64(uri) % locks.size()];
}

// "2026-11-21T11:09:01Z": S3's times have no fraction.
std::string s3_time(Instant t) {
  return format_rfc3339(t).substr(0, 19) + "Z";
}
std::string etag_of(std::string_view bytes) {
  return "\"" + digest_hex(Digest::Md5, bytes) + "\"";
}

Json about(const Stored& object, std::uint64_t bytes, const std::string& etag) {
  Json answer;
  answer["AcceptRanges"] = "bytes";
  answer["ContentLength"] = bytes;
  answer["ContentType"] = "binary/octet-stream";
  answer["ETag"] = etag;
  answer["LastModified"] = s3_time(object.modified);
  answer["Metadata"] = Json::object();
  answer["ServerSideEncryption"] = "AES256";
  return answer;
}

// First and last byte of "bytes=a-b", "bytes=a-" and "bytes=-n".
std::optional<std::pair<std::uint64_t, std::uint64_t>> parse_range(std::string_view text,
                                                                   std::uint64_t bytes) {
  constexpr std::string_view kUnit = "bytes=";
  if (!text.starts_with(kUnit) || bytes == 0) return std::nullopt;
  text.remove_prefix(kUnit.size());
  const std::size_t dash = text.find('-');
  if (dash == std::string_view::npos) return std::nullopt;
  const auto number = [](std::string_view digits) -> std::optional<std::uint64_t> {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    return error == std::errc() && end == digits.data() + digits.size() ? std::optional(value) : std::nullopt;
  };
  const auto first = number(text.substr(0, dash)), last = number(text.substr(dash + 1));
  if (!first && last && dash == 0 && *last > 0) return std::pair(bytes - std::min(bytes, *last), bytes - 1);
  if (!first || *first >= bytes) return std::nullopt;
  if (dash + 1 == text.size()) return std::pair(*first, bytes - 1);
  if (!last || *last < *first) return std::nullopt;
  return std::pair(*first, std::min(*last, bytes - 1));
}

// One page of a listing: objects and, with a delimiter, the prefixes they share, in order of keys.
struct Page {
  Json contents = Json::array(), prefixes = Json::array();
  std::string last;
  bool truncated = false;
};

Page page_of(const std::vector<ObjectInfo>& objects, const std::string& bucket, const std::string& prefix,
             const std::string& delimiter, const std::string& after, std::int64_t max, TaskCall& call) {
  Page page;
  std::string shared;
  for (const ObjectInfo& object : objects) {
    if (!object.key.starts_with(prefix) || object.key <= after) continue;
    std::string group;
    if (!delimiter.empty()) {
      const std::size_t at = object.key.find(delimiter, prefix.size());
      if (at != std::string::npos) group = object.key.substr(0, at + delimiter.size());
    }
    // A page that ended with a shared prefix is gone on with behind all of its objects.
    if (!group.empty() && (group == shared || group == after)) continue;
    if (static_cast<std::int64_t>(page.contents.size() + page.prefixes.size()) >= max) {
      page.truncated = true;
      break;
    }
    page.last = group.empty() ? object.key : group;
    if (!group.empty()) {
      shared = group;
      page.prefixes.push_back({{"Prefix", group}});
      continue;
    }
    const auto stored = find_object(call, bucket, object.key);
    if (!stored) continue;  // gone meanwhile
    Json entry;
    entry["Key"] = object.key;
    entry["LastModified"] = s3_time(stored->modified);
    entry["Size"] = object.bytes;
    entry["StorageClass"] = "STANDARD";
    page.contents.push_back(std::move(entry));
  }
  return page;
}

// Why a conditional put is refused; nothing when it may go on.
std::optional<tl::unexpected<Failure>> broken_condition(TaskCall& call, const std::string& uri,
                                                        const std::string& none_match,
                                                        const std::string& match) {
  if (none_match.empty() && match.empty()) return std::nullopt;
  if (!none_match.empty() && none_match != "*")
    return s3_failure(call, "S3Exception", 501,
                      "A header you provided implies functionality that is not implemented");
  const auto there = call.context.objects().read(uri);
  if (!there && there.error().code != ErrorCode::NotFound) return s3_refused(call, there.error());
  if (!there && !match.empty()) return s3_refused(call, there.error());
  const bool same = there && (match == etag_of(*there) || "\"" + match + "\"" == etag_of(*there));
  if ((there && !none_match.empty()) || (!match.empty() && !same))
    return s3_failure(call, "S3Exception", 412,
                      "At least one of the pre-conditions you specified did not hold");
  return std::nullopt;
}

// The folder of Bucket; NoSuchBucketException when there is none.
tl::expected<fs::path, Failure> find_bucket(TaskCall& call) {
  const Arguments arguments(call.arguments);
  S3_TRY(bucket, arguments.text("Bucket"));
  S3_TRY(folder, call.context.objects().path_of("s3://" + bucket));
  std::error_code error;
  if (!fs::is_directory(folder, error))
    return s3_failure(call, "NoSuchBucketException", 404, "The specified bucket does not exist");
  return folder;
}

}  // namespace

Outcome s3_get_object(TaskCall& call) {
  const auto object = find_object(call);
  if (!object) return tl::unexpected<Failure>(object.error());
  if (object->bytes > kBodyBytesMax)
    return failed(
        error_names::kDataLimitExceeded,
        "The state/task 'aws-sdk:s3' returned a result with a size exceeding the maximum number of bytes "
        "service limit.");
  const Arguments arguments(call.arguments);
  S3_TRY(uri_bucket, arguments.text("Bucket"));
  S3_TRY(key, arguments.text("Key"));
  S3_TRY(range, arguments.text_or("Range", ""));
  S3_TRY(body, call.context.objects().read("s3://" + uri_bucket + "/" + key));
  const std::string etag = etag_of(body);
  Json answer;
  if (!range.empty()) {
    const auto wanted = parse_range(range, body.size());
    if (!wanted) return s3_failure(call, "S3Exception", 416, "The requested range is not satisfiable");
    const auto [first, last] = *wanted;
    const std::string content_range =
        "bytes " + std::to_string(first) + "-" + std::to_string(last) + "/" + std::to_string(body.size());
    body = body.substr(first, last - first + 1);
    answer = about(*object, body.size(), etag);
    answer["ContentRange"] = content_range;
  } else {
    answer = about(*object, body.size(), etag);
  }
  answer["Body"] = std::move(body);
  return to_payload(answer);
}

Outcome s3_put_object(TaskCall& call) {
  const Arguments arguments(call.arguments);
  S3_TRY(bucket, arguments.text("Bucket"));
  S3_TRY(key, arguments.text("Key"));
  std::string body;
  if (const auto found = call.arguments.find("Body"); found != call.arguments.end())
    body = to_payload(*found).text();
  S3_TRY(none_match, arguments.text_or("IfNoneMatch", ""));
  S3_TRY(match, arguments.text_or("IfMatch", ""));
  const std::string uri = "s3://" + bucket + "/" + key;
  const std::lock_guard lock(lock_of(uri));
  if (auto broken = broken_condition(call, uri, none_match, match)) return *std::move(broken);
  const auto written = call.context.objects().write(uri, body);
  if (!written) return s3_refused(call, written.error());
  Json answer;
  answer["ETag"] = etag_of(body);
  answer["ServerSideEncryption"] = "AES256";
  return to_payload(answer);
}

Outcome s3_head_object(TaskCall& call) {
  const auto object = find_object(call);
  if (!object) return tl::unexpected<Failure>(object.error());
  const Arguments arguments(call.arguments);
  S3_TRY(bucket, arguments.text("Bucket"));
  S3_TRY(key, arguments.text("Key"));
  S3_TRY(body, call.context.objects().read("s3://" + bucket + "/" + key));
  return to_payload(about(*object, body.size(), etag_of(body)));
}

Outcome s3_delete_object(TaskCall& call) {
  const auto object = find_object(call);
  // What is not there has been deleted, as S3 sees it.
  if (!object && object.error().error == "S3.NoSuchKeyException") return Payload::empty_object();
  if (!object) return tl::unexpected<Failure>(object.error());
  const Arguments arguments(call.arguments);
  S3_TRY(bucket, arguments.text("Bucket"));
  S3_TRY(key, arguments.text("Key"));
  const auto removed = call.context.objects().remove_prefix("s3://" + bucket + "/" + key);
  if (!removed) return s3_refused(call, removed.error());
  return Payload::empty_object();
}

Outcome s3_copy_object(TaskCall& call) {
  const Arguments arguments(call.arguments);
  S3_TRY(bucket, arguments.text("Bucket"));
  S3_TRY(key, arguments.text("Key"));
  S3_TRY(source, arguments.text("CopySource"));
  std::string from = percent_decode(source.substr(0, source.find("?versionId=")));
  if (from.starts_with('/')) from.erase(0, 1);
  const std::size_t slash = from.find('/');
  if (slash == std::string::npos)
    return s3_failure(call, "S3Exception", 400, "CopySource \"" + source + "\" is not bucket/key");
  const auto object = find_object(call, from.substr(0, slash), from.substr(slash + 1));
  if (!object) return tl::unexpected<Failure>(object.error());
  S3_TRY(body, call.context.objects().read("s3://" + from));
  const auto written = call.context.objects().write("s3://" + bucket + "/" + key, body);
  if (!written) return s3_refused(call, written.error());
  Json answer;
  answer["CopyObjectResult"] = {{"ETag", etag_of(body)},
                                {"LastModified", s3_time(call.context.clock().now())}};
  answer["ServerSideEncryption"] = "AES256";
  return to_payload(answer);
}

Outcome s3_list_objects(TaskCall& call) {
  const Arguments arguments(call.arguments);
  S3_TRY(bucket, arguments.text("Bucket"));
  S3_TRY(prefix, arguments.text_or("Prefix", ""));
  S3_TRY(delimiter, arguments.text_or("Delimiter", ""));
  S3_TRY(start, arguments.text_or("StartAfter", ""));
  S3_TRY(token, arguments.text_or("ContinuationToken", ""));
  S3_TRY(max, arguments.integer_or("MaxKeys", kKeysMax));
  if (max < 0)
    return s3_failure(call, "S3Exception", 400,
                      "Argument maxKeys must be an integer between 0 and 2147483647");
  max = std::min(max, kKeysMax);
  const auto after = token.empty() ? std::optional(start) : base64_decode(token);
  if (!after) return s3_failure(call, "S3Exception", 400, "The continuation token provided is incorrect");
  S3_TRY(folder, call.context.objects().path_of("s3://" + bucket));
  std::error_code error;
  if (!fs::is_directory(folder, error))
    return s3_failure(call, "NoSuchBucketException", 404, "The specified bucket does not exist");
  // The store lists folders; a prefix that ends inside a name is compared here.
  const std::string above =
      prefix.substr(0, prefix.rfind('/') == std::string::npos ? 0 : prefix.rfind('/') + 1);
  auto objects = call.context.objects().list("s3://" + bucket + "/" + above, true);
  if (!objects && objects.error().code != ErrorCode::NotFound) return s3_refused(call, objects.error());
  const Page page =
      page_of(objects.value_or(std::vector<ObjectInfo>()), bucket, prefix, delimiter, *after, max, call);
  Json answer;
  if (!page.prefixes.empty()) answer["CommonPrefixes"] = page.prefixes;
  if (!page.contents.empty()) answer["Contents"] = page.contents;
  if (!token.empty()) answer["ContinuationToken"] = token;
  if (!delimiter.empty()) answer["Delimiter"] = delimiter;
  answer["IsTruncated"] = page.truncated;
  answer["KeyCount"] = page.contents.size() + page.prefixes.size();
  answer["MaxKeys"] = max;
  answer["Name"] = bucket;
  if (page.truncated && !page.last.empty()) answer["NextContinuationToken"] = base64_encode(page.last);
  answer["Prefix"] = prefix;
  if (!start.empty()) answer["StartAfter"] = start;
  return to_payload(answer);
}

Outcome s3_list_objects_v1(TaskCall& call) {
  const Arguments arguments(call.arguments);
  const auto folder = find_bucket(call);
  if (!folder) return tl::unexpected<Failure>(folder.error());
  S3_TRY(bucket, arguments.text("Bucket"));
  S3_TRY(prefix, arguments.text_or("Prefix", ""));
  S3_TRY(delimiter, arguments.text_or("Delimiter", ""));
  S3_TRY(marker, arguments.text_or("Marker", ""));
  S3_TRY(max, arguments.integer_or("MaxKeys", kKeysMax));
  if (max < 0)
    return s3_failure(call, "S3Exception", 400,
                      "Argument maxKeys must be an integer between 0 and 2147483647");
  max = std::min(max, kKeysMax);
  auto objects = call.context.objects().list("s3://" + bucket + "/", true);
  if (!objects && objects.error().code != ErrorCode::NotFound) return s3_refused(call, objects.error());
  const Page page =
      page_of(objects.value_or(std::vector<ObjectInfo>()), bucket, prefix, delimiter, marker, max, call);
  Json answer;
  if (!page.prefixes.empty()) answer["CommonPrefixes"] = page.prefixes;
  if (!page.contents.empty()) answer["Contents"] = page.contents;
  if (!delimiter.empty()) answer["Delimiter"] = delimiter;
  answer["IsTruncated"] = page.truncated;
  answer["Marker"] = marker;
  answer["MaxKeys"] = max;
  answer["Name"] = bucket;
  // Without a delimiter the last key is where the next page begins.
  if (page.truncated && !delimiter.empty()) answer["NextMarker"] = page.last;
  answer["Prefix"] = prefix;
  return to_payload(answer);
}

Outcome s3_get_object_attributes(TaskCall& call) {
  const auto object = find_object(call);
  if (!object) return tl::unexpected<Failure>(object.error());
  const Arguments arguments(call.arguments);
  S3_TRY(bucket, arguments.text("Bucket"));
  S3_TRY(key, arguments.text("Key"));
  S3_TRY(names, arguments.texts("ObjectAttributes"));
  if (names.empty()) return s3_failure(call, "S3Exception", 400, "The ObjectAttributes header is empty");
  Json answer;
  answer["LastModified"] = s3_time(object->modified);
  for (const std::string& name : names) {
    if (name == "ETag") {
      S3_TRY(body, call.context.objects().read("s3://" + bucket + "/" + key));
      answer["ETag"] = digest_hex(Digest::Md5, body);  // without quotes in this answer alone
    } else if (name == "ObjectSize") {
      answer["ObjectSize"] = object->bytes;
    } else if (name == "StorageClass") {
      answer["StorageClass"] = "STANDARD";
    } else if (name != "Checksum" && name != "ObjectParts") {
      return s3_failure(call, "S3Exception", 400, "Invalid attribute name specified.");
    }
  }
  return to_payload(answer);
}

Outcome s3_delete_objects(TaskCall& call) {
  const auto folder = find_bucket(call);
  if (!folder) return tl::unexpected<Failure>(folder.error());
  const Arguments arguments(call.arguments);
  S3_TRY(bucket, arguments.text("Bucket"));
  S3_TRY(wanted, arguments.object("Delete"));
  S3_TRY(objects, wanted.list("Objects"));
  S3_TRY(quiet, wanted.boolean_or("Quiet", false));
  if (objects.empty() || objects.size() > static_cast<std::size_t>(kKeysMax))
    return s3_failure(
        call, "S3Exception", 400,
        "The XML you provided was not well-formed or did not validate against our published schema");
  Json deleted = Json::array(), errors = Json::array();
  for (const Arguments& one : objects) {
    S3_TRY(key, one.text("Key"));
    const auto object = find_object(call, bucket, key);
    const bool gone = !object && object.error().error == "S3.NoSuchKeyException";
    const Status removed =
        object ? call.context.objects().remove_prefix("s3://" + bucket + "/" + key) : Status();
    if (gone || (object && removed)) {
      deleted.push_back({{"Key", key}});
    } else {
      errors.push_back({{"Code", "InternalError"},
                        {"Key", key},
                        {"Message", object ? removed.error().message : object.error().cause}});
    }
  }
  Json answer = Json::object();
  if (!quiet && !deleted.empty()) answer["Deleted"] = std::move(deleted);
  if (!errors.empty()) answer["Errors"] = std::move(errors);
  return to_payload(answer);
}

Outcome s3_create_bucket(TaskCall& call) {
  const Arguments arguments(call.arguments);
  S3_TRY(bucket, arguments.text("Bucket"));
  S3_TRY(folder, call.context.objects().path_of("s3://" + bucket));
  std::error_code error;
  if (fs::is_directory(folder, error))
    return s3_failure(call, "BucketAlreadyOwnedByYouException", 409,
                      "Your previous request to create the named bucket succeeded and you already own it.");
  fs::create_directories(folder, error);
  if (error)
    return s3_failure(call, "S3Exception", 500, "can't make " + folder.string() + ": " + error.message());
  Json answer;
  answer["Location"] = "/" + bucket;
  return to_payload(answer);
}

Outcome s3_delete_bucket(TaskCall& call) {
  const auto folder = find_bucket(call);
  if (!folder) return tl::unexpected<Failure>(folder.error());
  std::error_code error;
  if (fs::remove(*folder, error)) return Payload::empty_object();
  if (error == std::errc::directory_not_empty)
    return s3_failure(call, "S3Exception", 409, "The bucket you tried to delete is not empty");
  return s3_failure(call, "S3Exception", 500, "can't remove " + folder->string() + ": " + error.message());
}

Outcome s3_head_bucket(TaskCall& call) {
  const auto folder = find_bucket(call);
  if (!folder) return tl::unexpected<Failure>(folder.error());
  Json answer;
  answer["AccessPointAlias"] = false;
  answer["BucketRegion"] = call.place ? call.place->region : "us-east-1";
  return to_payload(answer);
}

Outcome s3_list_buckets(TaskCall& call) {
  // Any bucket's folder lies in the folder of all.
  S3_TRY(some, call.context.objects().path_of("s3://b"));
  Json buckets = Json::array();
  std::set<fs::path> folders;
  std::error_code error;
  for (auto entry = fs::directory_iterator(some.parent_path(), error);
       !error && entry != fs::directory_iterator(); entry.increment(error)) {
    std::error_code ignored;
    if (entry->is_directory(ignored) && parse_s3_uri("s3://" + entry->path().filename().string()))
      folders.insert(entry->path());
  }
  for (const fs::path& folder : folders) {
    struct stat info {};
    if (::stat(folder.c_str(), &info) != 0) continue;
    buckets.push_back({{"CreationDate", s3_time(from_millis(std::int64_t{info.st_ctim.tv_sec} * 1000))},
                       {"Name", folder.filename().string()}});
  }
  Json answer;
  answer["Buckets"] = std::move(buckets);
  return to_payload(answer);
}

}  // namespace millrace::tasks
