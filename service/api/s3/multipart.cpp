// S3's operations on multipart uploads.

#include <algorithm>

#include "base/encoding.h"
#include "service/api/protocol.h"
#include "service/api/s3/operations.h"

namespace millrace::api {
namespace {

constexpr std::uint64_t kPartBytesMin = 5 << 20;  // of all but the last
constexpr std::int64_t kListedPartsMax = 1000;

ApiError no_such_upload() {
  return {"NoSuchUpload",
          "The specified upload does not exist. The upload ID may be invalid, or the upload may have been "
          "aborted "
          "or completed.",
          404};
}

S3Result<objects::Upload> find_upload(S3Call& call) {
  if (auto folder = s3_bucket(call, call.address.bucket); !folder)
    return tl::unexpected<ApiError>(folder.error());
  auto upload = call.store.uploads.find(parameter(call.request.query, "uploadId"),
                                        {call.address.bucket, call.address.key});
  if (!upload) return tl::unexpected<ApiError>(no_such_upload());
  return std::move(*upload);
}

void write_ids(XmlWriter& xml, const S3Call& call, const std::string& upload) {
  xml.text("Bucket", call.address.bucket).text("Key", call.address.key).text("UploadId", upload);
}

std::string completed_xml(const S3Call& call, const std::string& etag) {
  XmlWriter xml("CompleteMultipartUploadResult");
  const std::string host(call.request.header("host"));
  xml.text("Location",
           "http://" + host + "/" + call.address.bucket + "/" + percent_encode(call.address.key, true));
  xml.text("Bucket", call.address.bucket).text("Key", call.address.key).text("ETag", in_quotes(etag));
  return xml.finish();
}

http::Response xml_response(std::string body) {
  http::Response response;
  response.content_type = "application/xml";
  response.body = std::move(body);
  return response;
}

// The parts that the request names, out of those that are there; InvalidPart, InvalidPartOrder,
// EntityTooSmall.
S3Result<std::vector<objects::UploadPart>> chosen_parts(const XmlNode& document,
                                                        const std::vector<objects::UploadPart>& there) {
  std::vector<objects::UploadPart> chosen;
  for (const XmlNode& node : document.children) {
    if (node.name != "Part") continue;
    const std::string number(node.text_of("PartNumber"));
    const std::string_view etag = unquoted(node.text_of("ETag"));
    const auto part = std::find_if(there.begin(), there.end(), [&](const objects::UploadPart& p) {
      return std::to_string(p.number) == number && p.etag == etag;
    });
    if (part == there.end())
      return refuse(
          "InvalidPart",
          "One or more of the specified parts could not be found. The part may not have been uploaded, or "
          "the specified entity tag may not match the part's entity tag: part " +
              number.substr(0, 20));
    if (!chosen.empty() && chosen.back().number >= part->number)
      return refuse("InvalidPartOrder",
                    "The list of parts was not in ascending order. Parts must be ordered by part number.");
    chosen.push_back(*part);
  }
  if (chosen.empty())
    return refuse(
        "MalformedXML",
        "The XML you provided was not well-formed or did not validate against our published schema");
  for (std::size_t i = 0; i + 1 < chosen.size(); ++i) {
    if (chosen[i].bytes < kPartBytesMin)
      return refuse("EntityTooSmall", "Your proposed upload is smaller than the minimum allowed size: part " +
                                          std::to_string(chosen[i].number) + " has " +
                                          std::to_string(chosen[i].bytes) +
                                          " bytes, and all but the last have at least 5242880");
  }
  return chosen;
}

// MD5 of the parts' MD5s, and their number.
std::string etag_of_parts(const std::vector<objects::UploadPart>& parts) {
  Hasher md5(Digest::Md5);
  for (const objects::UploadPart& part : parts) {
    std::string raw;
    for (std::size_t i = 0; i + 1 < part.etag.size(); i += 2) {
      const auto digit = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
      raw += static_cast<char>(digit(part.etag[i]) * 16 + digit(part.etag[i + 1]));
    }
    md5.update(raw);
  }
  return md5.finish_hex() + "-" + std::to_string(parts.size());
}

}  // namespace

void s3_create_multipart_upload(S3Call& call) {
  MR_S3_TRY(path, s3_path_to_write(call, call.address));
  MR_S3_TRY(headers, s3_headers_of(call.request));
  // Request ids are as random as an upload's has to be.
  const objects::Upload upload{
      call.id, {call.address.bucket, call.address.key}, call.store.clock.now(), std::move(headers)};
  if (const Status begun = call.store.uploads.begin(upload); !begun)
    return s3_refuse(call, s3_error_of(begun.error()));
  XmlWriter xml("InitiateMultipartUploadResult");
  write_ids(xml, call, upload.id);
  s3_answer(call, xml);
}

void s3_upload_part_copy(S3Call& call) {
  MR_S3_TRY(upload, find_upload(call));
  MR_S3_TRY(number, s3_number(call.request, "partNumber", 0));
  if (number < 1 || number > objects::kPartsMax)
    return s3_refuse(call,
                     {"InvalidArgument", "Part number must be an integer between 1 and 10000, inclusive"});
  MR_S3_TRY(source, s3_object(call, copy_source_of(call.request.header("x-amz-copy-source"))));
  if (auto wrong = s3_read_conditions(call.request, "x-amz-copy-source-", source))
    return s3_refuse(call, *wrong);
  const auto bytes = static_cast<std::uint64_t>(source.record.file.bytes);
  const std::string_view asked = call.request.header("x-amz-copy-source-range");
  MR_S3_TRY(range, s3_range(asked, bytes));
  if (!asked.empty() && !range)
    return s3_refuse(
        call, {"InvalidArgument", "The x-amz-copy-source-range value must be of the form bytes=first-last"});
  auto file = call.store.uploads.temporary();
  if (!file) return s3_refuse(call, s3_error_of(file.error()));
  const std::uint64_t first = range ? range->first : 0, count = range ? range->second - first + 1 : bytes;
  if (const Status copied = (*file)->append(source.path, first, count); !copied)
    return s3_refuse(call, s3_error_of(copied.error()));
  const auto path = (*file)->path();
  const auto md5 = objects::md5_of_file(path);
  if (!md5) return s3_refuse(call, s3_error_of(md5.error()));
  if (objects::state_of(source.path) != source.record.file)
    return s3_refuse(call, {"SlowDown", "The source was changed while it was copied; try again.", 503});
  const Status kept =
      call.store.uploads.add_part(upload.id, static_cast<int>(number), *md5, std::move(*file));
  if (!kept)
    return s3_refuse(call,
                     kept.error().code == ErrorCode::NotFound ? no_such_upload() : s3_error_of(kept.error()));
  XmlWriter xml("CopyPartResult");
  xml.text("LastModified", s3_time_text(call.store.clock.now())).text("ETag", in_quotes(*md5));
  s3_answer(call, xml);
}

void s3_complete_multipart_upload(S3Call& call) {
  MR_S3_TRY(path, s3_path_to_write(call, call.address));
  const std::string id = parameter(call.request.query, "uploadId");
  // Completed before, by this or an earlier process, and asked again: the object says by which upload it was
  // made.
  if (const auto state = objects::state_of(path)) {
    const auto known = call.store.catalog.find({call.address.bucket, call.address.key}, *state);
    if (known && *known && objects::header_of((*known)->headers, objects::kUploadHeader) == id) {
      (void)call.store.uploads.remove(id);
      return call.reply(xml_response(completed_xml(call, (*known)->etag)));
    }
  }
  MR_S3_TRY(upload, find_upload(call));
  MR_S3_TRY(conditions, s3_write_conditions(call.request));
  const auto document = parse_request_xml(call.request.body);
  if (!document || document->name != "CompleteMultipartUpload")
    return s3_refuse(
        call, {"MalformedXML",
               "The XML you provided was not well-formed or did not validate against our published schema"});
  const auto there = call.store.uploads.parts(id);
  if (!there) return s3_refuse(call, no_such_upload());
  MR_S3_TRY(parts, chosen_parts(*document, *there));
  auto file = call.store.uploads.temporary();
  if (!file) return s3_refuse(call, s3_error_of(file.error()));
  for (const objects::UploadPart& part : parts) {
    const Status added = (*file)->append(part.path, 0, part.bytes);
    if (!added)
      return s3_refuse(
          call, added.error().code == ErrorCode::NotFound ? no_such_upload() : s3_error_of(added.error()));
  }
  const auto state = (*file)->finish();
  if (!state) return s3_refuse(call, s3_error_of(state.error()));
  objects::ObjectRecord record{*state, etag_of_parts(parts), std::move(upload.headers)};
  record.headers.emplace_back(objects::kUploadHeader, id);
  http::Response response = xml_response(completed_xml(call, record.etag));
  call.store.catalog.put({{call.address.bucket, call.address.key},
                          (*file)->release(),
                          path,
                          std::move(record),
                          std::move(conditions),
                          s3_origin(call, "CompleteMultipartUpload")},
                         [&store = call.store, reply = call.reply, error_path = call.request.path, id,
                          request = call.id, response = std::move(response)](const Status& done) mutable {
                           if (!done)
                             return reply(s3_error_response(s3_error_of(done.error()), error_path, request));
                           // What can't be removed now is removed when it is old.
                           (void)store.uploads.remove(id);
                           reply(std::move(response));
                         });
}

void s3_abort_multipart_upload(S3Call& call) {
  MR_S3_TRY(upload, find_upload(call));
  if (const Status removed = call.store.uploads.remove(upload.id); !removed)
    return s3_refuse(call, s3_error_of(removed.error()));
  http::Response response;
  response.status = 204;
  call.reply(std::move(response));
}

void s3_list_parts(S3Call& call) {
  MR_S3_TRY(upload, find_upload(call));
  MR_S3_TRY(after, s3_number(call.request, "part-number-marker", 0));
  MR_S3_TRY(asked, s3_number(call.request, "max-parts", kListedPartsMax));
  const auto most = static_cast<std::size_t>(std::min(asked, kListedPartsMax));
  const auto parts = call.store.uploads.parts(upload.id);
  if (!parts) return s3_refuse(call, no_such_upload());
  XmlWriter xml("ListPartsResult");
  write_ids(xml, call, upload.id);
  std::vector<const objects::UploadPart*> page;
  bool truncated = false;
  for (const objects::UploadPart& part : *parts) {
    if (part.number <= after) continue;
    truncated = page.size() == most;
    if (truncated) break;
    page.push_back(&part);
  }
  xml.number("PartNumberMarker", static_cast<std::uint64_t>(after));
  if (truncated && !page.empty())
    xml.number("NextPartNumberMarker", static_cast<std::uint64_t>(page.back()->number));
  xml.number("MaxParts", most)
      .text("IsTruncated", truncated ? "true" : "false")
      .text("StorageClass", "STANDARD");
  for (const objects::UploadPart* part : page) {
    xml.open("Part").number("PartNumber", static_cast<std::uint64_t>(part->number));
    xml.text("LastModified", s3_time_text(part->modified)).text("ETag", in_quotes(part->etag));
    xml.number("Size", part->bytes).close();
  }
  s3_answer(call, xml);
}

void s3_list_multipart_uploads(S3Call& call) {
  MR_S3_TRY(folder, s3_bucket(call, call.address.bucket));
  const std::string prefix = parameter(call.request.query, "prefix");
  const std::string key_after = parameter(call.request.query, "key-marker");
  const std::string id_after = parameter(call.request.query, "upload-id-marker");
  MR_S3_TRY(asked, s3_number(call.request, "max-uploads", kListedPartsMax));
  const auto most = static_cast<std::size_t>(std::min(asked, kListedPartsMax));
  const bool as_url = parameter(call.request.query, "encoding-type") == "url";
  const auto shown = [&](const std::string& text) { return as_url ? percent_encode(text, true) : text; };
  std::vector<objects::Upload> page;
  bool truncated = false;
  for (objects::Upload& upload : call.store.uploads.list(call.address.bucket)) {
    const std::string& key = upload.name.key;
    const bool before = key < key_after || (key == key_after && (id_after.empty() || upload.id <= id_after));
    if (!key.starts_with(prefix) || (!key_after.empty() && before)) continue;
    truncated = page.size() == most;
    if (truncated) break;
    page.push_back(std::move(upload));
  }
  XmlWriter xml("ListMultipartUploadsResult");
  xml.text("Bucket", call.address.bucket)
      .text("KeyMarker", shown(key_after))
      .text("UploadIdMarker", id_after);
  if (truncated && !page.empty())
    xml.text("NextKeyMarker", shown(page.back().name.key)).text("NextUploadIdMarker", page.back().id);
  xml.text("Prefix", shown(prefix))
      .number("MaxUploads", most)
      .text("IsTruncated", truncated ? "true" : "false");
  if (as_url) xml.text("EncodingType", "url");
  for (const objects::Upload& upload : page) {
    xml.open("Upload").text("Key", shown(upload.name.key)).text("UploadId", upload.id);
    xml.text("StorageClass", "STANDARD").text("Initiated", s3_time_text(upload.begun)).close();
  }
  s3_answer(call, xml);
}

}  // namespace millrace::api
