#include "tasks/integrations/http/invoke.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "base/encoding.h"
#include "base/text.h"
#include "base/utf8.h"
#include "tasks/integrations/http/form.h"

namespace millrace::tasks {
namespace {

using End = TransferAnswer::End;
using Wrong = tl::unexpected<Failure>;

constexpr std::string_view kMethods[] = {"GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"};

// Headers that a definition may not have. Source: developer guide; Authorization is refused by AWS although
// its list lacks it: a definition is no place for a secret.
constexpr std::string_view kForbiddenHeaders[] = {"a-im",
                                                  "accept-charset",
                                                  "accept-datetime",
                                                  "accept-encoding",
                                                  "authorization",
                                                  "cache-control",
                                                  "connection",
                                                  "content-encoding",
                                                  "content-md5",
                                                  "date",
                                                  "expect",
                                                  "forwarded",
                                                  "from",
                                                  "host",
                                                  "http2-settings",
                                                  "if-match",
                                                  "if-modified-since",
                                                  "if-none-match",
                                                  "if-range",
                                                  "if-unmodified-since",
                                                  "max-forwards",
                                                  "origin",
                                                  "pragma",
                                                  "proxy-authorization",
                                                  "referer",
                                                  "server",
                                                  "te",
                                                  "trailer",
                                                  "transfer-encoding",
                                                  "upgrade",
                                                  "via",
                                                  "warning",
                                                  "content-length"};
constexpr std::string_view kForbiddenPrefixes[] = {"x-forwarded-", "x-amz-", "x-amzn-"};

// What can't be read as text. Source: developer guide, "Unsupported HTTP Task responses".
constexpr std::string_view kBinaryTypes[] = {"application/octet-stream", "image/", "video/", "audio/"};

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

Wrong wrong(std::string cause) {
  return failed(error_names::kRuntime, std::move(cause));
}

bool is_header_name(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](unsigned char c) {
    return std::isalnum(c) ||
           std::string_view("!#$%&'*+-.^_`|~").find(static_cast<char>(c)) != std::string_view::npos;
  });
}

bool is_header_value(std::string_view value) {
  return std::none_of(value.begin(), value.end(),
                      [](unsigned char c) { return (c < 0x20 && c != '\t') || c == 0x7F; });
}

std::optional<Failure> check_header(const std::string& name, const std::string& value) {
  if (!is_header_name(name)) return wrong("Headers: '" + name + "' is no name of a header").value();
  if (!is_header_value(value))
    return wrong("Headers: the value of '" + name + "' has a control character in it").value();
  const std::string small = lower(name);
  const bool listed = std::find(std::begin(kForbiddenHeaders), std::end(kForbiddenHeaders), small) !=
                      std::end(kForbiddenHeaders);
  const bool prefixed = std::any_of(std::begin(kForbiddenPrefixes), std::end(kForbiddenPrefixes),
                                    [&](std::string_view prefix) { return small.starts_with(prefix); });
  if (!listed && !prefixed) return std::nullopt;
  const char* remedy =
      small == "authorization"
          ? ": keep credentials in a connection (aws events create-connection) and name it in "
            "Authentication.ConnectionArn"
          : "";
  return wrong("Headers: '" + name + "' is not allowed in an HTTP task" + remedy).value();
}

// A scalar once, an array once per element.
void add_each(std::vector<HttpHeader>& list, const std::string& name, JsonView value) {
  if (!value.is_array()) return list.push_back({name, plain_text(value)});
  for (const JsonView element : value.elements()) list.push_back({name, plain_text(element)});
}

std::optional<Failure> read_headers(JsonView headers, HttpTask& task) {
  if (!headers || headers.is_null()) return std::nullopt;
  if (!headers.is_object()) return wrong("Headers: expected an object of names and values").value();
  for (const auto& [key, value] : headers.members()) {
    if (value.is_object()) return wrong("Headers: the value of '" + key.string() + "' is an object").value();
    add_each(task.headers, key.string(), value);
  }
  for (const HttpHeader& header : task.headers)
    if (auto failure = check_header(header.name, header.value)) return failure;
  return std::nullopt;
}

