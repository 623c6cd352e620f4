#include "tasks/artifacts/channel_source.h"

#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <memory>
#include <sstream>
#include <utility>

#include "base/encoding.h"
#include "base/payload.h"
#include "tasks/artifacts/read_table.h"
#include "tasks/table/record_io.h"
#include "tasks/table/record_lines.h"

namespace millrace::tasks {
namespace {

using Data = ChannelSource::Data;
using Compression = ChannelSource::Compression;
using Format = ChannelSource::Format;

constexpr std::size_t kInflatedPiece = 1 << 20;

template <class T, std::size_t N>
Result<T> one_of_names(std::string_view text, const std::pair<std::string_view, T> (&names)[N],
                       std::size_t shown) {
  std::string expected;
  for (std::size_t i = 0; i < N; ++i) {
    if (names[i].first == text) return names[i].second;
    if (i < shown) expected.append(expected.empty() ? "" : ", ").append(names[i].first);
  }
  return invalid("'" + std::string(text.substr(0, 60)) + "' is not supported: expected one of " + expected);
}

constexpr const char* kPlainRemedy =
    "set CompressionType to what the object is; None, or nothing, for plain text";
constexpr const char* kCutRemedy = "write the object again";

tl::unexpected<Error> too_large(std::string_view name) {
  return fail(ErrorCode::LimitExceeded, std::string(name) + " has more than 8 GiB of text",
              "split it into several objects");
}

Result<std::string> inflate_gzip(std::string_view bytes, std::string_view name) {
  z_stream stream{};
  constexpr int kGzipOnly = 16 + MAX_WBITS;
  if (inflateInit2(&stream, kGzipOnly) != Z_OK) return fail(ErrorCode::Internal, "zlib can't begin");
  const std::unique_ptr<z_stream, int (*)(z_stream*)> closer(&stream, inflateEnd);
  std::string out;
  std::string_view rest = bytes;
  for (bool ended = false; !ended || !rest.empty();) {
    if (ended && inflateReset(&stream) != Z_OK) return fail(ErrorCode::Internal, "zlib can't go on");
    const std::size_t before = out.size();
    if (before > kChannelObjectBytesMax) return too_large(name);
    out.resize(before + kInflatedPiece);
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(rest.data()));
    const std::size_t given = std::min<std::size_t>(rest.size(), 1u << 30);
    stream.avail_in = static_cast<uInt>(given);
    stream.next_out = reinterpret_cast<Bytef*>(out.data() + before);
    stream.avail_out = static_cast<uInt>(kInflatedPiece);
    const int status = ::inflate(&stream, Z_NO_FLUSH);
    rest.remove_prefix(given - stream.avail_in);
    out.resize(before + kInflatedPiece - stream.avail_out);
    ended = status == Z_STREAM_END;
    const bool stuck = status == Z_BUF_ERROR || (status == Z_OK && rest.empty() && stream.avail_out > 0);
    if (stuck) return invalid(std::string(name) + " is cut: its gzip data has no end", kCutRemedy);
    if (!ended && status != Z_OK)
      return invalid(std::string(name) + " is not gzip data" +
                         (stream.msg ? std::string(" (") + stream.msg + ")" : std::string()),
                     kPlainRemedy);
  }
  return out;
}

Result<std::string> inflate_zstd(std::string_view bytes, std::string_view name) {
  const std::unique_ptr<ZSTD_DCtx, std::size_t (*)(ZSTD_DCtx*)> context(ZSTD_createDCtx(), ZSTD_freeDCtx);
  std::string out;
  ZSTD_inBuffer in{bytes.data(), bytes.size(), 0};
  std::size_t status = 1;
  while (in.pos < in.size || status > 0) {
    const std::size_t before = out.size();
    if (before > kChannelObjectBytesMax) return too_large(name);
    out.resize(before + kInflatedPiece);
    ZSTD_outBuffer piece{out.data() + before, kInflatedPiece, 0};
    status = ZSTD_decompressStream(context.get(), &piece, &in);
    out.resize(before + piece.pos);
    if (ZSTD_isError(status))
      return invalid(std::string(name) + " is not zstd data (" + ZSTD_getErrorName(status) + ")",
                     kPlainRemedy);
    if (status > 0 && in.pos == in.size && piece.pos < piece.size)
      return invalid(std::string(name) + " is cut: its zstd data has no end", kCutRemedy);
  }
  return out;
}

// The first line that is not empty, without its end.
std::string first_line_in(std::istream& text) {
  std::string line;
  while (line.empty() && std::getline(text, line)) {
    if (line.ends_with('\r')) line.pop_back();
  }
  return line;
}

// The objects of a manifest: [{"prefix": "s3://bucket/folder/"}, "name", …].
Result<std::vector<std::string>> manifest_objects(const ObjectStore& objects, const std::string& uri) {
  MR_TRY(text, objects.read(uri));
  const auto document = Payload::parse(text);
  const auto no_manifest = [&](const std::string& what) {
    return invalid(uri + " is no manifest: " + what,
                   R"(a manifest is [{"prefix": "s3://bucket/folder/"}, "name", …])");
  };
  if (!document) return no_manifest(document.error().message);
  if (!document->view().is_array() || document->view().size() == 0) return no_manifest("expected an array");
  std::vector<std::string> uris;
  std::string prefix;
  std::size_t index = 0;
  for (const JsonView element : document->view().elements()) {
    if (index++ == 0) {
      const JsonView value = element.is_object() ? element.find("prefix") : JsonView();
      if (!value || !value.is_string()) return no_manifest("its first element has no \"prefix\"");
      prefix = value.string();
      continue;
    }
    if (!element.is_string()) return no_manifest("element " + std::to_string(index - 1) + " is no name");
    uris.push_back(prefix + element.string());
    if (const auto parsed = parse_s3_uri(uris.back()); !parsed)
      return invalid(uri + ": " + parsed.error().message);
  }
  // A manifest of a prefix alone means all of it.
  if (!uris.empty()) return uris;
  MR_TRY(base, parse_s3_uri(prefix));
  MR_TRY(infos, objects.list(prefix));
  for (const ObjectInfo& info : infos) uris.push_back(S3Uri{base.bucket, info.key}.text());
  return uris;
}

Result<Table> augmented_table(const ObjectStore& objects, const ChannelSource& source,
                              const CsvOptions& csv) {
  MR_TRY(text, channel_text(objects, source, source.uri));
  for (const std::string& name : source.attributes) {
    if (name.ends_with("-ref"))
      return invalid(
          "AttributeNames: '" + name +
              "' refers to objects: the built-in algorithms take rows whose values stand in the manifest",
          "name attributes with numbers, texts or arrays of numbers");
  }
  // Its part of the lines: an augmented manifest is one object.
  std::string part;
  if (source.parts > 1) {
    std::size_t line = 0;
    for (std::size_t at = 0; at < text.size(); ++line) {
      const std::size_t end = std::min(text.find('\n', at), text.size());
      if (line % source.parts == source.part) part.append(text, at, end - at).push_back('\n');
      at = end + 1;
    }
    text = std::move(part);
  }
  return parse_json_lines(text, source.uri, {source.attributes, csv.cancelled});
}

// A column that is text in one object is text in all.
Status append_table(Table& table, Table more, const std::string& uri) {
  if (table.columns.empty()) {
    table = std::move(more);
    return {};
  }
  if (table.names() != more.names())
    return invalid(uri + ": its members are not those of the first object",
                   "objects of one channel have the same members in the same order");
  for (std::size_t c = 0; c < table.columns.size(); ++c) {
    Column &before = table.columns[c], &here = more.columns[c];
    if (before.type == here.type) continue;
    const std::string first = before.type == Column::Type::Text ? before.first_text : here.first_text;
    Column& numbers = before.type == Column::Type::Number ? before : here;
    numbers = as_texts(numbers);
    before.first_text = first;
  }
  return append_rows(table, more);
}

// A table of all objects whose rows are lines of their own.
Result<Table> json_lines_table(const ObjectStore& objects, const ChannelSource& source,
                               const CsvOptions& csv) {
  MR_TRY(uris, channel_objects(objects, source));
  Table table;
  for (const std::string& uri : uris) {
    MR_TRY(text, channel_text(objects, source, uri));
    MR_TRY(part, parse_json_lines(text, uri, {{}, csv.cancelled}));
    const std::size_t before = table.rows;
    std::vector<Table::Part> parts = std::move(table.parts);
    MR_DO(append_table(table, std::move(part), uri));
    parts.push_back({uri, before});
    table.parts = std::move(parts);
  }
  return table;
}

Result<Table> libsvm_rows(const ObjectStore& objects, const ChannelSource& source, const CsvOptions& csv) {
  MR_TRY(uris, channel_objects(objects, source));
  LibsvmRows rows;
  for (const std::string& uri : uris) {
    MR_TRY(text, channel_text(objects, source, uri));
    MR_DO(parse_libsvm(text, uri, rows, csv.cancelled));
  }
  if (rows.targets.empty()) return invalid(source.uri + " holds no rows");
  return libsvm_table(rows);
}

Result<Table> record_io_rows(const ObjectStore& objects, const ChannelSource& source, const CsvOptions& csv) {
  MR_TRY(uris, channel_objects(objects, source));
  RecordIoRows rows;
  for (const std::string& uri : uris) {
    MR_TRY(bytes, channel_text(objects, source, uri));
    MR_DO(parse_record_io(bytes, uri, rows, csv.cancelled));
  }
  if (rows.rows == 0) return invalid(source.uri + " holds no rows");
  return record_io_table(rows);
}

}  // namespace

Result<Data> parse_data_type(std::string_view text) {
  static constexpr std::pair<std::string_view, Data> kNames[] = {
      {"S3Prefix", Data::Prefix},
      {"ManifestFile", Data::Manifest},
      {"AugmentedManifestFile", Data::AugmentedManifest}};
  return one_of_names(text, kNames, 3);
}

Result<Compression> parse_compression(std::string_view text) {
  static constexpr std::pair<std::string_view, Compression> kNames[] = {
      {"None", Compression::None}, {"Gzip", Compression::Gzip}, {"Zstd", Compression::Zstd}};
  return one_of_names(text, kNames, 3);
}

Result<Format> parse_format(std::string_view text) {
  static constexpr std::pair<std::string_view, Format> kNames[] = {
      {"text/csv", Format::Csv},
      {"application/jsonlines", Format::JsonLines},
      {"text/libsvm", Format::Libsvm},
      {"application/x-recordio-protobuf", Format::RecordIo},
      {"csv", Format::Csv},
      {"application/x-jsonlines", Format::JsonLines},
      {"application/jsonl", Format::JsonLines},
      {"jsonlines", Format::JsonLines},
      {"text/x-libsvm", Format::Libsvm},
      {"libsvm", Format::Libsvm}};
  return one_of_names(text, kNames, 4);
}

Result<std::vector<std::string>> channel_objects(const ObjectStore& objects, const ChannelSource& source) {
  std::vector<std::string> uris;
  if (source.data == Data::AugmentedManifest) return std::vector<std::string>{source.uri};
  if (source.data == Data::Manifest) {
    MR_TRY(named, manifest_objects(objects, source.uri));
    uris = std::move(named);
  } else {
    MR_TRY(base, parse_s3_uri(source.uri));
    MR_TRY(infos, objects.list(source.uri));
    for (const ObjectInfo& info : infos) uris.push_back(S3Uri{base.bucket, info.key}.text());
  }
  if (source.parts <= 1) return uris;
  std::vector<std::string> part;
  for (std::size_t i = source.part; i < uris.size(); i += source.parts) part.push_back(std::move(uris[i]));
  if (part.empty())
    return invalid(source.uri + " has " + std::to_string(uris.size()) + " objects for " +
                       std::to_string(source.parts) + " parts: nothing is left for part " +
                       std::to_string(source.part),
                   "split the data into more objects, or take S3DataDistributionType FullyReplicated");
  return part;
}

Result<std::string> decompress(Compression compression, std::string_view bytes, std::string_view name) {
  switch (compression) {
    case Compression::Gzip:
      return inflate_gzip(bytes, name);
    case Compression::Zstd:
      return inflate_zstd(bytes, name);
    case Compression::None:
      break;
  }
  return std::string(bytes);
}

Status check_not_compressed(std::string_view bytes, std::string_view name) {
  constexpr std::string_view kGzip = "\x1f\x8b", kZstd = "\x28\xb5\x2f\xfd";
  for (const auto& [magic, word] : {std::pair(kGzip, "Gzip"), std::pair(kZstd, "Zstd")}) {
    if (bytes.starts_with(magic))
      return invalid(std::string(name) + " is compressed (" + word + ")",
                     "set CompressionType to " + std::string(word) +
                         "; of a processing input it is called S3CompressionType");
  }
  return {};
}

Result<std::string> channel_text(const ObjectStore& objects, const ChannelSource& source,
                                 const std::string& uri) {
  MR_TRY(bytes, objects.read(uri));
  if (source.compression == Compression::None) {
    MR_DO(check_not_compressed(bytes, uri));
    return bytes;
  }
  return decompress(source.compression, bytes, uri);
}

Result<std::string> channel_first_line(const ObjectStore& objects, const ChannelSource& source,
                                       const std::string& uri) {
  if (source.compression != Compression::None) {
    MR_TRY(text, channel_text(objects, source, uri));
    std::istringstream in(std::move(text));
    return first_line_in(in);
  }
  MR_TRY(path, objects.path_of(uri));
  std::ifstream file(path, std::ios::binary);
  if (!file) return fail(ErrorCode::NotFound, "no object at " + uri);
  std::string line = first_line_in(file);
  MR_DO(check_not_compressed(line, uri));
  return line;
}

Result<LineLooks> look_at_line(std::string_view line, std::string_view name) {
  CsvOptions options;
  options.header = false;
  MR_TRY(cells, parse_csv(line, name, options));
  const bool has_number = std::ranges::any_of(cells.columns, [](const Column& column) {
    return column.type == Column::Type::Number && !column.numbers.empty() && !std::isnan(column.numbers[0]);
  });
  return LineLooks{!has_number, cells.columns.size()};
}

Result<Table> read_channel_table(const ObjectStore& objects, const ChannelSource& source,
                                 const CsvOptions& csv) {
  if (source.data == Data::AugmentedManifest) return augmented_table(objects, source, csv);
  if (source.format == Format::JsonLines) return json_lines_table(objects, source, csv);
  if (source.format == Format::Libsvm) return libsvm_rows(objects, source, csv);
  if (source.format == Format::RecordIo) return record_io_rows(objects, source, csv);
  MR_TRY(uris, channel_objects(objects, source));
  return read_table_of(
      uris, [&](const std::string& uri) { return channel_text(objects, source, uri); }, csv);
}

Result<std::string> channel_sha256(const ObjectStore& objects, const ChannelSource& source) {
  MR_TRY(uris, channel_objects(objects, source));
  Sha256 hash;
  for (const std::string& uri : uris) {
    MR_TRY(bytes, objects.read(uri));
    hash.update(bytes);
  }
  return hash.finish_hex();
}

}  // namespace millrace::tasks
