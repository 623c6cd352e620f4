#include "tasks/integrations/http/transfers.h"

#include "base/text.h"

#include <curl/curl.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <deque>
#include <map>
#include <mutex>
#include <thread>
#include <utility>
#include <variant>

namespace millrace::tasks {
namespace {

using End = TransferAnswer::End;

constexpr Millis kConnectTime{15'000};
constexpr std::size_t kHeaderBytesMax = 64 * 1024;
constexpr int kPollMillis = 1000;

void set_up_curl_once() {
  static const bool done = [] {
    curl_global_init(CURL_GLOBAL_DEFAULT);
    return true;
  }();
  (void)done;
}

struct EasyCloser {
  void operator()(CURL* handle) const { curl_easy_cleanup(handle); }
};
struct ListCloser {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
struct UrlCloser {
  void operator()(CURLU* url) const { curl_url_cleanup(url); }
};

void append(std::unique_ptr<curl_slist, ListCloser>& list, const std::string& line) {
  curl_slist* longer = curl_slist_append(list.get(), line.c_str());
  if (!longer) return;
  (void)list.release();
  list.reset(longer);
}

// One request under way. Stays where it is while curl has its address.
struct Transfer {
  std::uint64_t number = 0;
  std::variant<HttpRequest, Mail> request;
  Transfers::Reply reply;
  const AddressRules* addresses = nullptr;
  std::unique_ptr<CURL, EasyCloser> handle;
  std::unique_ptr<curl_slist, ListCloser> list;  // headers, or recipients
  TransferAnswer answer;
  std::size_t header_bytes = 0, body_bytes_max = 0, sent = 0;
  std::string refused_address;
  bool too_large = false;
  char error[CURL_ERROR_SIZE] = {};
};

curl_socket_t open_socket(void* context, curlsocktype, curl_sockaddr* address) {
  auto& transfer = *static_cast<Transfer*>(context);
  if (!transfer.addresses->allows(address->addr)) {
    transfer.refused_address =
        text_of(address->addr) + " (" + std::string(name_of(classify(address->addr))) + ")";
    return CURL_SOCKET_BAD;
  }
  return ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

std::size_t take_body(char* bytes, std::size_t, std::size_t count, void* context) {
  auto& transfer = *static_cast<Transfer*>(context);
  if (transfer.answer.body.size() + count > transfer.body_bytes_max) {
    transfer.too_large = true;
    return 0;
  }
  transfer.answer.body.append(bytes, count);
  return count;
}

std::size_t take_header(char* bytes, std::size_t, std::size_t count, void* context) {
  auto& transfer = *static_cast<Transfer*>(context);
  const std::string_view line = trimmed({bytes, count});
  transfer.header_bytes += count;
  if (transfer.header_bytes > kHeaderBytesMax) {
    transfer.too_large = true;
    return 0;
  }
  if (line.starts_with("HTTP/")) {  // of the answer; those of "100 Continue" go
    transfer.answer.headers.clear();
    const std::size_t code = line.find(' ');
    const std::size_t text = code == std::string_view::npos ? code : line.find(' ', code + 1);
    transfer.answer.status_text =
        text == std::string_view::npos ? std::string() : std::string(line.substr(text + 1));
  } else if (const std::size_t colon = line.find(':'); colon != std::string_view::npos && colon > 0) {
    transfer.answer.headers.push_back(
        {std::string(line.substr(0, colon)), std::string(trimmed(line.substr(colon + 1)))});
  }
  return count;
}

std::size_t give_mail(char* into, std::size_t size, std::size_t count, void* context) {
  auto& transfer = *static_cast<Transfer*>(context);
  const std::string& text = std::get<Mail>(transfer.request).text;
  const std::size_t n = std::min(size * count, text.size() - transfer.sent);
  std::copy_n(text.data() + transfer.sent, n, into);
  transfer.sent += n;
  return n;
}

void set_up_http(CURL* curl, Transfer& transfer, const Transfers::Settings& settings) {
  const auto& request = std::get<HttpRequest>(transfer.request);
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl, CURLOPT_URL, request.url.c_str());
  curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(curl, CURLOPT_PROXY, settings.proxy.c_str());  // "": none, whatever the environment says
  for (const HttpHeader& header : request.headers)
    append(transfer.list, header.value.empty() ? header.name + ";" : header.name + ": " + header.value);
  append(transfer.list, "Expect:");
  if (request.has_body) {
    curl_easy_setopt(curl, CURLOPT_POST, 1L);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request.body.c_str());
  }
  if (request.method == "HEAD") curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
  curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request.method.c_str());
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, transfer.list.get());
  curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, take_header);
  curl_easy_setopt(curl, CURLOPT_HEADERDATA, &transfer);
  curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, static_cast<long>(request.time_max.count()));
  transfer.body_bytes_max = request.body_bytes_max;
}

