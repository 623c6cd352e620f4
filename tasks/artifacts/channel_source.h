#pragma once
// ChannelSource: where the records of a channel are and in which form: which objects (a prefix, a manifest,
// an augmented manifest), which part of them, how they are compressed and what their text is. Any thread.
// Source: SageMaker API reference, S3DataSource, Channel.

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "tasks/artifacts/object_store.h"
#include "tasks/table/csv.h"

namespace millrace::tasks {

struct ChannelSource {
  enum class Data { Prefix, Manifest, AugmentedManifest };
  enum class Compression { None, Gzip, Zstd };
  enum class Format { Csv, JsonLines, Libsvm, RecordIo };
  std::string uri;  // a prefix, or the manifest
  Data data = Data::Prefix;
  std::vector<std::string> attributes = {};  // AttributeNames of an augmented manifest
  Compression compression = Compression::None;
  Format format = Format::Csv;
  // ShardedByS3Key: every `parts`-th object, from `part` (0, 1, …) on.
  std::size_t part = 0, parts = 1;

  // CSV as it lies below a prefix.
  bool plain() const {
    return data == Data::Prefix && compression == Compression::None && format == Format::Csv && parts == 1;
  }
  // Columns go by the names that the rows themselves give them.
  bool named() const { return data == Data::AugmentedManifest || format == Format::JsonLines; }
  bool operator==(const ChannelSource&) const = default;
};

// "S3Prefix", "ManifestFile", "AugmentedManifestFile"; "None", "Gzip", "Zstd"; "text/csv",
// "application/jsonlines", "text/libsvm", "application/x-recordio-protobuf" (with their other spellings,
// without parameters). Nothing else: InvalidArgument.
Result<ChannelSource::Data> parse_data_type(std::string_view text);
Result<ChannelSource::Compression> parse_compression(std::string_view text);
Result<ChannelSource::Format> parse_format(std::string_view text);

// URIs of the objects, in the order of their keys or of the manifest. NotFound when there is none (names a
// missing one of a manifest); InvalidArgument for a manifest that is none, or more parts than objects.
Result<std::vector<std::string>> channel_objects(const ObjectStore& objects, const ChannelSource& source);
// InvalidArgument when bytes that should be text begin as those of gzip or zstd do.
Status check_not_compressed(std::string_view bytes, std::string_view name);
// One object's text, without its compression. LimitExceeded beyond kChannelObjectBytesMax of text;
// InvalidArgument when what is compressed is damaged or cut, or compressed and not said to be.
inline constexpr std::size_t kChannelObjectBytesMax = std::size_t{8} << 30;
Result<std::string> channel_text(const ObjectStore& objects, const ChannelSource& source,
                                 const std::string& uri);

// Its first line that is not empty, without its end; empty: there is none. Reads no more than it must.
Result<std::string> channel_first_line(const ObjectStore& objects, const ChannelSource& source,
                                       const std::string& uri);
// What a first line of CSV looks like: SageMaker's files have no header, so one is a line of which no cell is
// a number.
struct LineLooks {
  bool header = true;
  std::size_t cells = 0;
};
Result<LineLooks> look_at_line(std::string_view line, std::string_view name);

// All rows as one table; `csv` is for CSV, and its `cancelled` for all. With JSON lines and augmented
// manifests columns go by name, of LIBSVM and RecordIO they are
// target, f0, f1, …. Errors are those of the above and of
// reading.
Result<Table> read_channel_table(const ObjectStore& objects, const ChannelSource& source,
                                 const CsvOptions& csv);
// SHA-256 over the bytes of the objects as they are stored; of an augmented manifest over its own.
Result<std::string> channel_sha256(const ObjectStore& objects, const ChannelSource& source);

// The text of gzip (also of several members in one) or zstd; `name` is for messages.
Result<std::string> decompress(ChannelSource::Compression compression, std::string_view bytes,
                               std::string_view name);

}  // namespace millrace::tasks
