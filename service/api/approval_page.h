#pragma once
// The page of an approval: what is asked, and a form that sends the answer. No script and nothing from
// elsewhere; opening it decides nothing, so a program that follows the links of a mail approves nothing.
// Pure.

#include <string>

#include "base/json.h"
#include "service/http/message.h"

namespace millrace::api {

struct ApprovalPage {
  Json approval;            // as described
  std::string token = {};   // of the link
  std::string wanted = {};  // "approve", "reject": which button stands first; empty: none
  bool ask_name = false;    // the link does not say who opens it
};
http::Response approval_form(const ApprovalPage& page);
// A page that only says something: `title` and a sentence.
http::Response approval_note(int status, const std::string& title, const std::string& text);

// Any page for people: safe headers, the style of all of them. `body` and `head_more` are HTML.
http::Response people_page(int status, const std::string& title, const std::string& body,
                           const std::string& head_more = {});

}  // namespace millrace::api
