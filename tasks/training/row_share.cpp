#include "tasks/training/row_share.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "tasks/training/dataset_checks.h"
#include "tasks/training/row_parts.h"

namespace millrace::tasks {

namespace {

constexpr std::size_t kCountBytes = std::size_t{8} << 20;  // counted by one rank, the next by the next

// How many lines that are not blank end in bytes [begin, end) of a file; the last one may lack its line end.
Result<std::int64_t> count_lines(const std::string& name, int file, std::uint64_t begin, std::uint64_t end,
                                 std::uint64_t size, std::vector<char>& room) {
  const std::size_t before = static_cast<std::size_t>(std::min<std::uint64_t>(begin, 2));
  room.resize(2 + kCountBytes);
  char* const text = room.data() + 2;
  text[-1] = text[-2] = '\n';
  std::size_t have = 0;
  const std::size_t wanted = before + static_cast<std::size_t>(end - begin);
  while (have < wanted) {
    const ssize_t got =
        ::pread(file, text - before + have, wanted - have, static_cast<off_t>(begin - before + have));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0)
      return fail(ErrorCode::DataLoss,
                  name + ": can't be read: " + (got < 0 ? std::strerror(errno) : "it became shorter"));
    have += static_cast<std::size_t>(got);
  }
  const char *at = text, *const last = text + (end - begin);
  std::int64_t lines = 0;
  while (const void* found = std::memchr(at, '\n', static_cast<std::size_t>(last - at))) {
    const char* p = static_cast<const char*>(found);
    lines += p[-1] != '\n' && !(p[-1] == '\r' && p[-2] == '\n');
    at = p + 1;
  }
  if (end == size && last[-1] != '\n') ++lines;
  return lines;
}

// Rows of each object below the channel's prefix, without headers.
Result<std::vector<std::int64_t>> count_object_rows(const ObjectStore& objects, const TrainingSpec& spec,
                                                    const TrainingChannel& channel, Collective& collective) {
  MR_TRY(columns, read_columns(objects, spec, channel));
  MR_TRY(infos, objects.list(channel.uri));
  MR_TRY(uri, parse_s3_uri(channel.uri));
  std::vector<std::int64_t> rows(infos.size());
  std::vector<char> room;
  std::size_t unit = 0;
  for (std::size_t k = 0; k < infos.size(); ++k) {
    const std::string name = S3Uri{uri.bucket, infos[k].key}.text();
    MR_TRY(path, objects.path_of(name));
    const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (file < 0) return fail(ErrorCode::DataLoss, name + ": can't be read: " + std::strerror(errno));
    Result<std::int64_t> counted = 0;
    for (std::uint64_t at = 0; counted && at < infos[k].bytes; at += kCountBytes, ++unit) {
      if (unit % static_cast<std::size_t>(collective.size()) != static_cast<std::size_t>(collective.rank()))
        continue;
      counted = count_lines(name, file, at, std::min<std::uint64_t>(infos[k].bytes, at + kCountBytes),
                            infos[k].bytes, room);
      if (counted) rows[k] += *counted;
    }
    ::close(file);
    if (!counted) return fail(counted.error());
  }
  MR_DO(collective.sum(rows));
  for (std::int64_t& count : rows) count -= columns.header && count > 0 ? 1 : 0;
  return rows;
}

tl::unexpected<Error> too_few(const TrainingChannel& channel, const std::string& what, int ranks) {
  return invalid(channel.name + ": ResourceConfig.InstanceCount is " + std::to_string(ranks) +
                     ", but the channel has only " + what,
                 "set InstanceCount to a smaller number");
}

// Rows one behind another.
Status share_in_order(const TrainingChannel& channel, RankRows& rows) {
  const int rank = rows.collective.rank(), ranks = rows.collective.size();
  if (rows.all < static_cast<std::size_t>(ranks)) return too_few(channel, counted(rows.all, "row"), ranks);
  const std::size_t begin = RowParts::share_begin(rows.all, rank, ranks);
  rows.own = {{0, RowParts::share_begin(rows.all, rank + 1, ranks) - begin, begin}};
  return {};
}

// Every N-th object.
Status share_objects(const TrainingChannel& channel, const std::vector<std::int64_t>& objects,
                     RankRows& rows) {
  const auto rank = static_cast<std::size_t>(rows.collective.rank()),
             ranks = static_cast<std::size_t>(rows.collective.size());
  if (objects.size() < ranks)
    return too_few(channel, counted(objects.size(), "object") + " (ShardedByS3Key)", rows.collective.size());
  rows.in_order = false;
  std::size_t number = 0, local = 0;
  for (std::size_t k = 0; k < objects.size(); ++k) {
    const auto count = static_cast<std::size_t>(objects[k]);
    if (k % ranks == rank && count > 0) rows.own.push_back({local, count, number}), local += count;
    number += count;
  }
  if (local == 0)
    return invalid(
        channel.name + ": the objects of rank " + std::to_string(rank) + " (ShardedByS3Key) hold no rows",
        "set S3DataDistributionType to FullyReplicated");
  return {};
}

// For messages: rows by their number in the channel, or (of objects) in their object.
void name_rows(Dataset& data, const RankRows& rows) {
  data.first_row = rows.in_order ? static_cast<std::int64_t>(rows.own.front().number) : 0;
  for (Dataset::Source& source : data.sources) {
    if (!rows.in_order)
      source.first_row = static_cast<std::int64_t>(rows.find(static_cast<std::size_t>(source.first_row)));
  }
}

template <class T>
void keep_rows(std::vector<T>& values, std::size_t first, std::size_t count) {
  if (values.empty()) return;
  values = std::vector<T>(values.begin() + static_cast<std::ptrdiff_t>(first),
                          values.begin() + static_cast<std::ptrdiff_t>(first + count));
}

void keep_stretch(Dataset& data, const RowStretch& stretch) {
  keep_rows(data.X.values, stretch.number * data.X.cols, stretch.count * data.X.cols);
  data.X.rows = stretch.count;
  keep_rows(data.y, stretch.number, stretch.count);
  keep_rows(data.weights, stretch.number, stretch.count);
  keep_rows(data.groups, stretch.number, stretch.count);
}

}  // namespace

Result<SharedChannel> read_share(const ObjectStore& objects, const TrainingSpec& spec,
                                 const TrainingChannel& channel, Collective& collective,
                                 const std::function<bool()>& cancelled) {
  SharedChannel out{{}, {collective}};
  if (channel.source.plain()) {
    MR_TRY(counts, count_object_rows(objects, spec, channel, collective));
    for (const std::int64_t count : counts) out.rows.all += static_cast<std::size_t>(count);
    MR_DO(channel.sharded ? share_objects(channel, counts, out.rows) : share_in_order(channel, out.rows));
    MR_TRY(numbers, read_number_rows(objects, spec, channel, out.rows, cancelled));
    // A text that one rank met sends all of them the other way.
    std::int64_t without = numbers ? 0 : 1;
    MR_DO(collective.sum({&without, 1}));
    if (without == 0) {
      out.channel = std::move(*numbers);
      name_rows(out.channel.data, out.rows);
      return out;
    }
    out.rows.all = 0, out.rows.own.clear(), out.rows.in_order = true;
  }
  MR_TRY(whole, read_channel(objects, spec, channel, nullptr, cancelled));
  out.channel = std::move(whole);
  out.rows.all = out.channel.data.X.rows;
  MR_DO(share_in_order(channel, out.rows));
  keep_stretch(out.channel.data, out.rows.own.front());
  out.channel.data.first_row = static_cast<std::int64_t>(out.rows.own.front().number);
  return out;
}

}  // namespace millrace::tasks
