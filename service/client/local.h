#pragma once
// A home as an Access: the operations of service/api on an engine in this process. Two kinds: one that looks,
// beside whatever else has the home open, and one that has it open itself. One thread.

#include <memory>

#include "service/client/access.h"

namespace millrace::client {

enum class Use {
  Look,    // works beside a process that has the home open
  Change,  // definitions: opens the home
  Run,     // executions: opens the home and takes up what is unfinished
};

// NotFound when there is no home to look at; what Home::open says of one that can't be opened.
Result<std::unique_ptr<Access>> open_local(const std::string& home, Use use);

}  // namespace millrace::client
