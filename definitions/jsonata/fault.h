#pragma once
// Fault: why a function of JSONata refused its arguments. The code is the reference's; its text and the
// position in the expression are the evaluator's to add.

#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace millrace::definitions::jsonata {

struct Fault {
  std::string code;   // "D3080", …; "U1001" where a limit on work or size was reached
  std::string value;  // the offending value as plain text, for messages; may be empty
};

template <class T>
using Checked = tl::expected<T, Fault>;

inline tl::unexpected<Fault> fault(std::string code, std::string value = {}) {
  return tl::unexpected<Fault>(Fault{std::move(code), std::move(value)});
}

}  // namespace millrace::definitions::jsonata