std::optional<Failure> read_query(JsonView query, HttpTask& task) {
  if (!query || query.is_null()) return std::nullopt;
  if (!query.is_object()) return wrong("QueryParameters: expected an object of names and values").value();
  for (const auto& [key, value] : query.members()) {
    if (value.is_object())
      return wrong("QueryParameters: the value of '" + key.string() + "' is an object").value();
    add_each(task.query, key.string(), value);
  }
  return std::nullopt;
}

std::optional<Failure> read_transform(JsonView transform, HttpTask& task) {
  const std::string encoding = text_member(transform, "RequestBodyEncoding");
  if (!encoding.empty() && encoding != "NONE" && encoding != "URL_ENCODED")
    return wrong("Transform.RequestBodyEncoding: '" + encoding + "' is neither URL_ENCODED nor NONE").value();
  task.form = encoding == "URL_ENCODED";
  const JsonView options =
      transform && transform.is_object() ? transform.find("RequestEncodingOptions") : JsonView();
  const std::string format = text_member(options, "ArrayFormat");
  if (format.empty()) return std::nullopt;
  const auto known = array_format(format);
  if (!known)
    return wrong("Transform.RequestEncodingOptions.ArrayFormat: '" + format +
                 "' is none of INDICES, REPEAT, COMMAS, BRACKETS")
        .value();
  task.array_format = *known;
  return std::nullopt;
}

std::string connection_of(JsonView arguments) {
  for (const char* holder : {"Authentication", "InvocationConfig"}) {
    const std::string arn = text_member(arguments.find(holder), "ConnectionArn");
    if (!arn.empty()) return arn;
  }
  return {};
}

// The connection's value of a name stands instead of the state's.
void override(std::vector<HttpHeader>& list, const std::vector<ConnectionParameter>& parameters,
              bool any_case) {
  for (const ConnectionParameter& parameter : parameters)
    std::erase_if(list, [&](const HttpHeader& one) {
      return any_case ? lower(one.name) == lower(parameter.key) : one.name == parameter.key;
    });
  for (const ConnectionParameter& parameter : parameters) list.push_back({parameter.key, parameter.value});
}

void set_header(std::vector<HttpHeader>& headers, const std::string& name, const std::string& value) {
  override(headers, {{name, value, false}}, true);
}

bool has_header(const std::vector<HttpHeader>& headers, std::string_view name) {
  return std::any_of(headers.begin(), headers.end(),
                     [&](const HttpHeader& header) { return lower(header.name) == name; });
}

std::string with_query(const std::string& endpoint, const std::vector<HttpHeader>& query) {
  const std::size_t hash = std::min(endpoint.find('#'), endpoint.size());
  std::string url = endpoint.substr(0, hash);
  for (const HttpHeader& one : query) {
    if (url.find('?') == std::string::npos)
      url += '?';
    else if (!url.ends_with('?') && !url.ends_with('&'))
      url += '&';
    url += percent_encode(one.name) + "=" + percent_encode(one.value);
  }
  return url;
}

tl::expected<Payload, Failure> merged_body(const HttpTask& task,
                                           const std::vector<ConnectionParameter>& added) {
  if (added.empty()) return task.body;
  const JsonView body = task.has_body ? task.body.view() : Payload::empty_object().view();
  if (!body.is_object())
    return wrong("RequestBody: the connection adds members to it, so it must be an object");
  JsonWriter out;
  out.begin_object();
  for (const auto& [key, value] : body.members()) {
    const bool replaced =
        std::any_of(added.begin(), added.end(), [&, k = key](const auto& one) { return k.equals(one.key); });
    if (!replaced) out.key(key).value(value);
  }
  for (const ConnectionParameter& one : added) out.key(one.key).string(one.value);
  out.end_object();
  return out.finish();
}

