#include "base/result.h"

namespace millrace {

std::string_view name_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::InvalidArgument:
      return "InvalidArgument";
    case ErrorCode::NotFound:
      return "NotFound";
    case ErrorCode::AlreadyExists:
      return "AlreadyExists";
    case ErrorCode::Conflict:
      return "Conflict";
    case ErrorCode::LimitExceeded:
      return "LimitExceeded";
    case ErrorCode::Unavailable:
      return "Unavailable";
    case ErrorCode::OutOfSpace:
      return "OutOfSpace";
    case ErrorCode::DataLoss:
      return "DataLoss";
    case ErrorCode::Cancelled:
      return "Cancelled";
    case ErrorCode::OutcomeUnknown:
      return "OutcomeUnknown";
    case ErrorCode::Internal:
      return "Internal";
  }
  return "Internal";
}

}  // namespace millrace
