#pragma once
// Reading the JSON files of tests and simulations: what is there that should not be, and what is of another
// type, is an error that names the file and the place.

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

#include "base/payload.h"
#include "base/result.h"
#include "base/time.h"

namespace millrace::simulation {

// A value in a file, and how its place is called: "tests.json: /cases/0"; the whole is "tests.json".
class Member {
 public:
  Member(JsonView view, std::string place) : view_(view), place_(std::move(place)) {}

  JsonView view() const { return view_; }
  const std::string& place() const { return place_; }
  explicit operator bool() const { return static_cast<bool>(view_); }
  Member find(std::string_view name) const;  // false when it is not there
  Member at(std::uint32_t position) const;
  std::string below(std::string_view name) const;  // how the place of a member is called

  // InvalidArgument: not an object, or a member that is none of `names`.
  Status members(std::initializer_list<std::string_view> names) const;
  tl::unexpected<Error> wrong(std::string what, std::string hint = {}) const;

  // Nothing when it is not there; InvalidArgument when it is of another type.
  Result<std::optional<std::string>> text(std::string_view name) const;
  Result<std::optional<double>> number(std::string_view name, double least = 0) const;  // not below `least`
  Result<std::optional<std::uint64_t>> whole(std::string_view name) const;              // not below 0
  Result<std::optional<Millis>> seconds(std::string_view name) const;                   // not below 0
  Result<bool> flag(std::string_view name) const;  // false when not there

 private:
  JsonView view_;
  std::string place_;
};

// A file's text as a document; the error names the file and the place in it.
Result<Payload> parse_file(const std::string& text, const std::string& file);

Millis millis_of(double seconds);

}  // namespace millrace::simulation
