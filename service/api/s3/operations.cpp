#include "service/api/s3/operations.h"

#include <algorithm>
#include <charconv>

#include "base/encoding.h"
#include "service/api/protocol.h"

namespace millrace::api {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMetadataBytesMax = 2048;
constexpr std::string_view kMetadata = "x-amz-meta-";
constexpr std::string_view kKept[] = {"cache-control",
                                      "content-disposition",
                                      "content-encoding",
                                      "content-language",
                                      "content-type",
                                      "expires",
                                      "x-amz-website-redirect-location"};
// What would have to be kept or done, and is not.
constexpr std::string_view kRefused[] = {"x-amz-tagging", "x-amz-server-side-encryption-customer-algorithm",
                                         "x-amz-object-lock-mode", "x-amz-object-lock-legal-hold",
                                         "x-amz-write-offset-bytes"};

ApiError precondition_failed(const std::string& condition) {
  return {"PreconditionFailed", "At least one of the pre-conditions you specified did not hold: " + condition,
          412};
}

// Whether one of "\"a\", W/\"b\", *" is the ETag.
bool names_etag(std::string_view list, const std::string& etag) {
  while (!list.empty()) {
    const std::size_t comma = std::min(list.find(','), list.size());
    std::string_view one = list.substr(0, comma);
    list.remove_prefix(std::min(comma + 1, list.size()));
    while (one.starts_with(' ')) one.remove_prefix(1);
    while (one.ends_with(' ')) one.remove_suffix(1);
    if (one.starts_with("W/")) one.remove_prefix(2);
    if (one == "*" || unquoted(one) == etag) return true;
  }
  return false;
}

// The value without "aws-chunked", which is of the request's body and not of the object.
std::string content_encoding(std::string_view value) {
  std::string kept;
  while (!value.empty()) {
    const std::size_t comma = std::min(value.find(','), value.size());
    std::string_view one = value.substr(0, comma);
    value.remove_prefix(std::min(comma + 1, value.size()));
    while (one.starts_with(' ')) one.remove_prefix(1);
    while (one.ends_with(' ')) one.remove_suffix(1);
    if (one != "aws-chunked" && !one.empty()) kept.append(kept.empty() ? "" : ",").append(one);
  }
  return kept;
}

}  // namespace

void s3_refuse(S3Call& call, const ApiError& error) {
  call.reply(s3_error_response(error, call.request.path, call.id));
}

void s3_answer(S3Call& call, XmlWriter& xml, std::vector<http::Header> headers) {
  http::Response response;
  response.content_type = "application/xml";
  response.headers = std::move(headers);
  response.body = xml.finish();
  call.reply(std::move(response));
}

ApiError s3_error_of(const Error& error) {
  switch (error.code) {
    case ErrorCode::Conflict:
      return precondition_failed(error.message);
    case ErrorCode::NotFound:
      return {"NoSuchKey", "The specified key does not exist.", 404};
    case ErrorCode::InvalidArgument:
      return {"InvalidRequest", error.message, 400};
    case ErrorCode::OutOfSpace:
      return {"InsufficientStorage", error.message, 507};
    case ErrorCode::Unavailable:
      return {"SlowDown", "Please reduce your request rate.", 503};
    default:
      return {"InternalError", error.message, 500};
  }
}

S3Result<fs::path> s3_bucket(S3Call& call, const std::string& bucket) {
  std::error_code code;
  const fs::path folder = call.store.root / bucket;
  if (!tasks::parse_s3_uri("s3://" + bucket) || bucket.find('/') != std::string::npos ||
      !fs::is_directory(fs::symlink_status(folder, code)))
    return refuse("NoSuchBucket", "The specified bucket does not exist", 404);
  return folder;
}

S3Result<objects::ObjectRecord> s3_record(S3Call& call, const objects::ObjectName& name, const fs::path& path,
                                          const objects::FileState& state) {
  const auto known = call.store.catalog.find(name, state);
  if (!known) return tl::unexpected<ApiError>(s3_error_of(known.error()));
  objects::ObjectRecord record = *known ? **known : objects::ObjectRecord{state, "", {}};
  if (!record.etag.empty()) return record;
  const auto etag = objects::md5_of_file(path);
  if (!etag) return tl::unexpected<ApiError>(s3_error_of(etag.error()));
  record.etag = *etag;
  if (objects::state_of(path) == state) call.store.catalog.remember(name, state, record.etag);
  return record;
}

