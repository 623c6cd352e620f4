#pragma once
// S3Api: buckets and objects of the home behind S3's REST API. Loop thread; files are read and written by
// threads of its own, bodies in pieces both ways, so that memory does not grow with them. Objects come and go
// through the Catalog. Not here: versions, access control lists, tags, storage classes, encryption by keys of
// the client, bucket configurations. Source: Amazon S3 API reference, 2006-03-01.

#include <functional>
#include <memory>

#include "base/clock.h"
#include "base/metrics.h"
#include "base/random.h"
#include "service/api/s3/address.h"
#include "service/api/s3/body.h"
#include "service/http/server.h"
#include "service/objects/catalog.h"
#include "service/objects/uploads.h"
#include "service/ops/settings.h"
#include "tasks/artifacts/object_store.h"
#include "tasks/worker_pool.h"

namespace millrace::api {

struct S3Place {
  std::string region = "us-east-1", account = "123456789012";
};

// What the operations work on; any thread.
struct S3Store {
  tasks::ObjectStore files;
  std::filesystem::path root;
  objects::Catalog& catalog;
  objects::Uploads uploads;
  S3Place place;
  const Clock& clock;
};

// One request on a worker thread. Its answer is given to `reply`, once, from any thread.
struct S3Call {
  S3Store& store;
  const http::Request& request;  // while `reply` lives
  S3Address address;
  auth::Caller caller;
  std::string id;  // of the request
  std::function<void(http::Response)> reply;
  // The same with a file as the body: `bytes` of it from `offset`. The response has its length.
  std::function<void(http::Response, int file, std::uint64_t offset, std::uint64_t bytes)> reply_with_file;
};

class S3Api {
 public:
  using Post = std::function<void(std::function<void()>)>;  // runs a function on the loop; any thread

  // The catalog and the clock are borrowed. `seed`: of request ids.
  S3Api(const std::filesystem::path& home, objects::Catalog& catalog, const service::ObjectSettings& settings,
        S3Place place, Post post, const Clock& clock, std::uint64_t seed);

  void handle(http::ExchangePtr exchange, const auth::Caller& caller);

  static bool serves(const http::Request& request) { return looks_like_s3(request); }

 private:
  void receive(http::ExchangePtr exchange, std::shared_ptr<S3Call> call, S3Operation operation);

  // Shared with the work that is under way when this object goes.
  std::shared_ptr<S3Store> store_;
  std::shared_ptr<tasks::WorkerPool> pool_;
  const Post post_;
  Random random_;
};

// The operations. Worker thread.
using S3Work = void (*)(S3Call& call);
S3Work s3_work(S3Operation operation);  // null: it has a body, or is none

// What a body becomes when all of it is there and right: PutObject, UploadPart.
void keep_s3_body(S3Call& call, S3Operation operation, const S3Body& body,
                  std::unique_ptr<objects::TempFile> file);
// What is wrong before the body is read: NoSuchBucket, NoSuchUpload, InvalidArgument, a condition that fails.
S3Status check_before_s3_body(S3Call& call, S3Operation operation);

http::Response s3_error_response(const ApiError& error, const std::string& resource, const std::string& id);

}  // namespace millrace::api
