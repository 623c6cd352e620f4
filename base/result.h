#pragma once
// Result<T>: a value or an Error, for operations that can fail (bad request, missing file, busy database).
// A workflow's own failure is data and travels as Outcome (base/failure.h); a broken invariant is MR_CHECK.
// Only the part of tl::expected that std::expected shares is used: test, *, ->, error(), value_or.

#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>

namespace millrace {

enum class ErrorCode {
  InvalidArgument,  // the request is wrong; repeating it does not help
  NotFound,
  AlreadyExists,
  Conflict,       // someone else changed it first
  LimitExceeded,  // a named limit was hit
  Unavailable,    // busy or in use; trying again may help
  OutOfSpace,     // the disk is full; nothing was acknowledged
  DataLoss,       // what is stored can't be read back
  Cancelled,
  OutcomeUnknown,  // it may or may not have happened: read before repeating
  Internal,
};
std::string_view name_of(ErrorCode code);

// What went wrong in words for people; `hint` says what to do about it and may be empty.
struct Error {
  ErrorCode code = ErrorCode::Internal;
  std::string message;
  std::string hint = {};
};

template <class T>
class [[nodiscard]] Result : public tl::expected<T, Error> {
 public:
  using tl::expected<T, Error>::expected;
};
using Status = Result<void>;

inline tl::unexpected<Error> fail(ErrorCode code, std::string message, std::string hint = {}) {
  return tl::unexpected<Error>(Error{code, std::move(message), std::move(hint)});
}
inline tl::unexpected<Error> fail(Error error) {
  return tl::unexpected<Error>(std::move(error));
}
inline tl::unexpected<Error> invalid(std::string message, std::string hint = {}) {
  return fail(ErrorCode::InvalidArgument, std::move(message), std::move(hint));
}

#define MR_CONCAT_(a, b) a##b
#define MR_CONCAT(a, b) MR_CONCAT_(a, b)
// MR_TRY(name, expression): declares `name` as the value, or returns the error to the caller.
#define MR_TRY(name, ...) MR_TRY_(MR_CONCAT(mr_try_, __LINE__), name, __VA_ARGS__)
#define MR_TRY_(tmp, name, ...)                                 \
  auto tmp = (__VA_ARGS__);                                     \
  if (!tmp) return tl::make_unexpected(std::move(tmp).error()); \
  auto name = std::move(*tmp)
// MR_DO(expression): for Status and for results whose value is not needed.
#define MR_DO(...)                                                      \
  do {                                                                  \
    auto mr_do_ = (__VA_ARGS__);                                        \
    if (!mr_do_) return tl::make_unexpected(std::move(mr_do_).error()); \
  } while (false)

}  // namespace millrace
