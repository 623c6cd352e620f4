#pragma once
// What S3's operations share: finding buckets and objects, errors in S3's words, answers. Worker thread.

#include "service/api/s3/s3.h"
#include "service/api/s3/xml.h"

namespace millrace::api {

#define MR_S3_TRY_(tmp, name, ...)               \
  auto tmp = (__VA_ARGS__);                      \
  if (!tmp) return s3_refuse(call, tmp.error()); \
  auto name = std::move(*tmp)
// MR_S3_TRY(name, expression): its value, or the call is answered with its error.
#define MR_S3_TRY(name, ...) MR_S3_TRY_(MR_CONCAT(mr_s3_, __LINE__), name, __VA_ARGS__)

template <class T>
using S3Result = tl::expected<T, ApiError>;

void s3_refuse(S3Call& call, const ApiError& error);
void s3_answer(S3Call& call, XmlWriter& xml, std::vector<http::Header> headers = {});
ApiError s3_error_of(const Error& error);  // of the catalog and of files

// Its folder; NoSuchBucket.
S3Result<std::filesystem::path> s3_bucket(S3Call& call, const std::string& bucket);
struct S3Object {
  std::filesystem::path path;
  objects::ObjectRecord record;  // with its ETag
};
// NoSuchBucket, NoSuchKey.
S3Result<S3Object> s3_object(S3Call& call, const S3Address& address);
// What is known of an object in this state; its ETag is computed when nobody has.
S3Result<objects::ObjectRecord> s3_record(S3Call& call, const objects::ObjectName& name,
                                          const std::filesystem::path& path, const objects::FileState& state);
// Where an object that is to be written belongs; InvalidArgument for a key that no file can have.
S3Result<std::filesystem::path> s3_path_to_write(S3Call& call, const S3Address& address);

// What a request says to keep with an object; MetadataTooLarge, NotImplemented.
S3Result<objects::ObjectHeaders> s3_headers_of(const http::Request& request);
// If-Match and If-None-Match of a write.
S3Result<objects::WriteConditions> s3_write_conditions(const http::Request& request);
// If-Match, If-None-Match, If-Modified-Since, If-Unmodified-Since of a read; `prefix`: "x-amz-copy-source-"
// of a copy. 412 PreconditionFailed or 304.
S3Status s3_read_conditions(const http::Request& request, std::string_view prefix, const S3Object& object);

objects::EventOrigin s3_origin(const S3Call& call, std::string reason);
std::string in_quotes(const std::string& etag);
std::string_view unquoted(std::string_view etag);
std::string s3_time_text(Instant t);  // "2026-11-21T11:09:01.000Z"
// A parameter of the query that is a number; InvalidArgument.
S3Result<std::int64_t> s3_number(const http::Request& request, std::string_view name, std::int64_t otherwise);
// First and last byte of "bytes=…" in so many bytes: nothing where it is no range (all of it is meant).
// InvalidRange.
S3Result<std::optional<std::pair<std::uint64_t, std::uint64_t>>> s3_range(std::string_view text,
                                                                          std::uint64_t bytes);

void s3_list_buckets(S3Call& call);
void s3_create_bucket(S3Call& call);
void s3_head_bucket(S3Call& call);
void s3_delete_bucket(S3Call& call);
void s3_get_bucket_location(S3Call& call);
void s3_get_bucket_versioning(S3Call& call);
void s3_list_objects(S3Call& call);  // both versions
void s3_get_object(S3Call& call);
void s3_head_object(S3Call& call);
void s3_get_object_attributes(S3Call& call);
void s3_copy_object(S3Call& call);
void s3_delete_object(S3Call& call);
void s3_delete_objects(S3Call& call);
void s3_create_multipart_upload(S3Call& call);
void s3_upload_part_copy(S3Call& call);
void s3_complete_multipart_upload(S3Call& call);
void s3_abort_multipart_upload(S3Call& call);
void s3_list_parts(S3Call& call);
void s3_list_multipart_uploads(S3Call& call);

}  // namespace millrace::api