tl::expected<void, Failure> set_body(HttpRequest& request, const HttpTask& task,
                                     const Connection* connection) {
  static const std::vector<ConnectionParameter> kNone;
  const auto& added = connection ? connection->invocation.body : kNone;
  const bool takes_body = request.method != "GET" && request.method != "HEAD" && request.method != "OPTIONS";
  if (!task.has_body && (added.empty() || !takes_body)) return {};
  const auto body = merged_body(task, added);
  if (!body) return Wrong(body.error());
  const JsonView view = body->view();
  request.has_body = true;
  if (view.is_string())
    request.body = view.string();
  else
    request.body =
        task.form && view.is_object() ? encode_form(view, task.array_format) : std::string(view.text());
  if (!has_header(request.headers, "content-type"))
    request.headers.push_back(
        {"Content-Type", task.form ? "application/x-www-form-urlencoded" : "application/json"});
  return {};
}

void set_authorization(HttpRequest& request, const Connection& connection, const std::string& token) {
  if (connection.authorization_type == "BASIC")
    set_header(request.headers, "Authorization",
               "Basic " + base64_encode(connection.user + ":" + connection.password));
  else if (connection.authorization_type == "API_KEY")
    set_header(request.headers, connection.key_name, connection.key_value);
  else
    set_header(request.headers, "Authorization", "Bearer " + token);
}

// The first Content-Type, without its parameters.
std::string media_type(const TransferAnswer& answer) {
  for (const HttpHeader& header : answer.headers) {
    if (lower(header.name) != "content-type") continue;
    std::string type = lower(header.value.substr(0, header.value.find(';')));
    while (!type.empty() && type.back() == ' ') type.pop_back();
    return type;
  }
  return {};
}

bool is_binary(const std::string& type) {
  return std::any_of(std::begin(kBinaryTypes), std::end(kBinaryTypes),
                     [&](std::string_view binary) { return type.starts_with(binary); });
}

bool is_json(const std::string& type) {
  return type == "application/json" || type.ends_with("+json") || type == "text/json";
}

// What servers say by a status when they don't say it: HTTP/2 has no reason phrases.
std::string_view usual_text(int status) {
  constexpr std::pair<int, std::string_view> kTexts[] = {{200, "OK"},
                                                         {201, "Created"},
                                                         {202, "Accepted"},
                                                         {204, "No Content"},
                                                         {301, "Moved Permanently"},
                                                         {302, "Found"},
                                                         {304, "Not Modified"},
                                                         {307, "Temporary Redirect"},
                                                         {308, "Permanent Redirect"},
                                                         {400, "Bad Request"},
                                                         {401, "Unauthorized"},
                                                         {403, "Forbidden"},
                                                         {404, "Not Found"},
                                                         {405, "Method Not Allowed"},
                                                         {409, "Conflict"},
                                                         {410, "Gone"},
                                                         {422, "Unprocessable Content"},
                                                         {429, "Too Many Requests"},
                                                         {500, "Internal Server Error"},
                                                         {502, "Bad Gateway"},
                                                         {503, "Service Unavailable"},
                                                         {504, "Gateway Timeout"}};
  for (const auto& [code, text] : kTexts)
    if (code == status) return text;
  return "";
}

std::string status_text_of(const TransferAnswer& answer) {
  return answer.status_text.empty() ? std::string(usual_text(answer.status)) : answer.status_text;
}

Failure status_failure(const TransferAnswer& answer, const std::string& text) {
  std::string cause = answer.body;
  if (answer.status >= 300 && answer.status <= 399) {
    for (const HttpHeader& header : answer.headers)
      if (lower(header.name) == "location")
        cause = std::to_string(answer.status) + " " + text + ": redirects are not followed; it leads to " +
                header.value;
  }
  if (cause.empty()) cause = std::to_string(answer.status) + " " + text;
  return {"States.Http.StatusCode." + std::to_string(answer.status), std::move(cause)};
}

