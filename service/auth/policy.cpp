#include "service/auth/policy.h"

#include <algorithm>
#include <cctype>

#include "base/payload.h"

namespace millrace::auth {
namespace {

std::string lower_case(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

// A text or a list of texts; each passes `check`, which says what is wrong (empty: nothing).
Result<std::vector<std::string>> texts(JsonView view, const std::string& where,
                                       std::string (*check)(const std::string&)) {
  std::vector<std::string> found;
  const auto add = [&](JsonView text) -> Status {
    if (!text.is_string()) return malformed_policy(where + " must be text or a list of texts");
    found.push_back(text.string());
    if (const std::string problem = check(found.back()); !problem.empty())
      return malformed_policy(where + ": '" + found.back() + "' " + problem);
    return {};
  };
  if (!view.is_array()) {
    MR_DO(add(view));
    return found;
  }
  for (const JsonView text : view.elements()) MR_DO(add(text));
  if (found.empty()) return malformed_policy(where + " must not be empty");
  return found;
}

std::string check_action(const std::string& action) {
  const std::size_t colon = action.find(':');
  if (action == "*" || (colon != std::string::npos && colon > 0 && colon + 1 < action.size())) return {};
  return "is no action: write SERVICE:OPERATION, e.g. states:StartExecution, states:*, or *";
}

std::string check_resource(const std::string& resource) {
  if (resource.find("${") != std::string::npos) return "has a policy variable: those are not evaluated here";
  if (resource == "*" || resource.starts_with("arn:")) return {};
  return "is no resource: write an ARN, with * and ? where it may be any, or *";
}

// Refuses members that are not among `known`. (Of one that is there twice the last counts, as in every
// document.)
Status check_members(JsonView object, std::initializer_list<std::string_view> known,
                     const std::string& where) {
  for (const auto& [name, value] : object.members()) {
    const std::string text = name.string();
    if (std::find(known.begin(), known.end(), text) == known.end())
      return malformed_policy(where + " has the member '" + text + "', which is not evaluated here");
  }
  return {};
}

}  // namespace

bool covers(std::string_view pattern, std::string_view text) {
  std::size_t p = 0, t = 0, star = std::string_view::npos, mark = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      mark = t;
    } else if (p < pattern.size() && text[t] != '*' && (pattern[p] == '?' || pattern[p] == text[t])) {
      ++p, ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;  // that '*' takes one character more
      t = ++mark;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

bool meets(std::string_view pattern, std::string_view other) {
  // now[j]: whether the first i characters of `pattern` and the first j of `other` have a text in common.
  std::vector<char> before, now(other.size() + 1, 0);
  now[0] = 1;
  for (std::size_t j = 1; j <= other.size(); ++j) now[j] = now[j - 1] && other[j - 1] == '*';
  for (const char p : pattern) {
    before = now;
    now[0] = before[0] && p == '*';
    for (std::size_t j = 1; j <= other.size(); ++j) {
      const char o = other[j - 1];
      if (p == '*' || o == '*') {
        now[j] = before[j] || now[j - 1];  // the '*' is empty, or takes what stands in the other
      } else {
        now[j] = before[j - 1] && (p == '?' || o == '?' || p == o);
      }
    }
  }
  return now[other.size()];
}

Result<Policy> Policy::parse(std::string_view text) {
  if (text.size() > kPolicyBytesMax)
    return malformed_policy("it has " + std::to_string(text.size()) + " bytes; the limit is " +
                            std::to_string(kPolicyBytesMax));
  const auto document = Payload::parse(text);
  if (!document) return malformed_policy("it is no JSON: " + document.error().message);
  const JsonView root = document->view();
  if (!root.is_object()) return malformed_policy("it is no object");
  MR_DO(check_members(root, {"Version", "Id", "Statement"}, "the policy"));
  const JsonView version = root.find("Version"), list = root.find("Statement");
  if (version &&
      !(version.is_string() && (version.string() == "2012-10-17" || version.string() == "2008-10-17")))
    return malformed_policy("Version must be \"2012-10-17\"");
  if (!list) return malformed_policy("Statement is missing");
  std::vector<JsonView> views;
  if (list.is_array()) {
    for (const JsonView view : list.elements()) views.push_back(view);
  } else {
    views.push_back(list);
  }
  if (views.size() > kStatementsMax) return malformed_policy("it has more than 100 statements");
  Policy policy;
  for (std::size_t i = 0; i < views.size(); ++i) {
    const std::string where = "Statement " + std::to_string(i + 1);
    const JsonView view = views[i];
    if (!view.is_object()) return malformed_policy(where + " is no object");
    MR_DO(check_members(view, {"Sid", "Effect", "Action", "Resource", "Condition"}, where));
    const JsonView effect = view.find("Effect"), action = view.find("Action"),
                   resource = view.find("Resource");
    const std::string word = effect && effect.is_string() ? effect.string() : "";
    if (word != "Allow" && word != "Deny") return malformed_policy(where + ": Effect must be Allow or Deny");
    if (!action) return malformed_policy(where + ": Action is missing");
    if (!resource) return malformed_policy(where + ": Resource is missing");
    Statement statement;
    statement.allow = word == "Allow";
    MR_TRY(actions, texts(action, where + ": Action", check_action));
    MR_TRY(resources, texts(resource, where + ": Resource", check_resource));
    for (std::string& name : actions) statement.actions.push_back(lower_case(std::move(name)));
    statement.resources = std::move(resources);
    if (const JsonView condition = view.find("Condition")) {
      MR_TRY(conditions, Conditions::parse(condition, where));
      statement.conditions = std::move(conditions);
    }
    policy.statements_.push_back(std::move(statement));
  }
  return policy;
}

bool Policy::applies(const Statement& statement, std::string_view action, const Demand& demand) const {
  const auto fits = [&](std::string_view pattern, std::string_view text) {
    // A deny for a part of what may happen is enough. Without '*' both questions are the same.
    const bool open = text.find('*') != std::string_view::npos;
    return !statement.allow && open ? meets(pattern, text) : covers(pattern, text);
  };
  const auto any = [&](const std::vector<std::string>& patterns, std::string_view text) {
    return std::any_of(patterns.begin(), patterns.end(), [&](const std::string& p) { return fits(p, text); });
  };
  return any(statement.actions, action) && (any(statement.resources, demand.resource) ||
                                            (!demand.also.empty() && any(statement.resources, demand.also)));
}

Verdict Policy::decide(const Demand& demand, const Circumstances& circumstances) const {
  if (demand.resource.size() > kResourceBytesMax || demand.also.size() > kResourceBytesMax)
    return decide({demand.action, demand.resource.substr(0, kResourceBytesMax - 1) + "*"}, circumstances);
  const std::string action = lower_case(demand.action);
  Verdict verdict = Verdict::NotAllowed;
  for (const Statement& statement : statements_) {
    if (!applies(statement, action, demand) || !statement.conditions.hold(circumstances)) continue;
    if (!statement.allow) return Verdict::Denied;
    verdict = Verdict::Allowed;
  }
  return verdict;
}

}  // namespace millrace::auth