void set_up_mail(CURL* curl, Transfer& transfer) {
  const auto& mail = std::get<Mail>(transfer.request);
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
  curl_easy_setopt(curl, CURLOPT_URL, mail.server.c_str());
  curl_easy_setopt(curl, CURLOPT_PROXY, "");
  if (mail.tls_required) curl_easy_setopt(curl, CURLOPT_USE_SSL, static_cast<long>(CURLUSESSL_ALL));
  if (!mail.user.empty()) {
    curl_easy_setopt(curl, CURLOPT_USERNAME, mail.user.c_str());
    curl_easy_setopt(curl, CURLOPT_PASSWORD, mail.password.c_str());
  }
  curl_easy_setopt(curl, CURLOPT_MAIL_FROM, ("<" + mail.from + ">").c_str());
  append(transfer.list, "<" + mail.to + ">");
  curl_easy_setopt(curl, CURLOPT_MAIL_RCPT, transfer.list.get());
  curl_easy_setopt(curl, CURLOPT_UPLOAD, 1L);
  curl_easy_setopt(curl, CURLOPT_SASL_IR, 1L);
  curl_easy_setopt(curl, CURLOPT_FORBID_REUSE, 1L);  // mail servers don't like idle clients
  curl_easy_setopt(curl, CURLOPT_READFUNCTION, give_mail);
  curl_easy_setopt(curl, CURLOPT_READDATA, &transfer);
  curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, static_cast<long>(mail.time_max.count()));
  transfer.body_bytes_max = kHeaderBytesMax;
}

// False when there is no memory for it.
bool set_up(Transfer& transfer, const Transfers::Settings& settings) {
  transfer.handle.reset(curl_easy_init());
  CURL* curl = transfer.handle.get();
  if (!curl) return false;
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  // A look-up that hangs must not hold the others up when its request is given up.
  curl_easy_setopt(curl, CURLOPT_QUICK_EXIT, 1L);
  curl_easy_setopt(curl, CURLOPT_PRIVATE, &transfer);
  curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, transfer.error);
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(kConnectTime.count()));
  curl_easy_setopt(curl, CURLOPT_OPENSOCKETFUNCTION, open_socket);
  curl_easy_setopt(curl, CURLOPT_OPENSOCKETDATA, &transfer);
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &transfer);
  if (!settings.ca_file.empty()) curl_easy_setopt(curl, CURLOPT_CAINFO, settings.ca_file.c_str());
  if (std::holds_alternative<HttpRequest>(transfer.request))
    set_up_http(curl, transfer, settings);
  else
    set_up_mail(curl, transfer);
  return true;
}

std::string where(const Transfer& transfer) {
  if (const auto* mail = std::get_if<Mail>(&transfer.request)) return mail->server;
  const auto parts = parse_url(std::get<HttpRequest>(transfer.request).url);
  return parts ? parts->host : "the URL";
}