S3Result<S3Object> s3_object(S3Call& call, const S3Address& address) {
  if (auto folder = s3_bucket(call, address.bucket); !folder) return tl::unexpected<ApiError>(folder.error());
  const auto path = call.store.files.path_of("s3://" + address.bucket + "/" + address.key);
  const auto state = path && !address.key.ends_with('/') ? objects::state_of(*path) : std::nullopt;
  if (!state) return refuse("NoSuchKey", "The specified key does not exist.", 404);
  auto record = s3_record(call, {address.bucket, address.key}, *path, *state);
  if (!record) return tl::unexpected<ApiError>(record.error());
  return S3Object{*path, std::move(*record)};
}

S3Result<fs::path> s3_path_to_write(S3Call& call, const S3Address& address) {
  if (auto folder = s3_bucket(call, address.bucket); !folder) return folder;
  if (address.key.ends_with('/'))
    return refuse("InvalidArgument",
                  "The key '" + address.key +
                      "' ends in '/': objects are files here, and prefixes need no objects of their own");
  if (address.key.size() > 1024) return refuse("KeyTooLongError", "Your key is too long");
  const auto path = call.store.files.path_of("s3://" + address.bucket + "/" + address.key);
  if (path) return *path;
  return refuse("InvalidArgument", path.error().message);
}

S3Result<objects::ObjectHeaders> s3_headers_of(const http::Request& request) {
  objects::ObjectHeaders kept;
  std::size_t metadata = 0;
  for (const http::Header& header : request.headers) {
    if (std::find(std::begin(kRefused), std::end(kRefused), header.name) != std::end(kRefused))
      return refuse("NotImplemented", "The header " + header.name + " is not served here", 501);
    const bool meta = header.name.starts_with(kMetadata);
    if (!meta && std::find(std::begin(kKept), std::end(kKept), header.name) == std::end(kKept)) continue;
    if (meta) metadata += header.name.size() - kMetadata.size() + header.value.size();
    std::string value = header.name == "content-encoding" ? content_encoding(header.value) : header.value;
    if (!value.empty() || meta) kept.emplace_back(header.name, std::move(value));
  }
  if (metadata > kMetadataBytesMax)
    return refuse("MetadataTooLarge", "Your metadata headers exceed the maximum allowed metadata size");
  return kept;
}

S3Result<objects::WriteConditions> s3_write_conditions(const http::Request& request) {
  objects::WriteConditions conditions;
  const std::string_view none = request.header("if-none-match"), match = request.header("if-match");
  if (!none.empty() && none != "*")
    return refuse("NotImplemented",
                  "A header you provided implies functionality that is not implemented: "
                  "If-None-Match of a write is *",
                  501);
  conditions.must_not_exist = !none.empty();
  if (!match.empty()) conditions.must_have = std::string(unquoted(match));
  return conditions;
}

S3Status s3_read_conditions(const http::Request& request, std::string_view prefix, const S3Object& object) {
  const auto header = [&](const char* name) { return request.header(std::string(prefix) + name); };
  const bool copy = !prefix.empty();
  const ApiError not_modified{"NotModified", "Not Modified", 304};
  // Times are compared in whole seconds, as they are told.
  const Instant modified = std::chrono::floor<std::chrono::seconds>(object.record.file.modified());
  if (const auto match = header("if-match"); !match.empty()) {
    if (!names_etag(match, object.record.etag)) return precondition_failed("If-Match");
  } else if (const auto since = parse_http_date(header("if-unmodified-since")); since && modified > *since) {
    return precondition_failed("If-Unmodified-Since");
  }
  if (const auto none = header("if-none-match"); !none.empty()) {
    if (names_etag(none, object.record.etag))
      return copy ? precondition_failed("If-None-Match") : not_modified;
  } else if (const auto since = parse_http_date(header("if-modified-since")); since && modified <= *since) {
    return copy ? precondition_failed("If-Modified-Since") : not_modified;
  }
  return std::nullopt;
}

