#include "service/http/message.h"

#include <chrono>
#include <cstdio>
#include <utility>

namespace millrace::http {

std::string_view Request::header(std::string_view name) const {
  for (const Header& header : headers) {
    if (header.name == name) return header.value;
  }
  return {};
}

std::string_view reason_phrase(int status) {
  static constexpr std::pair<int, std::string_view> kPhrases[] = {
      {200, "OK"},
      {204, "No Content"},
      {206, "Partial Content"},
      {304, "Not Modified"},
      {400, "Bad Request"},
      {403, "Forbidden"},
      {404, "Not Found"},
      {405, "Method Not Allowed"},
      {408, "Request Timeout"},
      {409, "Conflict"},
      {411, "Length Required"},
      {412, "Precondition Failed"},
      {413, "Content Too Large"},
      {416, "Range Not Satisfiable"},
      {429, "Too Many Requests"},
      {431, "Request Header Fields Too Large"},
      {500, "Internal Server Error"},
      {501, "Not Implemented"},
      {503, "Service Unavailable"},
      {507, "Insufficient Storage"},
  };
  for (const auto& [code, phrase] : kPhrases) {
    if (code == status) return phrase;
  }
  return "Unknown";
}

std::string imf_date(long long seconds) {
  static constexpr const char* kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                            "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  namespace c = std::chrono;
  const c::sys_seconds time{c::seconds(seconds)};
  const auto day = c::floor<c::days>(time);
  const c::year_month_day date(day);
  const c::hh_mm_ss clock(time - day);
  char text[64];
  std::snprintf(text, sizeof text, "%s, %02u %s %04d %02d:%02d:%02d GMT", kDays[c::weekday(day).c_encoding()],
                static_cast<unsigned>(date.day()), kMonths[static_cast<unsigned>(date.month()) - 1],
                static_cast<int>(date.year()), static_cast<int>(clock.hours().count()),
                static_cast<int>(clock.minutes().count()), static_cast<int>(clock.seconds().count()));
  return text;
}

namespace {
void add_status(std::string& out, const Response& response) {
  out.append("HTTP/1.1 ").append(std::to_string(response.status)).append(" ");
  out.append(reason_phrase(response.status));
}
void end_head(std::string& out, const Response& response, std::string_view date, bool keep_alive) {
  out.append("\r\nDate: ").append(date);
  for (const Header& header : response.headers)
    out.append("\r\n").append(header.name).append(": ").append(header.value);
  if (!keep_alive) out.append("\r\nConnection: close");
  out.append("\r\n\r\n");
}
}  // namespace

std::string serialize(const Response& response, std::string_view date, bool keep_alive, bool head_only) {
  std::string out;
  out.reserve(256 + response.body.size());
  add_status(out, response);
  // Has neither a body nor a length (RFC 9110, 8.6).
  const bool empty = response.status == 204 || response.status == 304;
  if (!empty) {
    out.append("\r\nContent-Type: ").append(response.content_type);
    out.append("\r\nContent-Length: ").append(std::to_string(response.length.value_or(response.body.size())));
  }
  end_head(out, response, date, keep_alive);
  if (!head_only && !empty) out.append(response.body);
  return out;
}

std::string serialize_head(const Response& response, std::string_view date, bool keep_alive, bool chunked) {
  std::string out;
  add_status(out, response);
  out.append("\r\nContent-Type: ").append(response.content_type);
  if (response.length)
    out.append("\r\nContent-Length: ").append(std::to_string(*response.length));
  else if (chunked)
    out.append("\r\nTransfer-Encoding: chunked");
  end_head(out, response, date, keep_alive);
  return out;
}

}  // namespace millrace::http
