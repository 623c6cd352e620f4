#include "service/api/s3/s3.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/encoding.h"
#include "base/log.h"

namespace millrace::api {
namespace {

constexpr std::size_t kPieceBytes = 512 << 10;  // of a body that is sent
constexpr std::size_t kUnsentMax = 1 << 20;     // that the client has not taken; then reading rests

void add_ids(http::Response& response, const std::string& id) {
  response.headers.push_back({"x-amz-request-id", id});
  response.headers.push_back({"x-amz-id-2", id});
}

// A file on its way to a client: one piece is read at a time, by a worker, and written on the loop.
class FileSender : public std::enable_shared_from_this<FileSender> {
 public:
  FileSender(std::shared_ptr<tasks::WorkerPool> pool, S3Api::Post post, int file, std::uint64_t offset,
             std::uint64_t bytes)
      : pool_(std::move(pool)), post_(std::move(post)), file_(file), at_(offset), left_(bytes) {}
  ~FileSender() { ::close(file_); }

  // Loop thread.
  void start(http::BodyStreamPtr stream) {
    stream_ = std::move(stream);
    stream_->on_gone([self = shared_from_this()] { self->stream_ = nullptr; });
    stream_->on_room([self = shared_from_this()] { self->pump(); });
    pump();
  }

 private:
  void pump() {
    if (!stream_ || reading_) return;
    if (left_ == 0) {
      const auto stream = std::exchange(stream_, nullptr);
      return stream->end();
    }
    if (stream_->unsent() >= kUnsentMax) return;
    reading_ = pool_->submit([self = shared_from_this()] { self->read_piece(); });
    if (!reading_) stream_ = nullptr;  // too much waits: the connection is closed
  }
  // Worker thread.
  void read_piece() {
    std::string piece(std::min<std::uint64_t>(left_, kPieceBytes), '\0');
    ssize_t got = 0;
    do got = ::pread(file_, piece.data(), piece.size(), static_cast<off_t>(at_));
    while (got < 0 && errno == EINTR);
    piece.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    post_([self = shared_from_this(), piece = std::move(piece)]() mutable { self->send(std::move(piece)); });
  }
  void send(std::string piece) {
    reading_ = false;
    if (!stream_) return;
    // It became shorter while it was read: what was sent can't be taken for the whole.
    if (piece.empty()) {
      stream_ = nullptr;
      return;
    }
    at_ += piece.size();
    left_ -= piece.size();
    const auto stream = stream_;
    if (stream->write(std::move(piece))) pump();
  }

  const std::shared_ptr<tasks::WorkerPool> pool_;
  const S3Api::Post post_;
  const int file_;
  std::uint64_t at_, left_;
  bool reading_ = false;
  http::BodyStreamPtr stream_;  // null: nobody reads any more
};

// A body on its way into a file: one piece at a time, which a worker checks and writes.
class BodyReceiver : public std::enable_shared_from_this<BodyReceiver> {
 public:
  BodyReceiver(std::shared_ptr<tasks::WorkerPool> pool, S3Api::Post post, http::ExchangePtr exchange,
               std::shared_ptr<S3Call> call, S3Operation operation)
      : pool_(std::move(pool)),
        post_(std::move(post)),
        exchange_(std::move(exchange)),
        call_(std::move(call)),
        operation_(operation) {}

  // Worker thread: what can be said before a byte of it has come.
  void begin() {
    auto body = S3Body::of(call_->request, call_->caller.chunks);
    if (!body) return fail_with(body.error());
    body_ = std::move(*body);
    if (auto wrong = check_before_s3_body(*call_, operation_)) return fail_with(*wrong);
    auto file = call_->store.uploads.temporary();
    if (!file) return fail_with({"InternalError", file.error().message, 500});
    file_ = std::move(*file);
    if (call_->request.body_follows)
      post_([self = shared_from_this()] { self->next(); });
    else
      take(call_->request.body, true);
  }

