#pragma once
// HOME/serve.json: where the server of a home is, for commands that find the home in use. Written when the
// server is ready, removed when it stops; one that a crash left behind is told by the home's lock.

#include <optional>
#include <string>

#include "base/result.h"

namespace millrace::service {

// OutOfSpace when it can't be written.
Status write_serve_file(const std::string& home, const std::string& url);
void remove_serve_file(const std::string& home);
// The URL of the server that has the home open now; nothing when no server has.
std::optional<std::string> find_server(const std::string& home);

}  // namespace millrace::service