objects::EventOrigin s3_origin(const S3Call& call, std::string reason) {
  return {std::move(reason), call.id, call.caller.account, ""};
}

std::string in_quotes(const std::string& etag) {
  return "\"" + etag + "\"";
}

std::string_view unquoted(std::string_view etag) {
  if (etag.starts_with('"')) etag.remove_prefix(1);
  if (etag.ends_with('"')) etag.remove_suffix(1);
  return etag;
}

std::string s3_time_text(Instant t) {
  return format_rfc3339(std::chrono::floor<std::chrono::seconds>(t));
}

S3Result<std::int64_t> s3_number(const http::Request& request, std::string_view name,
                                 std::int64_t otherwise) {
  const std::string text = parameter(request.query, name);
  if (text.empty()) return otherwise;
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 0 || value > 2'147'483'647)
    return refuse("InvalidArgument",
                  "Argument " + std::string(name) + " must be an integer between 0 and 2147483647");
  return value;
}

S3Result<std::optional<std::pair<std::uint64_t, std::uint64_t>>> s3_range(std::string_view text,
                                                                          std::uint64_t bytes) {
  using Range = std::optional<std::pair<std::uint64_t, std::uint64_t>>;
  constexpr std::string_view kUnit = "bytes=";
  if (!text.starts_with(kUnit)) return Range();
  text.remove_prefix(kUnit.size());
  const std::size_t dash = text.find('-');
  if (dash == std::string_view::npos) return Range();
  const auto number = [](std::string_view digits) -> std::optional<std::uint64_t> {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    return error == std::errc() && end == digits.data() + digits.size() ? std::optional(value) : std::nullopt;
  };
  const auto first = number(text.substr(0, dash)), last = number(text.substr(dash + 1));
  const bool open = dash + 1 == text.size();
  if (dash == 0 ? !last : (!first || (!open && !last) || (last && *last < *first))) return Range();
  const bool outside = dash == 0 ? *last == 0 || bytes == 0 : *first >= bytes;
  if (outside) return refuse("InvalidRange", "The requested range is not satisfiable", 416);
  if (dash == 0) return Range(std::pair(bytes - std::min(bytes, *last), bytes - 1));
  return Range(std::pair(*first, open ? bytes - 1 : std::min(*last, bytes - 1)));
}

namespace {

constexpr std::pair<S3Operation, S3Work> kWorks[] = {
    {S3Operation::ListBuckets, s3_list_buckets},
    {S3Operation::CreateBucket, s3_create_bucket},
    {S3Operation::HeadBucket, s3_head_bucket},
    {S3Operation::DeleteBucket, s3_delete_bucket},
    {S3Operation::GetBucketLocation, s3_get_bucket_location},
    {S3Operation::GetBucketVersioning, s3_get_bucket_versioning},
    {S3Operation::ListMultipartUploads, s3_list_multipart_uploads},
    {S3Operation::ListObjectsV2, s3_list_objects},
    {S3Operation::ListObjects, s3_list_objects},
    {S3Operation::DeleteObjects, s3_delete_objects},
    {S3Operation::CopyObject, s3_copy_object},
    {S3Operation::UploadPartCopy, s3_upload_part_copy},
    {S3Operation::GetObject, s3_get_object},
    {S3Operation::HeadObject, s3_head_object},
    {S3Operation::GetObjectAttributes, s3_get_object_attributes},
    {S3Operation::ListParts, s3_list_parts},
    {S3Operation::CreateMultipartUpload, s3_create_multipart_upload},
    {S3Operation::CompleteMultipartUpload, s3_complete_multipart_upload},
    {S3Operation::AbortMultipartUpload, s3_abort_multipart_upload},
    {S3Operation::DeleteObject, s3_delete_object},
};

}  // namespace

S3Work s3_work(S3Operation operation) {
  for (const auto& [known, work] : kWorks) {
    if (known == operation) return work;
  }
  return nullptr;
}

}  // namespace millrace::api
