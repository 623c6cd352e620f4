#pragma once
// The double that says that there is no number.

#include <limits>

namespace millrace::definitions::jsonata {

inline constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

}  // namespace millrace::definitions::jsonata
