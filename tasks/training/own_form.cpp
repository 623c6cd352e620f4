#include "tasks/training/own_form.h"

namespace millrace::tasks {

Result<Matrix> OwnFormModel::predict(MatrixView) const {
  return invalid("a model of " + std::string(algorithm()) + " takes no rows of numbers",
                 "send requests in its own form to an endpoint or a transform job");
}

std::string media_type(std::string_view content_type) {
  std::string out;
  for (const char c : content_type.substr(0, content_type.find(';'))) {
    if (c != ' ') out += static_cast<char>(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
  }
  return out;
}

Result<std::string> choose_answer_type(std::string_view accept, std::string_view types) {
  const std::string wanted = media_type(accept);
  if (wanted.empty() || wanted == "*/*") return std::string(types.substr(0, types.find('|')));
  for (std::string_view rest = types; !rest.empty();) {
    const std::size_t end = std::min(rest.find('|'), rest.size());
    if (rest.substr(0, end) == wanted) return wanted;
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  std::string known(types);
  for (std::size_t at = known.find('|'); at != std::string::npos; at = known.find('|', at + 1))
    known.replace(at, 1, ", ");
  return invalid("Accept \"" + std::string(accept) + "\" is not supported", "use one of " + known);
}

}  // namespace millrace::tasks
