// S3's operations on buckets, and the listings of their objects.

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <set>

#include "base/encoding.h"
#include "service/api/protocol.h"
#include "service/api/s3/operations.h"
#include "service/objects/key_walk.h"
#include "tasks/artifacts/files.h"

namespace millrace::api {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kListedMax = 1000;

// S3's rules are narrower than those of the object store: what is made here is a good name elsewhere, too.
bool is_new_bucket_name(const std::string& name) {
  const auto good = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
  };
  const bool ends =
      !name.empty() && name.front() != '-' && name.front() != '.' && name.back() != '-' && name.back() != '.';
  return name.size() >= 3 && name.size() <= 63 && ends && name.find("..") == std::string::npos &&
         std::all_of(name.begin(), name.end(), good);
}

Instant made_at(const fs::path& folder) {
  struct statx info {};
  if (::statx(AT_FDCWD, folder.c_str(), AT_SYMLINK_NOFOLLOW, STATX_BTIME | STATX_CTIME, &info) != 0)
    return {};
  const auto& time = (info.stx_mask & STATX_BTIME) != 0 ? info.stx_btime : info.stx_ctime;
  return from_millis(time.tv_sec * 1000);
}

void write_owner(XmlWriter& xml, const S3Call& call) {
  xml.open("Owner").text("ID", call.caller.account).text("DisplayName", call.caller.account).close();
}

// What a listing is asked for.
struct Wanted {
  bool second = false;  // ListObjectsV2
  std::string prefix, delimiter, after, token, start_after, marker;
  bool after_is_group = false;
  bool as_url = false, owner = false;
  std::int64_t max = kListedMax;
  std::string shown(const std::string& text) const { return as_url ? percent_encode(text, true) : text; }
};

// The prefix that a key shares with others; empty: none.
std::string group_of(const Wanted& wanted, const std::string& key) {
  if (wanted.delimiter.empty() || key.size() < wanted.prefix.size()) return {};
  const std::size_t at = key.find(wanted.delimiter, wanted.prefix.size());
  return at == std::string::npos ? std::string() : key.substr(0, at + wanted.delimiter.size());
}

S3Result<Wanted> read_wanted(const S3Call& call) {
  const std::string& query = call.request.query;
  Wanted wanted;
  wanted.second = has_parameter(query, "list-type");
  if (wanted.second && parameter(query, "list-type") != "2")
    return refuse("InvalidArgument", "Invalid List Type specified in Request");
  wanted.prefix = parameter(query, "prefix");
  wanted.delimiter = parameter(query, "delimiter");
  const std::string encoding = parameter(query, "encoding-type");
  if (!encoding.empty() && encoding != "url")
    return refuse("InvalidArgument", "Invalid Encoding Method specified in Request");
  wanted.as_url = !encoding.empty();
  wanted.owner = !wanted.second || parameter(query, "fetch-owner") == "true";
  auto max = s3_number(call.request, "max-keys", kListedMax);
  if (!max) return tl::unexpected<ApiError>(max.error());
  wanted.max = std::min(*max, kListedMax);
  wanted.marker = parameter(query, "marker");
  wanted.start_after = parameter(query, "start-after");
  wanted.token = parameter(query, "continuation-token");
  wanted.after = wanted.second ? wanted.start_after : wanted.marker;
  if (wanted.second && !wanted.token.empty()) {
    auto after = base64_decode(wanted.token);
    if (!after || after->empty())
      return refuse("InvalidArgument", "The continuation token provided is incorrect");
    wanted.after = std::move(*after);
  }
  // A page that ended with a shared prefix is gone on with behind all of its objects.
  wanted.after_is_group = !wanted.after.empty() && wanted.after.starts_with(wanted.prefix) &&
                          group_of(wanted, wanted.after) == wanted.after;
  return wanted;
}

struct Listed {
  std::vector<std::pair<std::string, objects::ObjectRecord>> objects;
  std::vector<std::string> prefixes;
  std::string last;
  bool truncated = false;
};

S3Result<Listed> list(S3Call& call, const fs::path& folder, const Wanted& wanted) {
  Listed listed;
  if (wanted.max == 0) return listed;
  objects::KeyWalk walk(folder, wanted.prefix, wanted.after);
  if (wanted.after_is_group) walk.skip(wanted.after);
  for (;;) {
    const auto object = walk.next();
    if (!object) return tl::unexpected<ApiError>(s3_error_of(object.error()));
    if (!*object) return listed;
    const std::string& key = (*object)->key;
    if (static_cast<std::int64_t>(listed.objects.size() + listed.prefixes.size()) == wanted.max) {
      listed.truncated = true;
      return listed;
    }
    if (std::string group = group_of(wanted, key); !group.empty()) {
      walk.skip(group);
      listed.last = group;
      listed.prefixes.push_back(std::move(group));
      continue;
    }
    auto record = s3_record(call, {call.address.bucket, key}, folder / key, (*object)->file);
    if (!record && record.error().status == 404) continue;  // gone meanwhile
    if (!record) return tl::unexpected<ApiError>(record.error());
    listed.last = key;
    listed.objects.emplace_back(key, std::move(*record));
  }
}

}  // namespace

