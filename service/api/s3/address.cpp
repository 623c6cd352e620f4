#include "service/api/s3/address.h"

#include <algorithm>

#include "base/encoding.h"
#include "service/api/protocol.h"

namespace millrace::api {
namespace {

using enum S3Operation;

enum class Where { Service, Bucket, Object };

struct OperationRow {
  std::string_view name;
  std::string_view method;
  Where where;
  std::string_view parameter;  // of the query, that it must have; empty: none
  std::string_view header;     // the same
  std::string_view action;     // of a policy; empty: it is the name
};
// In the order of the enumeration. Where several rows fit, the one that asks for most is meant: they stand
// behind each other in kOrder.
constexpr OperationRow kRows[] = {
    {"ListBuckets", "GET", Where::Service, "", "", "ListAllMyBuckets"},
    {"CreateBucket", "PUT", Where::Bucket, "", "", ""},
    {"HeadBucket", "HEAD", Where::Bucket, "", "", "ListBucket"},
    {"DeleteBucket", "DELETE", Where::Bucket, "", "", ""},
    {"GetBucketLocation", "GET", Where::Bucket, "location", "", ""},
    {"GetBucketVersioning", "GET", Where::Bucket, "versioning", "", ""},
    {"ListMultipartUploads", "GET", Where::Bucket, "uploads", "", "ListBucketMultipartUploads"},
    {"ListObjectsV2", "GET", Where::Bucket, "list-type", "", "ListBucket"},
    {"ListObjects", "GET", Where::Bucket, "", "", "ListBucket"},
    {"DeleteObjects", "POST", Where::Bucket, "delete", "", "DeleteObject"},
    {"PutObject", "PUT", Where::Object, "", "", ""},
    {"CopyObject", "PUT", Where::Object, "", "x-amz-copy-source", "PutObject"},
    {"UploadPart", "PUT", Where::Object, "uploadId", "", "PutObject"},
    {"UploadPartCopy", "PUT", Where::Object, "uploadId", "x-amz-copy-source", "PutObject"},
    {"GetObject", "GET", Where::Object, "", "", ""},
    {"HeadObject", "HEAD", Where::Object, "", "", "GetObject"},
    {"GetObjectAttributes", "GET", Where::Object, "attributes", "", ""},
    {"ListParts", "GET", Where::Object, "uploadId", "", "ListMultipartUploadParts"},
    {"CreateMultipartUpload", "POST", Where::Object, "uploads", "", "PutObject"},
    {"CompleteMultipartUpload", "POST", Where::Object, "uploadId", "", "PutObject"},
    {"AbortMultipartUpload", "DELETE", Where::Object, "uploadId", "", "AbortMultipartUpload"},
    {"DeleteObject", "DELETE", Where::Object, "", "", ""},
};
static_assert(std::size(kRows) == static_cast<std::size_t>(NotImplemented));

// Subresources of S3 that are not here. Parameters that no list knows are passed over, as S3 does.
constexpr std::string_view kNotHere[] = {"accelerate",
                                         "acl",
                                         "analytics",
                                         "cors",
                                         "encryption",
                                         "intelligent-tiering",
                                         "inventory",
                                         "legal-hold",
                                         "lifecycle",
                                         "logging",
                                         "metrics",
                                         "notification",
                                         "object-lock",
                                         "ownershipControls",
                                         "policy",
                                         "policyStatus",
                                         "publicAccessBlock",
                                         "replication",
                                         "requestPayment",
                                         "restore",
                                         "retention",
                                         "select",
                                         "tagging",
                                         "torrent",
                                         "versions",
                                         "website"};

// "bucket" of "bucket.localhost", "bucket.s3.localhost", "bucket.s3.REGION.localhost"; empty: none.
std::string bucket_of_host(std::string_view host) {
  host = host.substr(0, host.find(':'));
  constexpr std::string_view kLocal = ".localhost";
  if (!host.ends_with(kLocal)) return {};
  host.remove_suffix(kLocal.size());
  const std::size_t service = host.rfind(".s3");
  const bool regional =
      service != std::string_view::npos && (service + 3 == host.size() || host[service + 3] == '.');
  if (regional) host = host.substr(0, service);
  if (host == "s3" || host.starts_with("s3.")) return {};
  return std::string(host);
}

bool fits(const OperationRow& row, const http::Request& request, Where where) {
  return row.where == where && row.method == request.method &&
         (row.parameter.empty() || has_parameter(request.query, row.parameter)) &&
         (row.header.empty() || !request.header(row.header).empty());
}

int asks(const OperationRow& row) {
  return (row.parameter.empty() ? 0 : 1) + (row.header.empty() ? 0 : 1);
}

}  // namespace

bool has_parameter(std::string_view query, std::string_view name) {
  while (!query.empty()) {
    const std::size_t end = query.find('&');
    const std::string_view pair = query.substr(0, end);
    if (pair.substr(0, pair.find('=')) == name) return true;
    if (end == std::string_view::npos) return false;
    query.remove_prefix(end + 1);
  }
  return false;
}

S3Address s3_address(const http::Request& request) {
  std::string_view path = request.path;
  if (path.starts_with('/')) path.remove_prefix(1);
  if (std::string bucket = bucket_of_host(request.header("host")); !bucket.empty())
    return {std::move(bucket), percent_decode(path)};
  const std::size_t slash = path.find('/');
  if (slash == std::string_view::npos) return {percent_decode(path), ""};
  return {percent_decode(path.substr(0, slash)), percent_decode(path.substr(slash + 1))};
}

S3Request s3_request(const http::Request& request) {
  S3Request found;
  found.address = s3_address(request);
  const Where where = found.address.bucket.empty() ? Where::Service
                      : found.address.key.empty()  ? Where::Bucket
                                                   : Where::Object;
  for (const std::string_view name : kNotHere) {
    if (where == Where::Service || !has_parameter(request.query, name)) continue;
    found.operation = NotImplemented;
    found.subresource = name;
    return found;
  }
  const OperationRow* best = nullptr;
  for (const OperationRow& row : kRows) {
    if (fits(row, request, where) && (!best || asks(row) > asks(*best))) best = &row;
  }
  if (best) found.operation = static_cast<S3Operation>(best - kRows);
  return found;
}

std::string_view name_of(S3Operation operation) {
  const auto index = static_cast<std::size_t>(operation);
  return index < std::size(kRows) ? kRows[index].name : std::string_view("S3");
}

S3Address copy_source_of(std::string_view header) {
  header = header.substr(0, header.find("?versionId="));
  std::string text = percent_decode(header);
  if (text.starts_with('/')) text.erase(0, 1);
  const std::size_t slash = text.find('/');
  if (slash == std::string::npos) return {text, ""};
  return {text.substr(0, slash), text.substr(slash + 1)};
}

std::vector<auth::Demand> s3_demands(const http::Request& request) {
  const S3Request asked = s3_request(request);
  const auto index = static_cast<std::size_t>(asked.operation);
  if (index >= std::size(kRows)) return {{"s3:*", "*"}};
  const OperationRow& row = kRows[index];
  const std::string action = "s3:" + std::string(row.action.empty() ? row.name : row.action);
  const std::string bucket = "arn:aws:s3:::" + asked.address.bucket;
  if (row.where == Where::Service) return {{action, "*"}};
  if (asked.operation == DeleteObjects) return {{action, bucket + "/*"}};
  if (row.where == Where::Bucket) return {{action, bucket}};
  std::vector<auth::Demand> demands = {{action, bucket + "/" + asked.address.key}};
  if (asked.operation == CopyObject || asked.operation == UploadPartCopy) {
    const S3Address source = copy_source_of(request.header("x-amz-copy-source"));
    demands.push_back({"s3:GetObject", "arn:aws:s3:::" + source.bucket + "/" + source.key});
  }
  return demands;
}

bool looks_like_s3(const http::Request& request) {
  const bool forms = is_form(request) && request.method == "POST" &&
                     !has_parameter(request.query, "uploads") && !has_parameter(request.query, "uploadId") &&
                     !has_parameter(request.query, "delete");
  if (forms) return false;
  const S3Request asked = s3_request(request);
  if (asked.operation == Nothing) return false;
  if (!asked.address.key.empty()) return true;
  if (!bucket_of_host(request.header("host")).empty()) return true;
  // The path of a bucket alone may be anybody's: what is asked of it must say more.
  const bool whole =
      asked.operation == CreateBucket || asked.operation == DeleteBucket || asked.operation == HeadBucket;
  const bool asks_more = asked.operation != ListObjects && asked.operation != ListBuckets;
  return (whole && request.path != "/healthz" && !asked.address.bucket.empty()) || (!whole && asks_more) ||
         !request.header("x-amz-content-sha256").empty();
}

bool streams_to_s3(const http::Request& request, bool signed_for_s3) {
  if (request.method != "PUT" || !request.header("x-amz-target").empty()) return false;
  if (!signed_for_s3 && !looks_like_s3(request)) return false;
  const S3Operation operation = s3_request(request).operation;
  return operation == PutObject || operation == UploadPart;
}

}  // namespace millrace::api
