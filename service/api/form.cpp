#include "service/api/form.h"

#include <algorithm>
#include <cctype>

#include "base/encoding.h"

namespace millrace::api {
namespace {

constexpr int kPartsMax = 9;

std::string decoded(std::string_view part) {
  std::string plain(part);
  std::replace(plain.begin(), plain.end(), '+', ' ');
  return percent_decode(plain);
}

bool starts_with_digit(std::string_view text) {
  return !text.empty() && std::isdigit(static_cast<unsigned char>(text[0]));
}

}  // namespace

std::map<std::string, std::string> parse_form(std::string_view text) {
  std::map<std::string, std::string> form;
  while (!text.empty()) {
    const std::size_t end = text.find('&');
    const std::string_view pair = text.substr(0, end);
    const std::size_t equals = pair.find('=');
    if (!pair.empty())
      form[decoded(pair.substr(0, equals))] =
          equals == std::string_view::npos ? "" : decoded(pair.substr(equals + 1));
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
  }
  return form;
}

bool ByNumber::operator()(std::string_view a, std::string_view b) const {
  const bool numbers = starts_with_digit(a) && starts_with_digit(b);
  return numbers && a.size() != b.size() ? a.size() < b.size() : a < b;
}

const FormNode* FormNode::child(std::string_view name) const {
  const auto found = children.find(name);
  return found == children.end() ? nullptr : &found->second;
}

std::string FormNode::text_at(std::string_view name) const {
  const FormNode* const found = child(name);
  return found ? found->value : std::string();
}

Result<FormNode> form_tree(const std::map<std::string, std::string>& form) {
  FormNode root;
  for (const auto& [name, value] : form) {
    FormNode* at = &root;
    std::string_view rest = name;
    for (int parts = 0; !rest.empty(); ++parts) {
      if (parts == kPartsMax)
        return invalid("the parameter " + name + " is nested too deeply",
                       "a name has " + std::to_string(kPartsMax) + " parts at most");
      const std::size_t dot = rest.find('.');
      if (dot != 0) at = &at->children[std::string(rest.substr(0, dot))];
      rest = dot == std::string_view::npos ? std::string_view() : rest.substr(dot + 1);
    }
    if (at != &root) at->value = value;
  }
  return root;
}

}  // namespace millrace::api
