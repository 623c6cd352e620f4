#pragma once
// The programs that run a user's handler in a warm process, in the language of the handler; started as
// `python3 -c DRIVER module function` and `node -e DRIVER module function`. They read frames from descriptor
// 3 and answer there:
//   to the driver:   u32 bytes of the header, u32 bytes of the event (little endian), header (JSON), event
//   (JSON) from the driver: one letter, u32 bytes, the bytes: I ready, R result, E the handler's error, X it
//   can't be loaded
// Any thread.

#include <string_view>

namespace millrace::tasks {

std::string_view python_driver();
std::string_view node_driver();

}  // namespace millrace::tasks
