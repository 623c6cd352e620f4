// S3's operations on objects: reading, writing, copying, deleting.

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <mutex>

#include "base/encoding.h"
#include "service/api/protocol.h"
#include "service/api/s3/operations.h"

namespace millrace::api {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kWholeBytesMax = 256 << 10;  // of an object that is answered in one piece
constexpr std::size_t kDeletedMax = 1000;
constexpr std::string_view kOverrides[][2] = {{"response-content-type", "content-type"},
                                              {"response-content-language", "content-language"},
                                              {"response-expires", "expires"},
                                              {"response-cache-control", "cache-control"},
                                              {"response-content-disposition", "content-disposition"},
                                              {"response-content-encoding", "content-encoding"}};

bool has_control_character(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c == 0x7F; });
}

// The head of an answer about an object.
http::Response about_object(const S3Call& call, const S3Object& object, bool whole) {
  http::Response response;
  response.content_type = "binary/octet-stream";
  response.headers = {{"ETag", in_quotes(object.record.etag)},
                      {"Last-Modified", format_http_date(object.record.file.modified())},
                      {"Accept-Ranges", "bytes"}};
  const bool checksums = whole && call.request.header("x-amz-checksum-mode") == "ENABLED";
  const auto set = [&](std::string_view name, std::string value) {
    if (name == "content-type")
      response.content_type = std::move(value);
    else
      response.headers.push_back({std::string(name), std::move(value)});
  };
  for (const auto& [name, value] : object.record.headers) {
    const bool overridden =
        std::any_of(std::begin(kOverrides), std::end(kOverrides), [&, n = &name](const auto& pair) {
          return pair[1] == *n && has_parameter(call.request.query, pair[0]);
        });
    const bool checksum = name.starts_with("x-amz-checksum-");
    if (name == objects::kUploadHeader || overridden || (checksum && !checksums)) continue;
    set(name, value);
    if (checksum) set("x-amz-checksum-type", "FULL_OBJECT");
  }
  for (const auto& [from, to] : kOverrides) {
    std::string value = parameter(call.request.query, from);
    if (!value.empty() && !has_control_character(value)) set(to, std::move(value));
  }
  return response;
}

struct Opened {
  int file = -1;
  Opened() = default;
  Opened(const Opened&) = delete;
  Opened& operator=(const Opened&) = delete;
  ~Opened() {
    if (file >= 0) ::close(file);
  }
  int release() { return std::exchange(file, -1); }
};

// A condition of a read does not hold: an error, or that nothing has changed.
void not_now(S3Call& call, const S3Object& object, const ApiError& why) {
  if (why.status != 304) return s3_refuse(call, why);
  http::Response response = about_object(call, object, false);
  response.status = 304;
  call.reply(std::move(response));
}

ApiError not_part_of_object() {
  return {"NotImplemented", "partNumber of a read is not served here: use Range", 501};
}

}  // namespace

void s3_head_object(S3Call& call) {
  if (has_parameter(call.request.query, "partNumber")) return s3_refuse(call, not_part_of_object());
  MR_S3_TRY(object, s3_object(call, call.address));
  if (auto wrong = s3_read_conditions(call.request, "", object)) return not_now(call, object, *wrong);
  const auto bytes = static_cast<std::uint64_t>(object.record.file.bytes);
  MR_S3_TRY(range, s3_range(call.request.header("range"), bytes));
  http::Response response = about_object(call, object, !range);
  response.length = bytes;
  if (range) {
    response.status = 206;
    response.length = range->second - range->first + 1;
    response.headers.push_back({"Content-Range", "bytes " + std::to_string(range->first) + "-" +
                                                     std::to_string(range->second) + "/" +
                                                     std::to_string(bytes)});
  }
  call.reply(std::move(response));
}