Payload result_of(const TransferAnswer& answer, const std::string& type, const std::string& text) {
  std::map<std::string, std::vector<std::string>> headers;
  for (const HttpHeader& header : answer.headers) headers[lower(header.name)].push_back(header.value);
  JsonWriter out;
  out.begin_object().key("Headers").begin_object();
  for (const auto& [name, values] : headers) {
    out.key(name).begin_array();
    for (const std::string& value : values) out.string(value);
    out.end_array();
  }
  out.end_object().key("ResponseBody");
  const auto parsed = is_json(type) ? Payload::parse(answer.body) : Result<Payload>(invalid(""));
  if (parsed)
    out.value(*parsed);
  else
    out.string(answer.body);
  out.key("StatusCode").number(std::int64_t{answer.status}).key("StatusText").string(text).end_object();
  return out.finish();
}

}  // namespace

tl::expected<HttpTask, Failure> parse_http_task(const Payload& arguments) {
  const JsonView in = arguments.view();
  if (!in.is_object()) return wrong("the arguments of an HTTP task must be an object");
  HttpTask task;
  task.endpoint = text_member(in, "ApiEndpoint");
  if (task.endpoint.empty())
    return wrong("ApiEndpoint: expected the URL of an API, e.g. https://api.example.com/orders");
  if (const auto url = parse_url(task.endpoint); !url)
    return wrong("ApiEndpoint: " + url.error().message +
                 (url.error().hint.empty() ? "" : "; " + url.error().hint));
  task.method = text_member(in, "Method");
  if (std::find(std::begin(kMethods), std::end(kMethods), task.method) == std::end(kMethods))
    return wrong("Method: " + (task.method.empty() ? "expected" : "'" + task.method + "' is none of") +
                 " GET, POST, PUT, DELETE, PATCH, OPTIONS, HEAD");
  if (auto failure = read_headers(in.find("Headers"), task)) return Wrong(*failure);
  if (auto failure = read_query(in.find("QueryParameters"), task)) return Wrong(*failure);
  if (auto failure = read_transform(in.find("Transform"), task)) return Wrong(*failure);
  if (const JsonView body = in.find("RequestBody"); body && !body.is_null()) {
    task.body = Payload::of(body);
    task.has_body = true;
  }
  task.connection = connection_of(in);
  return task;
}

tl::expected<HttpRequest, Failure> build_http_request(const HttpTask& task, const Connection* connection,
                                                      const std::string& token) {
  HttpRequest request;
  request.method = task.method;
  request.headers = task.headers;
  std::vector<HttpHeader> query = task.query;
  if (connection) {
    override(request.headers, connection->invocation.headers, true);
    override(query, connection->invocation.query, false);
  }
  request.url = with_query(task.endpoint, query);
  if (const auto body = set_body(request, task, connection); !body) return Wrong(body.error());
  if (connection) set_authorization(request, *connection, token);
  return request;
}

Outcome http_outcome(const TransferAnswer& answer) {
  switch (answer.end) {
    case End::TimedOut:
    case End::Unreachable:
      return failed("States.Http.Socket", answer.problem);
    case End::Forbidden:
      return failed(error_names::kTaskFailed,
                    answer.problem + "; \"http\": {\"allow\": […]} in HOME/integrations.json allows it");
    case End::TooLarge:
      return failed(
          error_names::kDataLimitExceeded,
          "The state/task 'http' returned a result with a size exceeding the maximum number of bytes "
          "service limit.");
    case End::Overloaded:
      return failed(error_names::kTaskFailed, answer.problem + "; try again later");
    case End::Answered:
      break;
  }
  const std::string type = media_type(answer);
  const std::string text = status_text_of(answer);
  if (answer.status < 200 || answer.status > 299) return Wrong(status_failure(answer, text));
  if (is_binary(type) && !answer.body.empty())
    return wrong("the response is of type " + type + ", which an HTTP task can't return as text");
  if (!valid_utf8(answer.body)) return wrong("the response is no valid UTF-8 text");
  return result_of(answer, type, text);
}

struct HttpInvoker::Running {
  HttpTask task;
  Millis time_max;
  Outcome (*outcome)(const TransferAnswer&) = nullptr;
  std::optional<Connection> connection;
  Reply reply;
  HttpWatch watch;
  std::mutex mutex;  // over what follows
  bool cancelled = false;
  std::uint64_t transfer = 0;
  bool renewed = false;  // its token was not accepted once
};

