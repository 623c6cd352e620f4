#pragma once
// What an S3 request is about: bucket and key of its path (path style) or host and path (virtual-host style),
// and the operation that method and query name. Pure; any thread. Source: Amazon S3 API reference,
// "Virtual hosting of general purpose buckets"; the URIs of the operations.

#include <string>
#include <string_view>
#include <vector>

#include "service/auth/policy.h"
#include "service/http/message.h"

namespace millrace::api {

struct S3Address {
  std::string bucket, key;  // decoded; empty: none
};
// The bucket in "bucket.localhost:8083", "bucket.s3.localhost" and "bucket.s3.eu-central-1.localhost"; else
// in the path.
S3Address s3_address(const http::Request& request);

enum class S3Operation {
  ListBuckets,
  CreateBucket,
  HeadBucket,
  DeleteBucket,
  GetBucketLocation,
  GetBucketVersioning,
  ListMultipartUploads,
  ListObjectsV2,
  ListObjects,
  DeleteObjects,
  PutObject,
  CopyObject,
  UploadPart,
  UploadPartCopy,
  GetObject,
  HeadObject,
  GetObjectAttributes,
  ListParts,
  CreateMultipartUpload,
  CompleteMultipartUpload,
  AbortMultipartUpload,
  DeleteObject,
  NotImplemented,  // a subresource that there is none of here
  Nothing,         // no operation has this method here
};
struct S3Request {
  S3Operation operation = S3Operation::Nothing;
  S3Address address;
  std::string subresource;  // what is not implemented
};
S3Request s3_request(const http::Request& request);
std::string_view name_of(S3Operation operation);

// "bucket/key" or "/bucket/key", encoded, as x-amz-copy-source has it; without its versionId.
S3Address copy_source_of(std::string_view header);

// Whether the query has the parameter, with or without a value.
bool has_parameter(std::string_view query, std::string_view name);

// The rights that a caller needs. `bodies` is what DeleteObjects names: whoever may delete in the bucket.
std::vector<auth::Demand> s3_demands(const http::Request& request);
// Whether a request without a signature looks like S3's rather than anything else's.
bool looks_like_s3(const http::Request& request);
// Whether the request's body is an object's, to be read piece by piece. `signed_for_s3`: as its credential
// says.
bool streams_to_s3(const http::Request& request, bool signed_for_s3);

}  // namespace millrace::api
