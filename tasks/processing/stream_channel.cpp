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
  std::size_t objects = 0, objects_all = 0;
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

// Takes a text that comes block by block as pieces of whole records.
class Pieces {
 public:
  Pieces(StreamState& state, std::string uri, double fraction_end)
      : state_(state), uri_(std::move(uri)), fraction_end_(fraction_end), ends_(state.options.delimiter) {}

  Status add(std::string_view got) {
    if (state_.context.cancelled()) return fail(ErrorCode::Cancelled, "the job was cancelled");
    const std::size_t end = ends_.last_end(got);
    if (end == 0) {
      held_ += got;
      if (held_.size() > kCsvLineBytesMax + kStreamBytes)
        return fail(ErrorCode::LimitExceeded, uri_ + ": a line after line " + std::to_string(line_) +
                                                  " is longer than " + std::to_string(kCsvLineBytesMax) +
                                                  " bytes");
      return {};
    }
    held_ += got.substr(0, end);
    MR_DO(take_piece(state_, held_, uri_, line_, names_));
    line_ += static_cast<std::size_t>(std::count(held_.begin(), held_.end(), '\n'));
    held_.assign(got.substr(end));
    report(state_.context, "Reading",
           fraction_end_ * static_cast<double>(state_.objects) /
               static_cast<double>(std::max<std::size_t>(1, state_.objects_all)),
           static_cast<std::int64_t>(state_.rows));
    return {};
  }
  Status finish() { return take_piece(state_, held_, uri_, line_, names_); }

 private:
  StreamState& state_;
  const std::string uri_;
  const double fraction_end_;
  RecordEnds ends_;
  std::string held_;
  std::vector<std::string> names_;
  std::size_t line_ = 0;
};

// A compressed object is taken apart in memory, any other read block by block.
Status stream_object(StreamState& state, const ChannelSource& source, const std::string& uri,
                     double fraction_end) {
  ObjectStore& objects = state.context.objects();
  Pieces pieces(state, uri, fraction_end);
  if (source.compression != ChannelSource::Compression::None) {
    MR_TRY(text, channel_text(objects, source, uri));
    for (std::size_t at = 0; at < text.size(); at += kStreamBytes)
      MR_DO(pieces.add(std::string_view(text).substr(at, kStreamBytes)));
    return pieces.finish();
  }
  MR_TRY(path, objects.path_of(uri));
  std::ifstream file(path, std::ios::binary);
  if (!file) return fail(ErrorCode::NotFound, uri + " is not there any more");
  std::string block(kStreamBytes, '\0');
  while (file) {
    file.read(block.data(), static_cast<std::streamsize>(block.size()));
    MR_DO(pieces.add(std::string_view(block.data(), static_cast<std::size_t>(file.gcount()))));
  }
  if (file.bad()) return fail(ErrorCode::DataLoss, uri + " can't be read");
  return pieces.finish();
}

}  // namespace

Status stream_channel(const NamedUri& input, TaskContext& context, double fraction_end,
                      const CsvOptions& options, const std::function<Status(const Table&)>& take) {
  const ChannelSource source = source_of(input);
  auto uris = channel_objects(context.objects(), source);
  if (!uris) {
    Error error = uris.error();
    error.message = "input \"" + input.name + "\": " + error.message;
    return fail(std::move(error));
  }
  StreamState state{input, context, options, take};
  state.objects_all = uris->size();
  for (const std::string& uri : *uris) {
    MR_DO(stream_object(state, source, uri, fraction_end));
    ++state.objects;
  }
  if (state.rows == 0) return invalid("input \"" + input.name + "\": " + input.uri + " has no rows");
  return {};
}

}  // namespace millrace::tasks