std::function<void()> HttpInvoker::start(const Payload& arguments, Reply reply, HttpWatch watch) {
  auto task = parse_http_task(arguments);
  if (task) return start(std::move(*task), Millis(0), http_outcome, std::move(reply), std::move(watch));
  reply(Wrong(task.error()));
  return [] {};
}

std::function<void()> HttpInvoker::start(HttpTask task, Millis time_max,
                                         Outcome (*outcome)(const TransferAnswer&), Reply reply,
                                         HttpWatch watch) {
  const auto running = std::make_shared<Running>();
  running->task = std::move(task);
  running->time_max = time_max.count() > 0 ? time_max : settings_.time_max;
  running->outcome = outcome;
  running->reply = std::move(reply);
  running->watch = std::move(watch);
  if (!running->task.connection.empty()) {
    auto connection = connections_.find(running->task.connection);
    if (!connection) {
      running->reply(failed("Events.ConnectionResource.ResourceNotFound", connection.error().message));
      return [] {};
    }
    running->connection = std::move(*connection);
  }
  authorize(running);
  return [this, weak = std::weak_ptr(running)] {
    const auto still = weak.lock();
    if (!still) return;
    const std::lock_guard lock(still->mutex);
    still->cancelled = true;
    transfers_.cancel(still->transfer);
  };
}

void HttpInvoker::authorize(const std::shared_ptr<Running>& running) {
  const bool by_token =
      running->connection && running->connection->authorization_type == "OAUTH_CLIENT_CREDENTIALS";
  if (!by_token) return send(running, "");
  tokens_.get(*running->connection, [this, running](const Result<std::string>& token) {
    if (token) return send(running, *token);
    {
      const std::lock_guard lock(running->mutex);
      if (running->cancelled) return;
    }
    running->reply(failed("Events.ConnectionResource.InvalidConnectionState", token.error().message));
  });
}

tl::expected<HttpRequest, Failure> HttpInvoker::request_of(const Running& running,
                                                           const Connection* connection,
                                                           const std::string& token) const {
  auto request = build_http_request(running.task, connection, token);
  if (request && !has_header(request->headers, "user-agent"))
    request->headers.push_back({"User-Agent", settings_.user_agent});
  return request;
}

// What was sent is put together once more, for the mask.
void HttpInvoker::show(const Running& running, const TransferAnswer& answer, const std::string& token) const {
  if (!running.watch.seen) return;
  std::optional<Connection> connection = running.connection;
  const bool masked = connection && !running.watch.secrets;
  if (masked) connection = without_secrets(std::move(*connection));
  auto request = request_of(running, connection ? &*connection : nullptr, token);
  if (!request) return;
  for (HttpHeader& header : request->headers) {
    if (masked && lower(header.name) == "authorization") header.value = "REDACTED";
  }
  running.watch.seen(exchange_of(*request, answer, status_text_of(answer)));
}

void HttpInvoker::send(const std::shared_ptr<Running>& running, const std::string& token) {
  auto request = request_of(*running, running->connection ? &*running->connection : nullptr, token);
  if (!request) return running->reply(Wrong(request.error()));
  request->time_max = running->time_max;
  const std::size_t most = running->task.response_bytes_max;
  request->body_bytes_max = most > 0 ? most : settings_.response_bytes_max;
  {
    const std::lock_guard lock(running->mutex);
    if (running->cancelled) return;
  }
  const std::uint64_t transfer =
      transfers_.send(std::move(*request), [this, running, token](const TransferAnswer& answer) {
        {
          const std::lock_guard lock(running->mutex);
          if (running->cancelled) return;
        }
        // A token may be withdrawn before it expires: another one is asked for, once.
        if (answer.status != 401 || token.empty() || std::exchange(running->renewed, true)) {
          show(*running, answer, token);
          return running->reply(running->outcome(answer));
        }
        tokens_.forget(running->connection->arn, token);
        authorize(running);
      });
  const std::lock_guard lock(running->mutex);
  running->transfer = transfer;
  if (running->cancelled) transfers_.cancel(transfer);
}

}  // namespace millrace::tasks