void s3_list_buckets(S3Call& call) {
  std::set<std::string> names;
  std::error_code code;
  for (auto entry = fs::directory_iterator(call.store.root, code); !code && entry != fs::directory_iterator();
       entry.increment(code)) {
    const std::string name = entry->path().filename().string();
    if (s3_bucket(call, name)) names.insert(name);
  }
  XmlWriter xml("ListAllMyBucketsResult");
  write_owner(xml, call);
  xml.open("Buckets");
  for (const std::string& name : names)
    xml.open("Bucket")
        .text("Name", name)
        .text("CreationDate", s3_time_text(made_at(call.store.root / name)))
        .close();
  s3_answer(call, xml);
}

void s3_create_bucket(S3Call& call) {
  const std::string& name = call.address.bucket;
  if (!is_new_bucket_name(name))
    return s3_refuse(call,
                     {"InvalidBucketName",
                      "The specified bucket is not valid: 3 to 63 of a-z, 0-9, '-' and '.', which it neither "
                      "begins nor ends with: '" +
                          name.substr(0, 100) + "'"});
  const fs::path folder = call.store.root / name;
  if (::mkdir(folder.c_str(), 0777) != 0) {
    if (errno == EEXIST)
      return s3_refuse(
          call, {"BucketAlreadyOwnedByYou",
                 "Your previous request to create the named bucket succeeded and you already own it.", 409});
    return s3_refuse(call,
                     {"InternalError", "can't make the bucket: " + std::string(std::strerror(errno)), 500});
  }
  if (const Status synced = tasks::sync_directory(call.store.root); !synced)
    return s3_refuse(call, s3_error_of(synced.error()));
  http::Response response;
  response.headers.push_back({"Location", "/" + name});
  call.reply(std::move(response));
}

void s3_head_bucket(S3Call& call) {
  MR_S3_TRY(folder, s3_bucket(call, call.address.bucket));
  http::Response response;
  response.content_type = "application/xml";
  response.headers.push_back({"x-amz-bucket-region", call.store.place.region});
  call.reply(std::move(response));
}

void s3_delete_bucket(S3Call& call) {
  MR_S3_TRY(folder, s3_bucket(call, call.address.bucket));
  objects::KeyWalk walk(folder, "");
  const auto first = walk.next();
  if (!first) return s3_refuse(call, s3_error_of(first.error()));
  // Folders that hold nothing are no objects, and go with the bucket: the deepest first.
  std::vector<fs::path> folders;
  std::error_code code;
  for (auto entry = fs::recursive_directory_iterator(folder, code);
       !*first && !code && entry != fs::recursive_directory_iterator(); entry.increment(code)) {
    std::error_code ignored;
    if (fs::is_directory(entry->symlink_status(ignored))) folders.push_back(entry->path());
  }
  for (auto empty = folders.rbegin(); empty != folders.rend(); ++empty) ::rmdir(empty->c_str());
  if (*first || ::rmdir(folder.c_str()) != 0)
    return s3_refuse(call, {"BucketNotEmpty", "The bucket you tried to delete is not empty", 409});
  http::Response response;
  response.status = 204;
  call.reply(std::move(response));
}

void s3_get_bucket_location(S3Call& call) {
  MR_S3_TRY(folder, s3_bucket(call, call.address.bucket));
  const std::string& region = call.store.place.region;
  http::Response response;
  response.content_type = "application/xml";
  response.body =
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<LocationConstraint "
      "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">" +
      (region == "us-east-1" ? std::string() : escape_xml(region)) + "</LocationConstraint>";
  call.reply(std::move(response));
}

void s3_get_bucket_versioning(S3Call& call) {
  MR_S3_TRY(folder, s3_bucket(call, call.address.bucket));
  XmlWriter xml("VersioningConfiguration");
  s3_answer(call, xml);
}

void s3_list_objects(S3Call& call) {
  MR_S3_TRY(folder, s3_bucket(call, call.address.bucket));
  MR_S3_TRY(wanted, read_wanted(call));
  MR_S3_TRY(listed, list(call, folder, wanted));
  XmlWriter xml("ListBucketResult");
  xml.text("Name", call.address.bucket).text("Prefix", wanted.shown(wanted.prefix));
  if (wanted.second) {
    if (!wanted.token.empty()) xml.text("ContinuationToken", wanted.token);
    if (!wanted.start_after.empty()) xml.text("StartAfter", wanted.shown(wanted.start_after));
    xml.number("KeyCount", listed.objects.size() + listed.prefixes.size());
    if (listed.truncated) xml.text("NextContinuationToken", base64_encode(listed.last));
  } else {
    xml.text("Marker", wanted.shown(wanted.marker));
    if (listed.truncated && !wanted.delimiter.empty()) xml.text("NextMarker", wanted.shown(listed.last));
  }
  xml.number("MaxKeys", static_cast<std::uint64_t>(wanted.max));
  if (!wanted.delimiter.empty()) xml.text("Delimiter", wanted.shown(wanted.delimiter));
  if (wanted.as_url) xml.text("EncodingType", "url");
  xml.text("IsTruncated", listed.truncated ? "true" : "false");
  for (const auto& [key, record] : listed.objects) {
    xml.open("Contents").text("Key", wanted.shown(key));
    xml.text("LastModified", s3_time_text(record.file.modified())).text("ETag", in_quotes(record.etag));
    xml.number("Size", static_cast<std::uint64_t>(record.file.bytes)).text("StorageClass", "STANDARD");
    if (wanted.owner) write_owner(xml, call);
    xml.close();
  }
  for (const std::string& prefix : listed.prefixes)
    xml.open("CommonPrefixes").text("Prefix", wanted.shown(prefix)).close();
  s3_answer(call, xml);
}

}  // namespace millrace::api
