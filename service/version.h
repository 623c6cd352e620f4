#pragma once
// The version of this program, as CMakeLists.txt has it.

namespace millrace::service {
const char* version();  // "0.1.0"
}
