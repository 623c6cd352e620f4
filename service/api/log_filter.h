#pragma once
// LogFilter: the filter patterns of FilterLogEvents, compiled once. Pure; any thread.
//
//   ERROR timeout        both must be in the message        "exact phrase"   in quotes
//   -health              must not be                        ?ERROR ?WARN     one of them (alone; beside other
//                                                                            terms they say nothing, as in
//                                                                            AWS)
//   { ($.level = "ERR*" || $.code >= 500) && $.user NOT EXISTS }   members of a JSON message
//
// Terms are compared with case and wherever they stand. Operators on members: = != < > <= >=, IS NULL, IS
// TRUE, IS FALSE, EXISTS, NOT EXISTS; text may hold * for any characters. Patterns in [ ] (fields by blanks)
// and regular expressions (%…%) are refused. Source: CloudWatch Logs user guide, "Filter pattern syntax".

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace millrace::api {

class LogFilter {
 public:
  // InvalidArgument says at which character. An empty pattern lets everything through.
  static Result<LogFilter> parse(std::string_view pattern);
  bool matches(const std::string& message) const;

  struct Node;

 private:
  std::shared_ptr<const Node> json_;  // null: by terms
  std::vector<std::string> all_, none_, any_;
};

}  // namespace millrace::api
