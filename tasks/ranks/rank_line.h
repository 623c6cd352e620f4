#pragma once
// What a rank says on its stdout: a message a line, "@millrace <rank> <kind> <text>", short enough that lines
// of several ranks which come through one pipe (mpirun) do not mix. Bytes of an object come in parts, in
// base64, with their hash at the end. Lines that begin otherwise are anybody's: of libraries, of mpirun.
// Pure.

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/json.h"
#include "base/result.h"
#include "tasks/task.h"

namespace millrace::tasks {

struct RankMessage {
  enum class Kind {
    Log,       // a line
    Progress,  // to_text(Progress)
    Metric,    // "<round> <value> <name>"
    Begin,     // of an object: its name
    Part,      // some of its bytes, base64
    End,       // "<sha256>"
    Result,    // JSON
    Error      // JSON: code, message, hint
  };
  int rank = 0;
  Kind kind = Kind::Log;
  std::string text;
};

std::string rank_line(const RankMessage& message);  // with its line end; what is in `text` must be one line
std::optional<RankMessage> parse_rank_line(std::string_view line);  // nothing: it is not one of ours

std::string to_text(const Progress& progress);
Progress rank_progress_of(std::string_view text);
std::string to_text(const Error& error);
Error rank_error_of(std::string_view text);

// Says an object with `say`, a message at a time.
void say_object(int rank, const std::string& name, std::string_view bytes,
                const std::function<void(const RankMessage&)>& say);

// Puts objects together again. One sender.
class ObjectParts {
 public:
  struct Object {
    std::string name, bytes;
  };
  // The object when `message` (Begin, Part or End) ends one. DataLoss: lines are missing or changed.
  Result<std::optional<Object>> take(const RankMessage& message);

 private:
  Object object_;
  bool open_ = false;
};

}  // namespace millrace::tasks
