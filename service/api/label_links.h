#pragma once
// LabelLinks: pages on which people label, opened by a link.
//
//   POST /v1/labels/TASK/links        {"worker": "ann", "hours": 168}: {"url": …, "expires": …}
//   X-Amz-Target MillraceLabels.CreateLabelLink, the same as AWS JSON: for keys with that right
//   GET  /v1/labels/TASK?token=…      the page of a link: the next object; after=ID: behind that one; id=ID:
//                                     that one
//   POST /v1/labels/TASK              token, id, label, worker as a form: what that page sends
//
// A link holds the task's name, who labels by it (or nobody: the page asks) and its end, signed as links of
// approvals are, and no right but to label this task. Two people at once get different objects: one that is
// on a page is kept for who looks at it. Loop thread only. Source: docs/labelling.md.

#include <functional>

#include "base/random.h"
#include "service/auth/policy.h"
#include "service/http/server.h"
#include "tasks/approvals/approvals.h"
#include "tasks/labelling/label_service.h"

namespace millrace::api {

struct LabelVisit;

class LabelLinks {
 public:
  static constexpr std::string_view kTarget = "MillraceLabels.CreateLabelLink";
  using Post = std::function<void(std::function<void()>)>;  // runs a function on the loop; any thread

  // Borrowed. `seed`: of request ids.
  LabelLinks(tasks::LabelService& labels, const tasks::Approvals& approvals, Post post, std::uint64_t seed)
      : labels_(labels), approvals_(approvals), post_(std::move(post)), random_(seed) {}

  static bool serves_pages(const http::Request& request);
  void handle_page(http::ExchangePtr exchange);
  static bool makes_links(const http::Request& request);
  static std::vector<auth::Demand> demands(const http::Request& request);
  void make_link(http::ExchangePtr exchange);

 private:
  using Answered = std::function<void(const http::ExchangePtr&, const tasks::ServiceAnswer&)>;
  // Asks the store; `then` is called on the loop.
  void ask(http::ExchangePtr exchange, const char* operation, const Json& input, Answered then);
  void take_answer(const http::ExchangePtr& exchange, const std::string& task);

  tasks::LabelService& labels_;
  const tasks::Approvals& approvals_;
  const Post post_;
  Random random_;
};

}  // namespace millrace::api