void s3_get_object(S3Call& call) {
  if (has_parameter(call.request.query, "partNumber")) return s3_refuse(call, not_part_of_object());
  MR_S3_TRY(object, s3_object(call, call.address));
  if (auto wrong = s3_read_conditions(call.request, "", object)) return not_now(call, object, *wrong);
  Opened opened;
  opened.file = ::open(object.path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  // What is open is what was looked at, or it is looked at again.
  for (int tries = 0; opened.file >= 0 && objects::state_of(opened.file) != object.record.file; ++tries) {
    ::close(opened.release());
    if (tries == 3) return s3_refuse(call, {"SlowDown", "The object is being changed; try again.", 503});
    MR_S3_TRY(again, s3_object(call, call.address));
    object = std::move(again);
    opened.file = ::open(object.path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  }
  if (opened.file < 0)
    return s3_refuse(call, errno == ENOENT ? ApiError{"NoSuchKey", "The specified key does not exist.", 404}
                                           : ApiError{"InternalError", std::strerror(errno), 500});
  const auto bytes = static_cast<std::uint64_t>(object.record.file.bytes);
  MR_S3_TRY(range, s3_range(call.request.header("range"), bytes));
  http::Response response = about_object(call, object, !range);
  const std::uint64_t first = range ? range->first : 0, count = range ? range->second - first + 1 : bytes;
  if (range) {
    response.status = 206;
    response.headers.push_back({"Content-Range", "bytes " + std::to_string(first) + "-" +
                                                     std::to_string(range->second) + "/" +
                                                     std::to_string(bytes)});
  }
  response.length = count;
  if (count > kWholeBytesMax)
    return call.reply_with_file(std::move(response), opened.release(), first, count);
  response.body.resize(count);
  for (std::size_t done = 0; done < count;) {
    const ssize_t got =
        ::pread(opened.file, response.body.data() + done, count - done, static_cast<off_t>(first + done));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return s3_refuse(call, {"InternalError", "the object can't be read", 500});
    done += static_cast<std::size_t>(got);
  }
  call.reply(std::move(response));
}

void s3_get_object_attributes(S3Call& call) {
  MR_S3_TRY(object, s3_object(call, call.address));
  const std::string wanted = "," + std::string(call.request.header("x-amz-object-attributes")) + ",";
  if (wanted == ",,")
    return s3_refuse(call, {"InvalidRequest", "The x-amz-object-attributes header is empty"});
  const auto asked = [&](const std::string& name) {
    return wanted.find("," + name + ",") != std::string::npos ||
           wanted.find(" " + name + ",") != std::string::npos;
  };
  XmlWriter xml("GetObjectAttributesResponse");
  if (asked("ETag")) xml.text("ETag", object.record.etag);
  if (asked("StorageClass")) xml.text("StorageClass", "STANDARD");
  if (asked("ObjectSize")) xml.number("ObjectSize", static_cast<std::uint64_t>(object.record.file.bytes));
  s3_answer(call, xml, {{"Last-Modified", format_http_date(object.record.file.modified())}});
}

S3Status check_before_s3_body(S3Call& call, S3Operation operation) {
  if (auto path = s3_path_to_write(call, call.address); !path) return path.error();
  if (operation == S3Operation::UploadPart) {
    const auto number = s3_number(call.request, "partNumber", 0);
    if (!number || *number < 1 || *number > objects::kPartsMax)
      return ApiError{"InvalidArgument", "Part number must be an integer between 1 and 10000, inclusive"};
    const std::string id = parameter(call.request.query, "uploadId");
    if (!call.store.uploads.find(id, {call.address.bucket, call.address.key}))
      return ApiError{"NoSuchUpload",
                      "The specified upload does not exist. The upload ID may be invalid, or the "
                      "upload may have been aborted or completed.",
                      404};
    return std::nullopt;
  }
  if (auto headers = s3_headers_of(call.request); !headers) return headers.error();
  if (auto conditions = s3_write_conditions(call.request); !conditions) return conditions.error();
  return std::nullopt;
}

namespace {

void keep_part(S3Call& call, const S3Body& body, std::unique_ptr<objects::TempFile> file) {
  const auto number = s3_number(call.request, "partNumber", 0);
  const std::string id = parameter(call.request.query, "uploadId");
  const Status kept = call.store.uploads.add_part(id, static_cast<int>(*number), body.md5(), std::move(file));
  if (!kept && kept.error().code == ErrorCode::NotFound)
    return s3_refuse(call, {"NoSuchUpload", "The specified upload does not exist.", 404});
  if (!kept) return s3_refuse(call, s3_error_of(kept.error()));
  http::Response response;
  response.headers.push_back({"ETag", in_quotes(body.md5())});
  if (!body.checksum_name().empty()) response.headers.push_back({body.checksum_name(), body.checksum()});
  call.reply(std::move(response));
}

}  // namespace

void keep_s3_body(S3Call& call, S3Operation operation, const S3Body& body,
                  std::unique_ptr<objects::TempFile> file) {
  if (operation == S3Operation::UploadPart) return keep_part(call, body, std::move(file));
  MR_S3_TRY(path, s3_path_to_write(call, call.address));
  MR_S3_TRY(headers, s3_headers_of(call.request));
  MR_S3_TRY(conditions, s3_write_conditions(call.request));
  const auto state = file->finish();
  if (!state) return s3_refuse(call, s3_error_of(state.error()));
  http::Response response;
  response.headers.push_back({"ETag", in_quotes(body.md5())});
  if (!body.checksum_name().empty()) {
    headers.emplace_back(body.checksum_name(), body.checksum());
    response.headers.push_back({body.checksum_name(), body.checksum()});
    response.headers.push_back({"x-amz-checksum-type", "FULL_OBJECT"});
  }
  call.store.catalog.put(
      {{call.address.bucket, call.address.key},
       file->release(),
       path,
       {*state, body.md5(), std::move(headers)},
       std::move(conditions),
       s3_origin(call, "PutObject")},
      [reply = call.reply, error_path = call.request.path, id = call.id,
       response = std::move(response)](const Status& done) mutable {
        reply(done ? std::move(response) : s3_error_response(s3_error_of(done.error()), error_path, id));
      });
}

void s3_copy_object(S3Call& call) {
  const S3Address from = copy_source_of(call.request.header("x-amz-copy-source"));
  if (from.key.empty())
    return s3_refuse(call, {"InvalidArgument",
                            "Copy Source must mention the source bucket and key: sourcebucket/sourcekey"});
  const std::string_view directive = call.request.header("x-amz-metadata-directive");
  if (!directive.empty() && directive != "COPY" && directive != "REPLACE")
    return s3_refuse(call, {"InvalidArgument", "Unknown metadata directive."});
  const bool replace = directive == "REPLACE";
  if (from.bucket == call.address.bucket && from.key == call.address.key && !replace)
    return s3_refuse(
        call, {"InvalidRequest",
               "This copy request is illegal because it is trying to copy an object to itself without "
               "changing the object's metadata, storage class, website redirect location or encryption "
               "attributes."});
  MR_S3_TRY(path, s3_path_to_write(call, call.address));
  MR_S3_TRY(given, s3_headers_of(call.request));
  MR_S3_TRY(conditions, s3_write_conditions(call.request));
  MR_S3_TRY(source, s3_object(call, from));
  if (auto wrong = s3_read_conditions(call.request, "x-amz-copy-source-", source))
    return s3_refuse(call, *wrong);
  auto file = call.store.uploads.temporary();
  if (!file) return s3_refuse(call, s3_error_of(file.error()));
  const Status copied = (*file)->append(source.path, 0, static_cast<std::uint64_t>(source.record.file.bytes));
  if (!copied) return s3_refuse(call, s3_error_of(copied.error()));
  objects::ObjectRecord record{{}, source.record.etag, replace ? std::move(given) : source.record.headers};
  // An ETag of parts is that of an upload, not of a copy.
  if (record.etag.find('-') != std::string::npos) {
    const auto md5 = objects::md5_of_file(source.path);
    if (!md5) return s3_refuse(call, s3_error_of(md5.error()));
    record.etag = *md5;
  }
  std::erase_if(record.headers, [](const auto& header) { return header.first == objects::kUploadHeader; });
  if (objects::state_of(source.path) != source.record.file)
    return s3_refuse(call, {"SlowDown", "The source was changed while it was copied; try again.", 503});
  const auto state = (*file)->finish();
  if (!state) return s3_refuse(call, s3_error_of(state.error()));
  record.file = *state;
  XmlWriter xml("CopyObjectResult");
  xml.text("LastModified", s3_time_text(state->modified())).text("ETag", in_quotes(record.etag));
  http::Response response;
  response.content_type = "application/xml";
  response.body = xml.finish();
  call.store.catalog.put(
      {{call.address.bucket, call.address.key},
       (*file)->release(),
       path,
       std::move(record),
       std::move(conditions),
       s3_origin(call, "CopyObject")},
      [reply = call.reply, error_path = call.request.path, id = call.id,
       response = std::move(response)](const Status& done) mutable {
        reply(done ? std::move(response) : s3_error_response(s3_error_of(done.error()), error_path, id));
      });
}

void s3_delete_object(S3Call& call) {
  MR_S3_TRY(folder, s3_bucket(call, call.address.bucket));
  MR_S3_TRY(conditions, s3_write_conditions(call.request));
  http::Response response;
  response.status = 204;
  const auto path = call.store.files.path_of("s3://" + call.address.bucket + "/" + call.address.key);
  // What can't be there has been deleted.
  if (!path || call.address.key.ends_with('/')) return call.reply(std::move(response));
  call.store.catalog.remove(
      {call.address.bucket, call.address.key}, *path, std::move(conditions), s3_origin(call, "DeleteObject"),
      [reply = call.reply, error_path = call.request.path, id = call.id,
       response = std::move(response)](const Status& done) mutable {
        reply(done ? std::move(response) : s3_error_response(s3_error_of(done.error()), error_path, id));
      });
}

namespace {

// The answer to DeleteObjects: made by the last of its deletions.
struct Deletions {
  std::mutex mutex;  // over what follows
  std::vector<std::pair<std::string, std::optional<ApiError>>> keys;
  std::size_t left = 0;
  bool quiet = false;
  std::function<void(http::Response)> reply;

  void one_is_done(std::size_t index, const Status& done) {
    const std::lock_guard lock(mutex);
    if (!done) keys[index].second = s3_error_of(done.error());
    if (--left == 0) answer();
  }
  void answer() {
    XmlWriter xml("DeleteResult");
    for (const auto& [key, error] : keys) {
      if (error)
        xml.open("Error").text("Key", key).text("Code", error->code).text("Message", error->message).close();
      else if (!quiet)
        xml.open("Deleted").text("Key", key).close();
    }
    http::Response response;
    response.content_type = "application/xml";
    response.body = xml.finish();
    reply(std::move(response));
  }
};

}  // namespace

void s3_delete_objects(S3Call& call) {
  MR_S3_TRY(folder, s3_bucket(call, call.address.bucket));
  // The body has come whole; what the client said of it is checked all the same.
  MR_S3_TRY(body, S3Body::of(call.request, call.caller.chunks));
  std::string text;
  const auto sink = [&](std::string_view bytes) {
    text += bytes;
    return Status();
  };
  if (auto wrong = body->take(call.request.body, sink)) return s3_refuse(call, *wrong);
  if (auto wrong = body->finish()) return s3_refuse(call, *wrong);
  const auto document = parse_request_xml(text);
  const ApiError malformed{
      "MalformedXML",
      "The XML you provided was not well-formed or did not validate against our published schema"};
  if (!document || document->name != "Delete") return s3_refuse(call, malformed);
  auto deletions = std::make_shared<Deletions>();
  deletions->quiet = document->text_of("Quiet") == "true";
  deletions->reply = call.reply;
  for (const XmlNode& node : document->children) {
    if (node.name != "Object") continue;
    const std::string key(node.text_of("Key"));
    if (key.empty() || deletions->keys.size() == kDeletedMax) return s3_refuse(call, malformed);
    deletions->keys.emplace_back(key, std::nullopt);
  }
  if (deletions->keys.empty()) return s3_refuse(call, malformed);
  const std::size_t count = deletions->left = deletions->keys.size();
  for (std::size_t i = 0; i < count; ++i) {
    const std::string key = deletions->keys[i].first;
    const auto path = call.store.files.path_of("s3://" + call.address.bucket + "/" + key);
    if (!path || key.ends_with('/')) {
      deletions->one_is_done(i, {});
      continue;
    }
    call.store.catalog.remove({call.address.bucket, key}, *path, {}, s3_origin(call, "DeleteObject"),
                              [deletions, i](const Status& done) { deletions->one_is_done(i, done); });
  }
}

}  // namespace millrace::api
