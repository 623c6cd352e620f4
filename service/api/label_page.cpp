#include "service/api/label_page.h"

#include <nlohmann/json.hpp>

#include "base/encoding.h"
#include "service/api/approval_page.h"

namespace millrace::api {
namespace {

constexpr std::string_view kLabelStyle =
    "<style>.object{white-space:pre-wrap;overflow-wrap:anywhere;border-left:4px solid #14532d;"
    "padding:.6rem 1rem;margin:1.2rem 0;background:#f4f4f4}progress{width:100%;accent-color:#14532d}"
    "form.labels{display:flex;flex-wrap:wrap;gap:.6rem}form.labels button{margin:0;min-width:7rem}"
    "a{color:inherit}@media(prefers-color-scheme:dark){.object{background:#262626}}</style>";
constexpr std::string_view kLookAgain = "<meta http-equiv=\"refresh\" content=\"15\">";

std::string label_text(const Json& value) {
  return value.is_string() ? value.get<std::string>()
                           : value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string row_of(const std::string& name, const Json& value) {
  return "<tr><td>" + escape_xml(name) + "</td><td>" + escape_xml(label_text(value)) + "</td></tr>";
}

// The text, and the columns of a row; `source` says them once more and is left out then.
std::string object_html(const Json& object) {
  std::string rows, text;
  for (const auto& [name, value] : object.items()) {
    if (name == "source") {
      text = label_text(value);
    } else if (value.is_object()) {
      for (const auto& [column, cell] : value.items()) rows += row_of(column, cell);
    } else {
      rows += row_of(name, value);
    }
  }
  if (object.contains("columns") && object["columns"].is_object()) text.clear();
  return (text.empty() ? "" : "<div class=\"object\">" + escape_xml(text) + "</div>") +
         (rows.empty() ? "" : "<table>" + rows + "</table>");
}

std::string progress_html(const Json& answer) {
  const std::string done = label_text(answer["Labelled"]), all = label_text(answer["Total"]);
  return "<progress max=\"" + all + "\" value=\"" + done + "\"></progress><p class=\"small\">" + done +
         " of " + all + " labelled</p>";
}

std::string hidden(const char* name, const std::string& value) {
  return std::string("<input type=\"hidden\" name=\"") + name + "\" value=\"" + escape_xml(value) + "\">";
}

std::string buttons_html(const LabelVisit& visit, const Json& answer, const std::string& id) {
  std::string html = "<form method=\"post\" class=\"labels\" action=\"" +
                     escape_xml("/v1/labels/" + percent_encode(visit.task)) + "\">" +
                     hidden("token", visit.token) + hidden("id", id);
  if (!visit.names_worker) html += hidden("worker", visit.worker);
  for (const Json& label : answer["Labels"]) {
    const std::string name = escape_xml(label_text(label));
    html += "<button class=\"first\" name=\"label\" value=\"" + name + "\">" + name + "</button>";
  }
  return html + "</form>";
}

// Why there is nothing to show.
std::string ending_html(const Json& answer) {
  if (answer.value("Status", "") != "InProgress" || answer.value("Remaining", 0) == 0)
    return "<p><strong>Everything is labelled. Thank you.</strong></p>";
  if (answer.value("Waiting", 0) > 0)
    return "<p><strong>Others have the last ones before them.</strong> This page looks again by itself.</p>";
  return "<p><strong>You have labelled all that there is for you. Thank you.</strong></p>";
}

std::string label_title(const Json& answer) {
  const std::string title = answer.value("Title", "");
  return title.empty() ? answer.value("Task", "") : title;
}

std::string opening_html(const Json& answer) {
  const std::string description = answer.value("Description", "");
  return (description.empty() ? "" : "<p>" + escape_xml(description) + "</p>") + progress_html(answer);
}

}  // namespace

std::string LabelVisit::address(const std::string& more) const {
  return "/v1/labels/" + percent_encode(task) + "?token=" + token +
         (names_worker || worker.empty() ? "" : "&worker=" + percent_encode(worker)) + more;
}

http::Response label_page(const LabelVisit& visit, const Json& answer) {
  std::string body = opening_html(answer), head(kLabelStyle);
  const Json items = answer.value("Items", Json::array());
  if (items.empty()) {
    body += ending_html(answer);
    if (answer.value("Waiting", 0) > 0) head += kLookAgain;
  } else {
    const std::string id = label_text(items[0]["Id"]);
    body += object_html(items[0]["Object"]) + buttons_html(visit, answer, id);
    body +=
        "<p class=\"small\"><a href=\"" + escape_xml(visit.address("&after=" + id)) + "\">Skip this one</a>";
    if (!visit.last.empty() && visit.last != id)
      body += " · <a href=\"" + escape_xml(visit.address("&id=" + percent_encode(visit.last))) +
              "\">Back to the last one</a>";
    body += "</p>";
  }
  body +=
      "<p class=\"small\">You label as " + escape_xml(visit.worker) + ". Each answer is kept at once.</p>";
  return people_page(200, label_title(answer), body, head);
}

http::Response label_name_page(const LabelVisit& visit, const Json& answer) {
  const std::string body = opening_html(answer) + "<form method=\"get\">" + hidden("token", visit.token) +
                           "<label for=\"worker\">Your name</label><input id=\"worker\" name=\"worker\" "
                           "maxlength=\"100\" required>"
                           "<button class=\"first\">Begin</button></form>";
  return people_page(200, label_title(answer), body, std::string(kLabelStyle));
}

}  // namespace millrace::api
