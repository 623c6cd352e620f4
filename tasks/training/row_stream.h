#pragma once
// RowStream: the rows of a channel as they are read, for algorithms that train while bytes arrive (input mode
// Pipe). A pass gives the same blocks each time. One thread.
//
// A CSV channel is read by two threads of its own: one reads bytes in pieces of kPieceBytes that end at a
// line end (and takes their SHA-256 in the first pass), one turns them into numbers; the caller trains.
// Between them stand a few slots that are used again, so memory does not depend on the size of the data.
// Source: SageMaker developer guide, "Access Training Data" (Pipe mode).

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "tasks/training/estimator.h"
#include "tasks/training/training_spec.h"

namespace millrace::tasks {

class ObjectStore;

struct RowBlock {
  Matrix X;                                   // (n, d)
  std::vector<double> y;                      // (n,) or empty
  std::vector<double> weights;                // (n,) or empty
  std::vector<double> groups;                 // (n,) or empty
  std::int64_t first_row = 0;                 // of the channel, from 0
  std::vector<Dataset::Source> sources = {};  // the one object that they are of
};

class RowStream {
 public:
  virtual ~RowStream() = default;
  virtual const Dataset& head() const = 0;   // names; no rows
  virtual double rows_expected() const = 0;  // in a pass, about; known once a block was read
  // False at the end of a pass. Errors: those of reading (InvalidArgument names object and line), Cancelled.
  virtual Result<bool> next(RowBlock& block) = 0;
  virtual Status rewind() = 0;  // to the beginning of another pass
};

// A channel of CSV objects.
class ChannelStream : public RowStream {
 public:
  virtual std::int64_t rows() const = 0;  // of the first pass, when it has ended
  virtual std::string sha256()
      const = 0;  // of the objects' bytes, as ChannelData has it; after the first pass
};

struct RowStreamOptions {
  std::function<bool()> cancelled = {};                                   // may be empty
  std::function<void(std::int64_t rows, double fraction)> progress = {};  // of the pass; may be empty
  // A rank's rows: the others are counted, but not read (borrowed; null: all). Blocks then have no first_row,
  // and only the first pass of rank 0 takes the SHA-256.
  const RankRows* ranks = nullptr;
  // For measurements: called by the reading thread with the bytes it got, which it may hold back; may be
  // empty.
  std::function<void(std::size_t bytes)> pace = {};
};

inline constexpr std::size_t kPieceBytes = std::size_t{1} << 20;

// Rules as in channel_data.h, but every cell is a number. InvalidArgument, NotFound.
Result<std::unique_ptr<ChannelStream>> open_row_stream(const ObjectStore& objects, const TrainingSpec& spec,
                                                       const TrainingChannel& channel,
                                                       RowStreamOptions options);

}  // namespace millrace::tasks