 private:
  void next() {
    exchange_->read_body([self = shared_from_this()](std::string bytes, bool end) {
      const bool taken =
          self->pool_->submit([self, bytes = std::move(bytes), end] { self->take(bytes, end); });
      if (!taken) self->fail_with({"SlowDown", "Please reduce your request rate.", 503});
    });
  }
  // Worker thread.
  void take(std::string_view bytes, bool end) {
    const auto sink = [this](std::string_view part) { return file_->write(part); };
    if (auto wrong = body_->take(bytes, sink)) return fail_with(*wrong);
    if (!end) return post_([self = shared_from_this()] { self->next(); });
    if (auto wrong = body_->finish()) return fail_with(*wrong);
    keep_s3_body(*call_, operation_, *body_, std::move(file_));
  }
  void fail_with(const ApiError& error) {
    file_ = nullptr;
    call_->reply(s3_error_response(error, call_->request.path, call_->id));
  }

  const std::shared_ptr<tasks::WorkerPool> pool_;
  const S3Api::Post post_;
  const http::ExchangePtr exchange_;  // loop thread
  const std::shared_ptr<S3Call> call_;
  const S3Operation operation_;
  std::unique_ptr<S3Body> body_;
  std::unique_ptr<objects::TempFile> file_;
};

}  // namespace

http::Response s3_error_response(const ApiError& error, const std::string& resource, const std::string& id) {
  http::Response response;
  response.status = error.status;
  response.content_type = "application/xml";
  response.body = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>" + escape_xml(error.code) +
                  "</Code><Message>" + escape_xml(error.message) + "</Message><Resource>" +
                  escape_xml(resource) + "</Resource><RequestId>" + id + "</RequestId></Error>";
  return response;
}

S3Api::S3Api(const std::filesystem::path& home, objects::Catalog& catalog,
             const service::ObjectSettings& settings, S3Place place, Post post, const Clock& clock,
             std::uint64_t seed)
    : store_(new S3Store{tasks::ObjectStore(home / "objects"), home / "objects", catalog,
                         objects::Uploads(home / "objects"), std::move(place), clock}),
      pool_(std::make_shared<tasks::WorkerPool>(settings.threads, settings.waiting_max)),
      post_(std::move(post)),
      random_(seed) {
  const Status cleaned = store_->uploads.clean(clock.now() - std::chrono::hours(24 * settings.upload_days));
  if (!cleaned) log::warning("uploads can't be looked at", {{"error", cleaned.error().message}});
}

void S3Api::handle(http::ExchangePtr exchange, const auth::Caller& caller) {
  const S3Request asked = s3_request(exchange->request());
  auto call = std::shared_ptr<S3Call>(
      new S3Call{*store_, exchange->request(), asked.address, caller, uuid_v4(random_), {}, {}});
  // The exchange is the loop's: it goes there, and is let go of there. The store lives as long as the call.
  call->reply = [exchange, store = store_, post = post_, id = call->id](http::Response response) mutable {
    add_ids(response, id);
    post([exchange = std::move(exchange), response = std::move(response)]() mutable {
      exchange->respond(std::move(response));
    });
  };
  call->reply_with_file = [exchange, pool = pool_, post = post_, id = call->id](
                              http::Response response, int file, std::uint64_t offset,
                              std::uint64_t bytes) mutable {
    add_ids(response, id);
    auto sender = std::make_shared<FileSender>(pool, post, file, offset, bytes);
    post([exchange = std::move(exchange), sender, response = std::move(response)]() mutable {
      sender->start(exchange->stream(std::move(response)));
    });
  };
  const auto refuse_with = [&](const ApiError& error) {
    call->reply(s3_error_response(error, call->request.path, call->id));
  };
  if (asked.operation == S3Operation::NotImplemented)
    return refuse_with({"NotImplemented",
                        "There is no '" + asked.subresource + "' here; docs/data.md lists what there is",
                        501});
  if (asked.operation == S3Operation::Nothing)
    return refuse_with(
        {"MethodNotAllowed", "The specified method is not allowed against this resource.", 405});
  const S3Work work = s3_work(asked.operation);
  if (!work) return receive(std::move(exchange), std::move(call), asked.operation);
  if (!pool_->submit([call, work] { work(*call); }))
    refuse_with({"SlowDown", "Please reduce your request rate.", 503});
}

void S3Api::receive(http::ExchangePtr exchange, std::shared_ptr<S3Call> call, S3Operation operation) {
  auto receiver = std::make_shared<BodyReceiver>(pool_, post_, std::move(exchange), call, operation);
  if (!pool_->submit([receiver] { receiver->begin(); }))
    call->reply(s3_error_response({"SlowDown", "Please reduce your request rate.", 503}, call->request.path,
                                  call->id));
}

}  // namespace millrace::api
