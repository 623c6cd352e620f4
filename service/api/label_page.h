#pragma once
// The page on which a person labels: one object, a button for each label. No script and nothing from
// elsewhere; every answer is a form that is sent, durable before the next object is shown. Pure.

#include <string>

#include "base/json.h"
#include "service/http/message.h"

namespace millrace::api {

// What a link's page goes by; all of it travels in addresses and forms.
struct LabelVisit {
  std::string task, token, worker;
  bool names_worker = false;  // the link says who opens it
  std::string last;           // the object that was answered before, to look at it again; empty: none

  // "/v1/labels/TASK?token=…", with what goes beside it: "&after=3".
  std::string address(const std::string& more = {}) const;
};

// `answer`: of GetLabelItems, as the store gives it.
http::Response label_page(const LabelVisit& visit, const Json& answer);
// Who are you?
http::Response label_name_page(const LabelVisit& visit, const Json& answer);

}  // namespace millrace::api