void conclude(Transfer& transfer, CURLcode code) {
  TransferAnswer& answer = transfer.answer;
  long status = 0;
  curl_easy_getinfo(transfer.handle.get(), CURLINFO_RESPONSE_CODE, &status);
  answer.status = static_cast<int>(status);
  const std::string said = transfer.error[0] ? transfer.error : curl_easy_strerror(code);
  if (code == CURLE_OK) {
    answer.end = End::Answered;
  } else if (transfer.too_large) {
    answer.end = End::TooLarge;
    answer.problem = "the answer of " + where(transfer) + " is larger than " +
                     std::to_string(transfer.body_bytes_max) + " bytes";
  } else if (code == CURLE_OPERATION_TIMEDOUT) {
    answer.end = End::TimedOut;
    answer.problem = where(transfer) + " did not answer in time: " + said;
  } else if (!transfer.refused_address.empty()) {
    answer.end = End::Forbidden;
    answer.problem =
        "requests to " + transfer.refused_address + " are refused: " + where(transfer) + " leads there";
  } else {
    answer.end = End::Unreachable;
    answer.problem = where(transfer) + ": " + said;
  }
}

}  // namespace

struct Transfers::State {
  const Settings settings;
  CURLM* multi = nullptr;
  std::mutex mutex;  // over what follows
  std::deque<std::unique_ptr<Transfer>> waiting;
  std::vector<std::uint64_t> cancelled;
  std::uint64_t last_number = 0;
  bool closing = false;
  std::thread thread;

  // The thread's own: under way, and those that could not be made.
  std::map<std::uint64_t, std::unique_ptr<Transfer>> active;
  std::vector<std::unique_ptr<Transfer>> unmade;

  explicit State(Settings given) : settings(std::move(given)) {}

  std::uint64_t submit(std::variant<HttpRequest, Mail> request, Reply reply);
  void run();
  void drop_cancelled();
  void begin_waiting();
  void take_finished();
};

std::uint64_t Transfers::State::submit(std::variant<HttpRequest, Mail> request, Reply reply) {
  auto transfer = std::make_unique<Transfer>();
  transfer->request = std::move(request);
  transfer->addresses = &settings.addresses;
  std::unique_lock lock(mutex);
  const std::uint64_t number = transfer->number = ++last_number;
  if (closing || waiting.size() >= settings.waiting_max) {
    lock.unlock();
    TransferAnswer answer;
    answer.end = End::Overloaded;
    answer.problem = "too many requests wait to be sent";
    reply(std::move(answer));
    return number;
  }
  transfer->reply = std::move(reply);
  waiting.push_back(std::move(transfer));
  if (!thread.joinable()) {
    set_up_curl_once();
    multi = curl_multi_init();
    curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, static_cast<long>(settings.at_once_max));
    thread = std::thread([this] { run(); });
  }
  curl_multi_wakeup(multi);
  return number;
}

void Transfers::State::drop_cancelled() {
  for (const std::uint64_t number : std::exchange(cancelled, {})) {
    std::erase_if(waiting, [&](const auto& transfer) { return transfer->number == number; });
    const auto found = active.find(number);
    if (found == active.end()) continue;
    curl_multi_remove_handle(multi, found->second->handle.get());
    active.erase(found);
  }
}

void Transfers::State::begin_waiting() {
  while (!waiting.empty() && active.size() < settings.at_once_max) {
    std::unique_ptr<Transfer> transfer = std::move(waiting.front());
    waiting.pop_front();
    if (!set_up(*transfer, settings) || curl_multi_add_handle(multi, transfer->handle.get()) != CURLM_OK) {
      unmade.push_back(std::move(transfer));
      continue;
    }
    active.emplace(transfer->number, std::move(transfer));
  }
}

void Transfers::State::take_finished() {
  int left = 0;
  while (CURLMsg* message = curl_multi_info_read(multi, &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    void* context = nullptr;
    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &context);
    auto& transfer = *static_cast<Transfer*>(context);
    const CURLcode code = message->data.result;
    curl_multi_remove_handle(multi, transfer.handle.get());
    const auto found = active.find(transfer.number);
    const std::unique_ptr<Transfer> done = std::move(found->second);
    active.erase(found);
    conclude(*done, code);
    bool wanted = true;
    {
      const std::lock_guard lock(mutex);
      wanted = !closing && std::find(cancelled.begin(), cancelled.end(), done->number) == cancelled.end();
    }
    if (wanted) done->reply(std::move(done->answer));
  }
}

