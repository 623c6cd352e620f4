#include "service/api/approval_page.h"

#include <nlohmann/json.hpp>

#include "base/encoding.h"
#include "base/time.h"

namespace millrace::api {
namespace {

constexpr std::string_view kPageStyle =
    "body{font:16px/1.5 system-ui,sans-serif;max-width:40rem;margin:3rem auto;padding:0 1rem;color:#1c1c1c;"
    "background:#fff}h1{font-size:1.4rem}table{border-collapse:collapse;margin:1rem 0;width:100%}"
    "td{padding:.3rem .6rem;border-bottom:1px solid #ddd;vertical-align:top;overflow-wrap:anywhere}"
    "td:first-child{color:#666;width:30%}label{display:block;margin:.8rem 0 .2rem}"
    "input,textarea{width:100%;box-sizing:border-box;font:inherit;padding:.4rem}"
    "button{font:inherit;padding:.5rem 1.4rem;margin:1rem 1rem 0 0;border:1px solid #666;background:#eee;"
    "color:#1c1c1c;border-radius:4px}button.first{background:#14532d;border-color:#14532d;color:#fff}"
    "button.first.no{background:#7f1d1d;border-color:#7f1d1d}p.small{color:#666;font-size:.85rem}"
    "@media(prefers-color-scheme:dark){body{background:#171717;color:#eee}td{border-color:#444}"
    "td:first-child,p.small{color:#aaa}}";

std::string fact(const std::string& name, const std::string& value) {
  return value.empty() ? "" : "<tr><td>" + escape_xml(name) + "</td><td>" + escape_xml(value) + "</td></tr>";
}

std::string time_fact(const Json& approval, const char* member) {
  const auto found = approval.find(member);
  if (found == approval.end() || !found->is_number()) return {};
  return format_rfc3339(from_millis(found->get<std::int64_t>())).substr(0, 19) + "Z";
}

std::string facts(const Json& approval) {
  std::string rows;
  const Json details = approval.value("Details", Json::object());
  for (const auto& [name, value] : details.items())
    rows += fact(name, value.is_string() ? value.get<std::string>() : value.dump());
  rows += fact("asked by", approval.value("RequestedBy", ""));
  rows += fact("asked at", time_fact(approval, "CreationTime"));
  rows += fact("decided by", approval.value("DecidedBy", ""));
  rows += fact("decided at", time_fact(approval, "DecidedTime"));
  if (approval.value("Status", "") != "Pending") rows += fact("reason", approval.value("Reason", ""));
  return "<table>" + rows + "</table>";
}

std::string button(const char* value, const char* text, bool first) {
  const std::string no = std::string_view(value) == "reject" ? " no" : "";
  return std::string("<button name=\"decision\" value=\"") + value + "\"" +
         (first ? " class=\"first" + no + "\"" : "") + ">" + text + "</button>";
}

}  // namespace

http::Response people_page(int status, const std::string& title, const std::string& body,
                           const std::string& head_more) {
  http::Response response;
  response.status = status;
  response.content_type = "text/html; charset=utf-8";
  response.headers = {
      {"Cache-Control", "no-store"},
      {"Content-Security-Policy",
       "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'"},
      {"Referrer-Policy", "no-referrer"},
      {"X-Content-Type-Options", "nosniff"},
      {"X-Robots-Tag", "noindex"}};
  response.body =
      "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">"
      "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\"><title>" +
      escape_xml(title) + "</title><style>" + std::string(kPageStyle) + "</style>" + head_more +
      "</head><body><h1>" + escape_xml(title) + "</h1>" + body + "</body></html>\n";
  return response;
}

http::Response approval_form(const ApprovalPage& page) {
  const Json& approval = page.approval;
  const std::string status = approval.value("Status", ""), text = approval.value("Text", "");
  const std::string subject = approval.value("Subject", "");
  std::string body = (text.empty() ? "" : "<p>" + escape_xml(text) + "</p>") + facts(approval);
  if (status != "Pending") {
    const std::string words = status == "Void" ? "Nobody waits for an answer any more." : status + ".";
    return people_page(200, subject, "<p><strong>" + words + "</strong></p>" + body);
  }
  body +=
      "<form method=\"post\"><input type=\"hidden\" name=\"token\" value=\"" + escape_xml(page.token) + "\">";
  if (page.ask_name)
    body +=
        "<label for=\"name\">Your name</label><input id=\"name\" name=\"name\" maxlength=\"100\" required>";
  body +=
      "<label for=\"reason\">Reason</label><textarea id=\"reason\" name=\"reason\" rows=\"3\" "
      "maxlength=\"2000\"></textarea>";
  const bool reject_first = page.wanted == "reject";
  const std::string approve = button("approve", "Approve", page.wanted == "approve");
  const std::string reject = button("reject", "Reject", reject_first);
  body += reject_first ? reject + approve : approve + reject;
  body +=
      "</form><p class=\"small\">Your answer is recorded with your name and the time, and can be given "
      "once.</p>";
  return people_page(200, subject, body);
}

http::Response approval_note(int status, const std::string& title, const std::string& text) {
  return people_page(status, title, "<p>" + escape_xml(text) + "</p>");
}

}  // namespace millrace::api
