#include "service/api/lambda.h"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "base/encoding.h"
#include "service/api/protocol.h"

namespace millrace::api {
namespace {

using tasks::InvocationAnswer;

constexpr std::string_view kRoot = "/2015-03-31/functions";
constexpr std::size_t kListMax = 50;

http::Response response_of(int status, std::string body, const std::string& id) {
  http::Response response;
  response.status = status;
  response.headers.push_back({"x-amzn-RequestId", id});
  response.body = std::move(body);
  return response;
}

http::Response refused(int status, std::string_view code, std::string_view message, const std::string& id) {
  JsonWriter out;
  out.begin_object();
  out.key("Type").string(status < 500 ? "User" : "Service").key("Message").string(message).end_object();
  http::Response response = response_of(status, std::string(out.finish().text()), id);
  response.headers.push_back({"x-amzn-ErrorType", std::string(code)});
  return response;
}

http::Response answer_of(const InvocationAnswer& answer, const tasks::FunctionName& name,
                         const std::string& version, bool tail) {
  using Kind = InvocationAnswer::Kind;
  const std::string& id = answer.request_id;
  switch (answer.kind) {
    case Kind::NotFound:
      return refused(
          404, "ResourceNotFoundException",
          "Function not found: " + name.arn + ":" + (name.qualifier.empty() ? "$LATEST" : name.qualifier),
          id);
    case Kind::Refused:
      return refused(429, "TooManyRequestsException", "Rate Exceeded.", id);
    case Kind::CannotRun:
      return refused(502, "InvalidRuntimeException", answer.error, id);
    case Kind::Error:
    case Kind::Result:
      break;
  }
  const bool failed = answer.kind == Kind::Error;
  http::Response response = response_of(200, failed ? answer.error : std::string(answer.payload.text()), id);
  response.headers.push_back({"X-Amz-Executed-Version", version});
  if (failed) response.headers.push_back({"X-Amz-Function-Error", "Unhandled"});
  if (tail) response.headers.push_back({"X-Amz-Log-Result", base64_encode(answer.log_tail)});
  return response;
}

}  // namespace

bool LambdaApi::serves(const http::Request& request) {
  return request.path.starts_with(kRoot);
}

LambdaApi::Asked LambdaApi::read(const http::Request& request) const {
  using What = Asked::What;
  Asked asked;
  if (!serves(request)) return asked;
  std::string_view rest = std::string_view(request.path).substr(kRoot.size());
  const bool get = request.method == "GET";
  if (get && (rest.empty() || rest == "/")) asked.what = What::List;
  if (asked.what == What::List || !rest.starts_with('/')) return asked;
  rest.remove_prefix(1);
  const std::size_t slash = rest.find('/');
  const std::string_view what = slash == std::string_view::npos ? std::string_view() : rest.substr(slash + 1);
  asked.function = tasks::parse_function_name(percent_decode(rest.substr(0, slash)), place_);
  const std::string qualifier = parameter(request.query, "Qualifier");
  if (asked.function && !qualifier.empty()) asked.function->qualifier = qualifier;
  if (request.method == "POST" && what == "invocations") asked.what = What::Invoke;
  if (get && what.empty()) asked.what = What::Describe;
  if (get && what == "configuration") asked.what = What::Configuration;
  return asked;
}

std::vector<auth::Demand> LambdaApi::demands(const http::Request& request) const {
  using What = Asked::What;
  const Asked asked = read(request);
  if (asked.what == What::Nothing || !asked.function) return {{"lambda:*", "*"}};
  if (asked.what == What::List) return {{"lambda:ListFunctions", "*"}};
  // Functions are found by their name, whatever region and account the request gives them.
  const std::string arn =
      "arn:aws:lambda:" + place_.region + ":" + place_.account + ":function:" + asked.function->name;
  const std::string& qualifier = asked.function->qualifier;
  return {{asked.what == What::Invoke     ? "lambda:InvokeFunction"
           : asked.what == What::Describe ? "lambda:GetFunction"
                                          : "lambda:GetFunctionConfiguration",
           arn, qualifier.empty() ? "" : arn + ":" + qualifier}};
}

void LambdaApi::handle(http::ExchangePtr exchange) {
  using What = Asked::What;
  const http::Request& request = exchange->request();
  const std::string id = uuid_v4(random_);
  const Asked asked = read(request);
  if (!asked.function)
    return exchange->respond(refused(400, "ValidationException", asked.function.error().message, id));
  switch (asked.what) {
    case What::List:
      return list(std::move(exchange), id);
    case What::Invoke:
      return invoke(std::move(exchange), id, *asked.function);
    case What::Describe:
    case What::Configuration:
      return describe(std::move(exchange), id, *asked.function, asked.what == What::Configuration);
    case What::Nothing:
      break;
  }
  exchange->respond(refused(404, "UnknownOperationException",
                            "functions are folders of the home directory: there is nothing at " +
                                request.method + " " + request.path,
                            id));
}

void LambdaApi::invoke(http::ExchangePtr exchange, const std::string& id, const tasks::FunctionName& name) {
  const http::Request& request = exchange->request();
  const std::string type(request.header("x-amz-invocation-type"));
  const bool event = type == "Event", dry = type == "DryRun";
  tasks::Invocation invocation;
  const auto body =
      request.body.empty() ? Result<Payload>(Payload::empty_object()) : Payload::parse(request.body);
  if (!body)
    return exchange->respond(refused(400, "InvalidRequestContentException",
                                     "Could not parse request body into json: " + body.error().message, id));
  invocation.event = *body;
  invocation.function = name.name;
  invocation.arn = name.arn + (name.qualifier.empty() ? "" : ":" + name.qualifier);
  invocation.tail = request.header("x-amz-log-type") == "Tail";
  invocation.client_context = base64_decode(request.header("x-amz-client-context")).value_or("");
  if (event || dry) {
    const auto function = tasks::load_function(functions_.settings().functions, name.name);
    if (!function) {
      InvocationAnswer problem;
      const bool missing = function.error().code == ErrorCode::NotFound;
      problem.kind = missing ? InvocationAnswer::Kind::NotFound : InvocationAnswer::Kind::CannotRun;
      problem.error = function.error().message;
      problem.request_id = id;
      return exchange->respond(answer_of(problem, name, invocation.version, false));
    }
    if (event) functions_.invoke(std::move(invocation), [](const InvocationAnswer&) {});
    return exchange->respond(response_of(event ? 202 : 204, "", id));
  }
  const std::string version = invocation.version;
  const bool tail = invocation.tail;
  functions_.invoke(std::move(invocation), [exchange = std::move(exchange), post = post_, name, version,
                                            tail](InvocationAnswer answer) mutable {
    // The exchange is the loop's: it goes there, and is let go of there.
    post([exchange = std::move(exchange), name, version, tail, answer = std::move(answer)] {
      exchange->respond(answer_of(answer, name, version, tail));
    });
  });
}

void LambdaApi::describe(http::ExchangePtr exchange, const std::string& id, const tasks::FunctionName& name,
                         bool configuration_only) {
  const auto function = tasks::load_function(functions_.settings().functions, name.name);
  if (!function && function.error().code == ErrorCode::NotFound)
    return exchange->respond(
        refused(404, "ResourceNotFoundException", "Function not found: " + name.arn, id));
  if (!function) return exchange->respond(refused(500, "ServiceException", function.error().message, id));
  const Json configuration = tasks::function_configuration(*function, place_);
  Json answer;
  answer["Configuration"] = configuration;
  answer["Code"] = {{"RepositoryType", "file"}, {"Location", "file://" + function->directory.string()}};
  exchange->respond(
      response_of(200, std::string(to_payload(configuration_only ? configuration : answer).text()), id));
}

void LambdaApi::list(http::ExchangePtr exchange, const std::string& id) {
  const std::string& query = exchange->request().query;
  const std::string after = parameter(query, "Marker"), wanted = parameter(query, "MaxItems");
  std::size_t max = kListMax;
  if (!wanted.empty()) {
    const auto [end, error] = std::from_chars(wanted.data(), wanted.data() + wanted.size(), max);
    if (error != std::errc() || end != wanted.data() + wanted.size() || max < 1)
      return exchange->respond(
          refused(400, "InvalidParameterValueException", "MaxItems must be a positive number", id));
    max = std::min(max, kListMax);
  }
  Json functions = Json::array();
  std::string last, next;
  for (const std::string& name : tasks::function_names(functions_.settings().functions)) {
    if (name <= after) continue;
    const auto function = tasks::load_function(functions_.settings().functions, name);
    if (!function) continue;
    if (functions.size() == max) {
      next = last;
      break;
    }
    functions.push_back(tasks::function_configuration(*function, place_));
    last = name;
  }
  Json answer;
  answer["Functions"] = std::move(functions);
  if (!next.empty()) answer["NextMarker"] = next;
  exchange->respond(response_of(200, std::string(to_payload(answer).text()), id));
}

}  // namespace millrace::api