void Transfers::State::run() {
  // TLS writes to sockets whose other end may have gone.
  sigset_t pipe;
  ::sigemptyset(&pipe);
  ::sigaddset(&pipe, SIGPIPE);
  ::pthread_sigmask(SIG_BLOCK, &pipe, nullptr);
  for (;;) {
    {
      const std::lock_guard lock(mutex);
      if (closing) break;
      drop_cancelled();
      begin_waiting();
    }
    for (const auto& transfer : std::exchange(unmade, {})) {
      transfer->answer.end = End::Overloaded;
      transfer->answer.problem = "there is not enough memory for the request";
      transfer->reply(std::move(transfer->answer));
    }
    int running = 0;
    curl_multi_perform(multi, &running);
    take_finished();
    {
      const std::lock_guard lock(mutex);
      if (closing) break;
      if (!waiting.empty() && active.size() < settings.at_once_max) continue;
    }
    curl_multi_poll(multi, nullptr, 0, kPollMillis, nullptr);
  }
  for (auto& [number, transfer] : active) curl_multi_remove_handle(multi, transfer->handle.get());
  active.clear();
}

Transfers::Transfers(Settings settings) : state_(std::make_unique<State>(std::move(settings))) {}

Transfers::~Transfers() {
  shut_down();
}

void Transfers::shut_down() {
  {
    const std::lock_guard lock(state_->mutex);
    if (state_->closing) return;
    state_->closing = true;
  }
  if (!state_->thread.joinable()) return;
  curl_multi_wakeup(state_->multi);
  state_->thread.join();
  curl_multi_cleanup(state_->multi);
  state_->waiting.clear();
}

std::uint64_t Transfers::send(HttpRequest request, Reply reply) {
  return state_->submit(std::move(request), std::move(reply));
}

std::uint64_t Transfers::send(Mail mail, Reply reply) {
  return state_->submit(std::move(mail), std::move(reply));
}

void Transfers::cancel(std::uint64_t transfer) {
  const std::lock_guard lock(state_->mutex);
  if (state_->closing || transfer == 0 || !state_->multi) return;
  state_->cancelled.push_back(transfer);
  curl_multi_wakeup(state_->multi);
}

Result<UrlParts> parse_url(const std::string& url) {
  const std::unique_ptr<CURLU, UrlCloser> parsed(curl_url());
  const auto part = [&](CURLUPart which) {
    char* text = nullptr;
    std::string found;
    if (curl_url_get(parsed.get(), which, &text, 0) == CURLUE_OK && text) found = text;
    curl_free(text);
    return found;
  };
  UrlParts parts;
  parts.without_query = url.substr(0, url.find_first_of("?#"));
  if (!parsed || url.find_first_of(std::string("\0\r\n\t ", 5)) != std::string::npos ||
      curl_url_set(parsed.get(), CURLUPART_URL, url.c_str(), CURLU_NON_SUPPORT_SCHEME) != CURLUE_OK)
    return invalid("\"" + parts.without_query + "\" is not a URL", "a URL is https://host/path");
  parts.scheme = part(CURLUPART_SCHEME);
  parts.host = part(CURLUPART_HOST);
  std::transform(parts.host.begin(), parts.host.end(), parts.host.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  if (parts.scheme != "http" && parts.scheme != "https")
    return invalid("\"" + parts.without_query + "\" is neither an http nor an https URL");
  if (!part(CURLUPART_USER).empty() || !part(CURLUPART_PASSWORD).empty())
    return invalid("the URL has a user name or a password in it",
                   "keep credentials in a connection (aws events create-connection)");
  return parts;
}

}  // namespace millrace::tasks
