#include "tasks/integrations/sns/deliverer.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/log.h"
#include "tasks/arguments.h"
#include "tasks/artifacts/files.h"
#include "tasks/integrations/sns/message.h"

namespace millrace::tasks {
namespace {

namespace fs = std::filesystem;

constexpr Millis kLook{500};  // for deliveries whose time has come
constexpr Millis kRest{10'000};
constexpr std::size_t kAnswerBytesMax = 64 * 1024;

// A relative path of plain names: nothing leads out of the folder or to hidden files.
bool is_file_name(const std::string& endpoint) {
  if (endpoint.empty() || endpoint.size() > 200) return false;
  const fs::path path(endpoint);
  if (path.is_absolute() || endpoint.ends_with('/')) return false;
  return std::all_of(path.begin(), path.end(), [](const fs::path& part) {
    const std::string name = part.string();
    return !name.empty() && name[0] != '.' && std::all_of(name.begin(), name.end(), [](unsigned char c) {
      return std::isalnum(c) || c == '.' || c == '-' || c == '_';
    });
  });
}

// Appends a line and syncs it; what is wrong, or "".
std::string append_line(const fs::path& folder, const std::string& endpoint, const std::string& line) {
  const fs::path file = folder / endpoint;
  std::error_code code;
  // A link would lead out of the folder.
  const std::string top = fs::weakly_canonical(folder, code).string() + "/";
  const std::string parent = fs::weakly_canonical(file.parent_path(), code).string() + "/";
  if (code || !parent.starts_with(top)) return "the file is not below " + folder.string();
  fs::create_directories(file.parent_path(), code);
  const int opened = ::open(file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0666);
  if (opened < 0) return "can't write " + endpoint + ": " + std::strerror(errno);
  const auto written = write_all(opened, line, endpoint);
  const bool synced = ::fsync(opened) == 0;
  ::close(opened);
  if (!written) return written.error().message;
  return synced ? "" : "can't sync " + endpoint;
}

std::string refuse_url(const std::string& protocol, const std::string& endpoint) {
  const auto url = parse_url(endpoint);
  if (!url) return "Endpoint Reason: " + url.error().message;
  return url->scheme == protocol ? "" : "Endpoint must match the specified protocol";
}

}  // namespace

std::string refuse_endpoint(const DeliverySettings& settings, bool has_queues, const std::string& protocol,
                            const std::string& endpoint) {
  if (protocol == "http" || protocol == "https") return refuse_url(protocol, endpoint);
  if (protocol == "email" || protocol == "email-json") {
    if (settings.mail.host.empty())
      return "Protocol Reason: mail needs the section \"smtp\" of integrations.json in the home directory";
    return is_mail_address(endpoint) ? "" : "Email address";
  }
  if (protocol == "lambda")
    return endpoint.starts_with("arn:") && parse_function_name(endpoint, settings.place)
               ? ""
               : "Lambda endpoint ARN";
  if (protocol == "sqs") {
    if (!has_queues) return "Protocol Reason: there are no queues here";
    return endpoint.starts_with("arn:") && endpoint.find(":sqs:") != std::string::npos ? ""
                                                                                       : "SQS endpoint ARN";
  }
  if (protocol == "file")
    return is_file_name(endpoint)
               ? ""
               : "Endpoint Reason: a file is a relative path of letters, digits, '.', '-', '_'";
  return "Protocol Reason: '" + protocol + "' is none of http, https, email, email-json, lambda, sqs, file";
}

Deliverer::Deliverer(Topics& topics, Transfers& transfers, FunctionHost& functions, QueueSender queues,
                     DeliverySettings settings, const Clock& clock)
    : topics_(topics),
      transfers_(transfers),
      functions_(functions),
      queues_(std::move(queues)),
      settings_(std::move(settings)),
      clock_(clock),
      thread_([this] { run(); }) {}

Deliverer::~Deliverer() {
  shut_down();
}

void Deliverer::shut_down() {
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Deliverer::wake() {
  const std::lock_guard lock(mutex_);
  woken_ = true;
  changed_.notify_all();
}

void Deliverer::run() {
  for (;;) {
    std::deque<Finished> finished;
    bool closing = false;
    {
      std::unique_lock lock(mutex_);
      changed_.wait_for(lock, kLook, [this] { return closing_ || woken_ || !finished_.empty(); });
      woken_ = false;
      finished.swap(finished_);
      closing = closing_;
    }
    for (const Finished& one : finished) book(one);
    if (closing) return;
    if (under_way_.size() >= settings_.at_once_max || clock_.uptime() < rest_until_) continue;
    const auto list = topics_.due(under_way_, settings_.at_once_max - under_way_.size());
    if (!list) {
      log::error("deliveries can't be read", {{"why", list.error().message}});
      continue;
    }
    for (Delivery delivery : *list) {
      under_way_.insert(delivery.number);
      const Result<bool> alone =
          settings_.prepare ? settings_.prepare(delivery.message, delivery.protocol, delivery.endpoint)
                            : Result<bool>(false);
      if (!alone) {
        finish(delivery, End::Again, alone.error().message);
        continue;
      }
      if (*alone && delivery.protocol.starts_with("http")) delivery.raw = delivery.json = true;
      begin(delivery);
    }
  }
}

void Deliverer::begin(const Delivery& delivery) {
  const std::pair<std::string_view, void (Deliverer::*)(const Delivery&)> kWays[] = {
      {"http", &Deliverer::post},       {"https", &Deliverer::post},    {"email", &Deliverer::mail},
      {"email-json", &Deliverer::mail}, {"lambda", &Deliverer::invoke}, {"sqs", &Deliverer::enqueue},
      {"file", &Deliverer::append}};
  for (const auto& [protocol, way] : kWays)
    if (protocol == delivery.protocol) return (this->*way)(delivery);
  finish(delivery, End::Never, "the protocol '" + delivery.protocol + "' is not there");
}

// From any thread.
void Deliverer::finish(const Delivery& delivery, End end, std::string why) {
  const std::lock_guard lock(mutex_);
  finished_.push_back({delivery, end, std::move(why)});
  changed_.notify_all();
}

void Deliverer::book(const Finished& finished) {
  const Delivery& delivery = finished.delivery;
  const bool last = finished.end == End::Never || delivery.attempts + 1 >= settings_.attempts_max;
  Status kept;
  if (finished.end == End::Done) {
    kept = topics_.delivered(delivery.number);
  } else if (last) {
    log::warning(
        "a message can't be delivered",
        {{"subscription", delivery.subscription}, {"protocol", delivery.protocol}, {"why", finished.why}});
    kept = topics_.give_up(delivery.number, finished.why);
  } else {
    const int doublings = std::min(delivery.attempts, 30);
    const Millis delay =
        std::min(settings_.delay_max, settings_.first_delay * (std::int64_t{1} << doublings));
    kept = topics_.postpone(delivery.number, clock_.now() + delay);
  }
  // What can't be written now is delivered again: at least once.
  if (!kept) {
    log::error("a delivery can't be kept", {{"why", kept.error().message}});
    rest_until_ = clock_.uptime() + kRest;
  }
  under_way_.erase(delivery.number);
}

void Deliverer::post(const Delivery& delivery) {
  const Json note = notification(delivery.message, delivery.protocol);
  HttpRequest request;
  request.method = "POST";
  request.url = delivery.endpoint;
  request.has_body = true;
  request.body = delivery.raw ? text_at(note, {"Message"}) : std::string(to_payload(note).text());
  request.time_max = settings_.time_max;
  request.body_bytes_max = kAnswerBytesMax;
  request.headers = {{"Content-Type", delivery.json ? "application/json" : "text/plain; charset=UTF-8"},
                     {"User-Agent", "Millrace"},
                     {"x-amz-sns-message-type", "Notification"},
                     {"x-amz-sns-message-id", text_at(note, {"MessageId"})},
                     {"x-amz-sns-topic-arn", text_at(note, {"TopicArn"})},
                     {"x-amz-sns-subscription-arn", delivery.subscription}};
  if (delivery.raw) request.headers.push_back({"x-amz-sns-rawdelivery", "true"});
  transfers_.send(std::move(request), [this, delivery](const TransferAnswer& answer) {
    using Way = TransferAnswer::End;
    const bool answered = answer.end == Way::Answered || answer.end == Way::TooLarge;
    if (!answered)
      return finish(delivery, answer.end == Way::Forbidden ? End::Never : End::Again, answer.problem);
    if (answer.status >= 200 && answer.status <= 299) return finish(delivery, End::Done, "");
    // The receiver says that it will never take it; "too many", "too early" and "time is up" it may.
    const bool may_pass =
        answer.status >= 500 || answer.status == 429 || answer.status == 408 || answer.status == 425;
    finish(delivery, may_pass ? End::Again : End::Never, "HTTP status " + std::to_string(answer.status));
  });
}

void Deliverer::mail(const Delivery& delivery) {
  const MailSettings& settings = settings_.mail;
  if (settings.host.empty())
    return finish(delivery, End::Again, "there is no section \"smtp\" in integrations.json");
  Mail mail;
  mail.server = (settings.tls == "implicit" ? "smtps://" : "smtp://") + settings.host + ":" +
                std::to_string(settings.port);
  mail.user = settings.user;
  mail.password = settings.password;
  mail.tls_required = settings.tls == "required";
  mail.from = settings.from;
  mail.to = delivery.endpoint;
  mail.text = mail_text(delivery.message, delivery.protocol, settings.from, delivery.endpoint, clock_.now());
  mail.time_max = settings_.time_max;
  transfers_.send(std::move(mail), [this, delivery](const TransferAnswer& answer) {
    if (answer.end == TransferAnswer::End::Answered) return finish(delivery, End::Done, "");
    // 5xx to the recipient is for good; what concerns the connection or the login may be mended.
    const bool for_good = answer.status >= 550 && answer.status <= 559;
    finish(
        delivery, for_good ? End::Never : End::Again,
        answer.problem + (answer.status > 0 ? " (SMTP status " + std::to_string(answer.status) + ")" : ""));
  });
}

void Deliverer::invoke(const Delivery& delivery) {
  const auto name = parse_function_name(delivery.endpoint, settings_.place);
  if (!name) return finish(delivery, End::Never, name.error().message);
  Invocation invocation;
  invocation.function = name->name;
  invocation.arn = name->arn + (name->qualifier.empty() ? "" : ":" + name->qualifier);
  invocation.event = to_payload(function_event(delivery.message, delivery.subscription));
  functions_.invoke(std::move(invocation), [this, delivery](const InvocationAnswer& answer) {
    using Kind = InvocationAnswer::Kind;
    if (answer.kind == Kind::Result) return finish(delivery, End::Done, "");
    finish(delivery, answer.kind == Kind::NotFound ? End::Never : End::Again,
           answer.kind == Kind::NotFound ? "there is no such function" : answer.error);
  });
}

void Deliverer::enqueue(const Delivery& delivery) {
  if (!queues_) return finish(delivery, End::Again, "there are no queues here");
  const Json note = notification(delivery.message, "sqs");
  const std::string body = delivery.raw ? text_at(note, {"Message"}) : std::string(to_payload(note).text());
  const Json attributes =
      delivery.raw ? delivery.message.value("MessageAttributes", Json::object()) : Json(Json::object());
  queues_(delivery.endpoint, body, attributes, [this, delivery](const std::string& why) {
    finish(delivery, why.empty() ? End::Done : End::Again, why);
  });
}

void Deliverer::append(const Delivery& delivery) {
  const Json note = notification(delivery.message, "file");
  const std::string line =
      delivery.raw ? std::string(to_payload(note["Message"]).text()) : std::string(to_payload(note).text());
  if (!is_file_name(delivery.endpoint)) return finish(delivery, End::Never, "no file has that name");
  std::string why = append_line(settings_.files, delivery.endpoint, line + "\n");
  const End end = why.empty() ? End::Done : End::Again;
  finish(delivery, end, std::move(why));
}

}  // namespace millrace::tasks
