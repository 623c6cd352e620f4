#include "service/client/http.h"

#include <curl/curl.h>

#include <cstdlib>

namespace millrace::client {
namespace {

struct ListFree {
  void operator()(curl_slist* list) const noexcept { curl_slist_free_all(list); }
};
using HeaderList = std::unique_ptr<curl_slist, ListFree>;

HeaderList list_of(const Headers& headers) {
  HeaderList list;
  const auto add = [&](const std::string& line) {
    if (curl_slist* longer = curl_slist_append(list.get(), line.c_str())) {
      (void)list.release();
      list.reset(longer);
    }
  };
  for (const auto& [name, value] : headers) add(name + ": " + value);
  add("Expect:");  // else libcurl asks first whether a longer body is welcome, and waits a second for the
                   // answer
  return list;
}

struct Received {
  std::string body;
  std::size_t most = 0;
};

std::size_t receive(char* bytes, std::size_t size, std::size_t count, void* into) {
  auto& received = *static_cast<Received*>(into);
  if (received.body.size() + size * count > received.most) return 0;  // ends the transfer with an error
  received.body.append(bytes, size * count);
  return size * count;
}

}  // namespace

struct Connection::Handle {
  CURL* curl = curl_easy_init();
  char error[CURL_ERROR_SIZE] = {};
  ~Handle() {
    if (curl) curl_easy_cleanup(curl);
  }
};

Connection::Connection(HttpLimits limits) : limits_(limits) {
  static const bool initialised = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
  if (initialised) handle_ = std::make_unique<Handle>();
}
Connection::~Connection() = default;

tl::expected<HttpResponse, HttpFailure> Connection::post(const std::string& url, const Headers& headers,
                                                         std::string_view body, Millis most) {
  if (!handle_ || !handle_->curl) return tl::unexpected(HttpFailure{"libcurl can't be set up", false});
  CURL* curl = handle_->curl;
  curl_easy_reset(curl);  // the connection stays
  const HeaderList list = list_of(headers);
  Received received{{}, limits_.response_bytes_max};
  handle_->error[0] = 0;
  curl_easy_setopt(curl, CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl, CURLOPT_POST, 1L);
  curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body.data());
  curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, list.get());
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(limits_.connect.count()));
  curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, static_cast<long>(most.count()));
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  if (const char* bundle = std::getenv("AWS_CA_BUNDLE"); bundle && *bundle)
    curl_easy_setopt(curl, CURLOPT_CAINFO, bundle);  // of a server whose certificate is one's own
  curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, handle_->error);
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, receive);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &received);
  const CURLcode code = curl_easy_perform(curl);
  if (code != CURLE_OK) {
    const bool never_sent = code == CURLE_COULDNT_CONNECT || code == CURLE_COULDNT_RESOLVE_HOST ||
                            code == CURLE_COULDNT_RESOLVE_PROXY || code == CURLE_URL_MALFORMAT ||
                            code == CURLE_UNSUPPORTED_PROTOCOL || code == CURLE_SSL_CONNECT_ERROR ||
                            code == CURLE_PEER_FAILED_VERIFICATION;
    std::string reason = handle_->error[0] ? handle_->error : curl_easy_strerror(code);
    if (code == CURLE_WRITE_ERROR)
      reason = "the answer is longer than " + std::to_string(limits_.response_bytes_max) + " bytes";
    return tl::unexpected(HttpFailure{std::move(reason), !never_sent});
  }
  long status = 0;
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
  return HttpResponse{static_cast<int>(status), std::move(received.body)};
}

}  // namespace millrace::client
