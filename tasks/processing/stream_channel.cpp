#include "tasks/processing/stream_channel.h"

#include <algorithm>
#include <chrono>
#include <fstream>

#include "tasks/processing/channels.h"

namespace millrace::tasks {
namespace {

// Follows the quotes of a CSV text over pieces, to know where records end.
class RecordEnds {
 public:
  explicit RecordEnds(char delimiter) : delimiter_(delimiter) {}

  // Place behind the last record that ends in `text`, which follows what was seen before; 0: none does.
  std::size_t last_end(std::string_view text) {
    std::size_t end = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
      const char c = text[i];
      if (state_ == State::Quoted) {
        if (c == '"') state_ = State::QuoteSeen;
      } else if (c == '"' && state_ != State::Plain) {
        state_ = State::Quoted;  // begins a cell, or "" inside one
      } else if (c == '\n') {
        state_ = State::CellStart;
        end = i + 1;
      } else {
        state_ = c == delimiter_ ? State::CellStart : State::Plain;
      }
    }
    return end;
  }

 private:
  enum class State { CellStart, Plain, Quoted, QuoteSeen };
  const char delimiter_;
  State state_ = State::CellStart;
};

struct StreamState {
  const NamedUri& input;
  TaskContext& context;
  const CsvOptions& options;
  const std::function<Status(const Table&)>& take;
  std::vector<std::string> names = {};  // of the first object
  std::uint64_t bytes = 0, bytes_all = 0;
  std::size_t rows = 0;
};

// A piece of whole records. `names` empty: it begins with the header.
Status take_piece(StreamState& state, std::string_view text, const std::string& uri, std::size_t line,
                  std::vector<std::string>& names) {
  if (text.find_first_not_of("\r\n") == std::string_view::npos) return {};
  CsvOptions options = state.options;
  options.keep_spelling = true;
  options.cancelled = [&] { return state.context.cancelled(); };
  if (!names.empty()) {
    options.header = false;
    options.column_names = names;
  }
  const std::string where = line == 0 ? uri : uri + " after line " + std::to_string(line);
  MR_TRY(piece, parse_csv(text, where, options));
  if (names.empty()) names = piece.names();
  if (state.names.empty()) state.names = names;
  if (names != state.names)
    return invalid("input \"" + state.input.name + "\": " + uri + " has other columns than the first object",
                   "objects of one channel have the same columns");
  if (piece.rows == 0) return {};
  state.rows += piece.rows;
  return state.take(piece);
}

Status stream_object(StreamState& state, const std::string& uri, double fraction_end) {
  ObjectStore& objects = state.context.objects();
  MR_TRY(path, objects.path_of(uri));
  std::ifstream file(path, std::ios::binary);
  if (!file) return fail(ErrorCode::NotFound, uri + " is not there any more");
  RecordEnds ends(state.options.delimiter);
  std::string held, block(kStreamBytes, '\0');
  std::vector<std::string> names;
  std::size_t line = 0;
  while (file) {
    if (state.context.cancelled()) return fail(ErrorCode::Cancelled, "the job was cancelled");
    file.read(block.data(), static_cast<std::streamsize>(block.size()));
    const std::string_view got(block.data(), static_cast<std::size_t>(file.gcount()));
    state.bytes += got.size();
    const std::size_t end = ends.last_end(got);
    if (end == 0) {
      held += got;
      if (held.size() > kCsvLineBytesMax + kStreamBytes)
        return fail(ErrorCode::LimitExceeded, uri + ": a line after line " + std::to_string(line) +
                                                  " is longer than " + std::to_string(kCsvLineBytesMax) +
                                                  " bytes");
      continue;
    }
    held += got.substr(0, end);
    MR_DO(take_piece(state, held, uri, line, names));
    line += static_cast<std::size_t>(std::count(held.begin(), held.end(), '\n'));
    held.assign(got.substr(end));
    report(state.context, "Reading",
           fraction_end * static_cast<double>(state.bytes) /
               static_cast<double>(std::max<std::uint64_t>(1, state.bytes_all)),
           static_cast<std::int64_t>(state.rows));
  }
  if (file.bad()) return fail(ErrorCode::DataLoss, uri + " can't be read");
  return take_piece(state, held, uri, line, names);
}

}  // namespace

Status stream_channel(const NamedUri& input, TaskContext& context, double fraction_end,
                      const CsvOptions& options, const std::function<Status(const Table&)>& take) {
  MR_TRY(uri, parse_s3_uri(input.uri));
  auto infos = context.objects().list(input.uri);
  if (!infos) {
    Error error = infos.error();
    error.message = "input \"" + input.name + "\": " + error.message;
    return fail(std::move(error));
  }
  StreamState state{input, context, options, take};
  for (const ObjectInfo& info : *infos) state.bytes_all += info.bytes;
  for (const ObjectInfo& info : *infos)
    MR_DO(stream_object(state, S3Uri{uri.bucket, info.key}.text(), fraction_end));
  if (state.rows == 0) return invalid("input \"" + input.name + "\": " + input.uri + " has no rows");
  return {};
}

}  // namespace millrace::tasks
