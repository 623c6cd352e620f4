#pragma once
// Arguments: typed reading of a task's JSON arguments. Errors are InvalidArgument and name the field by its
// path, e.g. "InputDataConfig[0].ChannelName: expected a string, got the number 3". A member that is null
// counts as absent, as the SDKs write it. Borrows the document; any thread.

#include <cstdint>
#include <initializer_list>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace millrace::tasks {

class Arguments {
 public:
  explicit Arguments(const Json& value, std::string path = {}) : value_(&value), path_(std::move(path)) {}

  const Json& json() const { return *value_; }
  const std::string& path() const { return path_; }
  bool has(std::string_view key) const;  // present and not null

  Result<std::string> text(std::string_view key) const;  // required, not empty
  Result<std::string> text_or(std::string_view key, std::string_view otherwise) const;
  Result<std::int64_t> integer_or(std::string_view key, std::int64_t otherwise) const;  // 3 and 3.0
  Result<double> real_or(std::string_view key, double otherwise) const;
  Result<bool> boolean_or(std::string_view key, bool otherwise) const;
  Result<Arguments> object(std::string_view key) const;  // required
  Result<Arguments> object_or_empty(std::string_view key) const;
  Result<std::vector<Arguments>> list(std::string_view key) const;     // of objects; absent: empty
  Result<std::vector<std::string>> texts(std::string_view key) const;  // of strings; absent: empty
  // A map of strings; numbers and booleans are taken as their JSON text, since people write "max_depth": 6.
  Result<std::map<std::string, std::string>> text_map(std::string_view key) const;
  // The text must be one of "A|B|C".
  Status one_of(std::string_view key, const std::string& text, std::string_view choices) const;
  // An error about this field, for checks beyond its type.
  tl::unexpected<Error> wrong(std::string_view key, std::string_view what, std::string hint = {}) const;

 private:
  const Json* member(std::string_view key) const;
  std::string path_of(std::string_view key) const;

  const Json* value_;
  std::string path_;
};

// The text at a path of members; empty when one of them is not there or something else. For questions about
// documents that need no error.
std::string text_at(const Json& document, std::initializer_list<std::string_view> path);

}  // namespace millrace::tasks
