#include "tasks/functions/lambda.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <nlohmann/json.hpp>

#include "base/encoding.h"
#include "base/text.h"

namespace millrace::tasks {
namespace {

constexpr std::string_view kLatest = "$LATEST";
constexpr std::string_view kToken = ".waitForTaskToken";

// Takes the part up to the next ':' off the front.
std::string_view take_part(std::string_view& rest) {
  const std::size_t colon = rest.find(':');
  const std::string_view part = rest.substr(0, colon);
  rest = colon == std::string_view::npos ? std::string_view() : rest.substr(colon + 1);
  return part;
}

bool is_account(std::string_view part) {
  return part.size() == 12 &&
         std::all_of(part.begin(), part.end(), [](char c) { return c >= '0' && c <= '9'; });
}

bool is_qualifier(std::string_view text) {
  return text == kLatest ||
         (!text.empty() && text.size() <= 128 && std::all_of(text.begin(), text.end(), [](char c) {
           return std::isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_';
         }));
}

// The metadata of the optimized integration: what AWS's HTTP answer would have carried.
void write_metadata(JsonWriter& out, int status, const std::string& version, std::size_t bytes,
                    const std::string& request_id, Instant now) {
  const std::pair<const char*, std::string> headers[] = {
      {"Connection", "keep-alive"},         {"Content-Length", std::to_string(bytes)},
      {"Content-Type", "application/json"}, {"Date", format_http_date(now)},
      {"X-Amz-Executed-Version", version},  {"x-amzn-RequestId", request_id},
  };
  const auto wanted = [&](const char* name) {
    return !version.empty() || std::string_view(name) != "X-Amz-Executed-Version";
  };
  out.key("SdkHttpMetadata").begin_object();
  out.key("AllHttpHeaders").begin_object();
  for (const auto& [name, value] : headers)
    if (wanted(name)) out.key(name).begin_array().string(value).end_array();
  out.end_object().key("HttpHeaders").begin_object();
  for (const auto& [name, value] : headers)
    if (wanted(name)) out.key(name).string(value);
  out.end_object().key("HttpStatusCode").number(std::int64_t{status}).end_object();
  out.key("SdkResponseMetadata").begin_object().key("RequestId").string(request_id).end_object();
}

// A number is a published version; everything else runs what is there now.
std::string executed_version(const LambdaCall& call) {
  const std::string& q = call.function.qualifier;
  const bool number =
      !q.empty() && std::all_of(q.begin(), q.end(), [](char c) { return c >= '0' && c <= '9'; });
  return number ? q : std::string(kLatest);
}

// A failed function: its errorType is the error's name, its whole error object the cause.
Failure function_failure(const std::string& error) {
  const auto parsed = Payload::parse(error);
  const std::string type =
      parsed && parsed->view().is_object() ? text_member(parsed->view(), "errorType") : "";
  if (!type.empty()) return Failure{type, error};
  return Failure{
      "Lambda.Unknown",
      "The cause could not be determined because Lambda did not return an error type. Returned payload: " +
          error};
}

Outcome invoked(const LambdaCall& call, const InvocationAnswer& answer, Instant now) {
  const bool sdk = call.form == LambdaForm::Sdk,
             failed_function = answer.kind == InvocationAnswer::Kind::Error;
  const std::string_view payload = failed_function ? std::string_view(answer.error) : answer.payload.text();
  const std::string version = executed_version(call);
  JsonWriter out;
  out.begin_object();
  out.key("ExecutedVersion").string(version);
  if (failed_function) out.key("FunctionError").string("Unhandled");
  if (call.invocation.tail) out.key("LogResult").string(base64_encode(answer.log_tail));
  out.key("Payload");
  if (sdk)
    out.string(payload);
  else
    out.value(answer.payload);
  if (!sdk) write_metadata(out, 200, version, payload.size(), answer.request_id, now);
  out.key("StatusCode").number(std::int64_t{200}).end_object();
  return out.finish();
}

tl::unexpected<Failure> refused(LambdaForm form, std::string_view code, int status, std::string_view message,
                                const std::string& request_id) {
  return tl::unexpected<Failure>(lambda_failure(form, code, status, message, request_id));
}

// The event of lambda:invoke: JSON as it is. A string is the text of the request's body in the optimized form
// (as was recorded), and JSON like any other in the SDK's.
tl::expected<Payload, Failure> event_of(LambdaForm form, JsonView arguments, const std::string& request_id) {
  const JsonView payload = arguments.find("Payload");
  if (!payload || payload.is_null()) return Payload::empty_object();
  if (form == LambdaForm::Sdk || !payload.is_string()) return Payload::of(payload);
  auto parsed = Payload::parse(payload.string());
  if (parsed) return std::move(*parsed);
  return refused(
      form, "InvalidRequestContentException", 400,
      "Could not parse request body into json: Could not parse payload into json: " + parsed.error().message,
      request_id);
}

}  // namespace

Result<FunctionName> parse_function_name(std::string_view text, const LambdaPlace& place) {
  const auto wrong = [&] {
    return invalid(
        "1 validation error detected: Value '" + std::string(text) +
        "' at 'functionName' failed to satisfy constraint: Member must satisfy regular expression pattern: "
        "(arn:(aws[a-zA-Z-]*)?:lambda:)?([a-z]{2}(-gov)?-[a-z]+-\\d{1}:)?(\\d{12}:)?(function:)?"
        "([a-zA-Z0-9-_]+)(:(\\$LATEST|[a-zA-Z0-9-_]+))?");
  };
  std::string_view rest = text;
  std::string partition = "aws", region = place.region, account = place.account;
  if (rest.starts_with("arn:")) {
    take_part(rest);
    partition = take_part(rest);
    if (take_part(rest) != "lambda") return wrong();
    region = take_part(rest);
    account = take_part(rest);
    if (take_part(rest) != "function") return wrong();
  } else {
    if (is_account(rest.substr(0, rest.find(':')))) account = take_part(rest);
    if (rest.starts_with("function:")) take_part(rest);
  }
  FunctionName result;
  result.name = take_part(rest);
  result.qualifier = rest;
  if (!is_function_name(result.name) || (!rest.empty() && !is_qualifier(rest))) return wrong();
  result.arn = "arn:" + partition + ":lambda:" + region + ":" + account + ":function:" + result.name;
  return result;
}

std::optional<LambdaForm> lambda_form(std::string_view resource) {
  if (!resource.starts_with("arn:")) return std::nullopt;
  take_part(resource);
  take_part(resource);
  const std::string_view service = take_part(resource);
  take_part(resource);
  take_part(resource);
  if (service == "lambda")
    return resource.starts_with("function:") ? std::optional(LambdaForm::FunctionArn) : std::nullopt;
  if (service != "states") return std::nullopt;
  if (resource.ends_with(kToken)) resource.remove_suffix(kToken.size());
  if (resource == "lambda:invoke") return LambdaForm::Optimized;
  if (resource == "aws-sdk:lambda:invoke") return LambdaForm::Sdk;
  return std::nullopt;
}

Failure lambda_failure(LambdaForm form, std::string_view code, int status, std::string_view message,
                       const std::string& request_id) {
  // Only what Lambda's model names is an error of its own; the SDK calls the rest AWSLambdaException.
  const bool modelled = code.ends_with("Exception") && code != "ValidationException";
  const std::string name = modelled                  ? std::string(code)
                           : form == LambdaForm::Sdk ? "LambdaException"
                                                     : "AWSLambdaException";
  if (form == LambdaForm::Sdk)
    return Failure{"Lambda." + name, std::string(message) + " (Service: Lambda, Status Code: " +
                                         std::to_string(status) + ", Request ID: " + request_id + ")"};
  return Failure{"Lambda." + name,
                 std::string(message) + " (Service: AWSLambda; Status Code: " + std::to_string(status) +
                     "; Error Code: " + std::string(code) + "; Request ID: " + request_id + "; Proxy: null)"};
}

tl::expected<LambdaCall, Failure> lambda_call(LambdaForm form, std::string_view resource,
                                              const Payload& arguments, const LambdaPlace& place,
                                              const std::string& request_id) {
  LambdaCall call;
  call.form = form;
  std::string named(resource);
  if (form != LambdaForm::FunctionArn) {
    const JsonView view = arguments.view();
    const JsonView name = view.is_object() ? view.find("FunctionName") : JsonView();
    if (!name || !name.is_string())
      return refused(
          form, "ValidationException", 400,
          "1 validation error detected: Value at 'functionName' failed to satisfy constraint: Member must "
          "not be null",
          request_id);
    named = name.string();
  }
  auto function = parse_function_name(named, place);
  if (!function) return refused(form, "ValidationException", 400, function.error().message, request_id);
  call.function = std::move(*function);
  call.invocation.function = call.function.name;
  call.invocation.event = arguments;
  if (form != LambdaForm::FunctionArn) {
    const JsonView view = arguments.view();
    auto event = event_of(form, view, request_id);
    if (!event) return tl::unexpected<Failure>(event.error());
    call.invocation.event = std::move(*event);
    if (const std::string qualifier = text_member(view, "Qualifier"); !qualifier.empty())
      call.function.qualifier = qualifier;
    if (const std::string type = text_member(view, "InvocationType"); !type.empty())
      call.invocation_type = type;
    call.invocation.tail = text_member(view, "LogType") == "Tail";
    const std::string client = text_member(view, "ClientContext");
    call.invocation.client_context = base64_decode(client).value_or(client);
  }
  if (call.invocation_type != "RequestResponse" && call.invocation_type != "Event" &&
      call.invocation_type != "DryRun")
    return refused(
        form, "ValidationException", 400,
        "1 validation error detected: Value '" + call.invocation_type +
            "' at 'invocationType' failed to satisfy constraint: Member must satisfy enum value set: "
            "[Event, RequestResponse, DryRun]",
        request_id);
  call.invocation.version = executed_version(call);
  call.invocation.arn =
      call.function.arn + (call.function.qualifier.empty() ? "" : ":" + call.function.qualifier);
  return call;
}

Outcome lambda_outcome(const LambdaCall& call, const InvocationAnswer& answer, Instant now) {
  using Kind = InvocationAnswer::Kind;
  const std::string qualified =
      call.function.qualifier.empty() ? std::string(kLatest) : call.function.qualifier;
  switch (answer.kind) {
    case Kind::NotFound:
      return refused(call.form, "ResourceNotFoundException", 404,
                     "Function not found: " + call.function.arn + ":" + qualified, answer.request_id);
    case Kind::Refused:
      return refused(call.form, "TooManyRequestsException", 429, "Rate Exceeded.", answer.request_id);
    case Kind::CannotRun:
      return refused(call.form, "InvalidRuntimeException", 502, answer.error, answer.request_id);
    case Kind::Error:
      if (call.form != LambdaForm::Sdk) return tl::unexpected<Failure>(function_failure(answer.error));
      return invoked(call, answer, now);
    case Kind::Result:
      break;
  }
  return call.form == LambdaForm::FunctionArn ? Outcome(answer.payload) : invoked(call, answer, now);
}

Outcome lambda_accepted(const LambdaCall& call, const std::string& request_id, Instant now) {
  const int status = call.invocation_type == "Event" ? 202 : 204;
  JsonWriter out;
  out.begin_object();
  if (call.form == LambdaForm::Optimized) {
    out.key("Payload").string("");
    write_metadata(out, status, "", 0, request_id, now);
  }
  out.key("StatusCode").number(std::int64_t{status}).end_object();
  return out.finish();
}

Json function_configuration(const Function& function, const LambdaPlace& place) {
  Json out;
  out["FunctionName"] = function.name;
  out["FunctionArn"] = "arn:aws:lambda:" + place.region + ":" + place.account + ":function:" + function.name;
  out["Runtime"] = function.runtime;
  if (!function.handler.empty()) out["Handler"] = function.module + "." + function.handler;
  out["CodeSize"] = function.bytes;
  out["Description"] = function.description;
  out["Timeout"] = (function.timeout.count() + 999) / 1000;
  out["MemorySize"] = function.memory_mb > 0 ? function.memory_mb : 10'240;
  out["LastModified"] = format_rfc3339(from_millis(function.modified_ms));
  out["Version"] = kLatest;
  if (!function.environment.empty()) out["Environment"]["Variables"] = function.environment;
  out["State"] = "Active";
  out["LastUpdateStatus"] = "Successful";
  out["PackageType"] = "Zip";
  return out;
}

}  // namespace millrace::tasks
