#include "orchestrator/maps/item_reader.h"

#include <algorithm>
#include <cstdio>
#include <deque>

#include "base/json.h"
#include "base/random.h"
#include "orchestrator/maps/item_formats.h"

namespace millrace::orchestrator {
namespace {

using definitions::ItemFormat;
using Next = tl::expected<std::optional<Item>, Failure>;
using Opened = tl::expected<std::unique_ptr<ItemReader>, Failure>;

constexpr std::size_t kItemBytesMax = std::size_t{8} << 20;       // of one item in a file, with its blanks
constexpr std::size_t kManifestBytesMax = std::size_t{64} << 20;  // of an inventory's manifest.json

class StateItems final : public ItemReader {
 public:
  explicit StateItems(Payload items)
      : items_(std::move(items)),
        elements_(items_.view().elements().begin()),
        members_(items_.view().members().begin()) {}

  Next next() override {
    if (at_ == items_.view().size()) return std::optional<Item>();
    ++at_;
    if (items_.view().is_array()) {
      const JsonView value = *elements_;
      ++elements_;
      return std::optional<Item>(Item{Payload::of(value)});
    }
    const auto [key, value] = *members_;
    ++members_;
    return std::optional<Item>(Item{Payload::of(value), key.string()});
  }

 private:
  const Payload items_;
  JsonView::Elements::Iterator elements_;
  JsonView::Members::Iterator members_;
  std::uint32_t at_ = 0;
};

class Listing final : public ItemReader {
 public:
  explicit Listing(ObjectCursor cursor) : cursor_(std::move(cursor)) {}

  Next next() override {
    auto object = cursor_();
    if (!object) return reader_failed(object.error().message);
    if (!*object) return std::optional<Item>();
    const StoredObject& found = **object;
    // S3's tag is a digest of the bytes; ours tells two versions apart without reading them.
    char tag[40];
    const std::uint64_t version =
        mix(hash64(found.key), mix(found.bytes, static_cast<std::uint64_t>(to_millis(found.modified))));
    std::snprintf(tag, sizeof tag, "\"%016llx%016llx\"", static_cast<unsigned long long>(version),
                  static_cast<unsigned long long>(mix(version, found.bytes)));
    JsonWriter out;
    out.begin_object().key("Etag").string(tag).key("Key").string(found.key);
    out.key("LastModified").number(to_millis(found.modified) / 1000);
    out.key("Size").number(static_cast<std::int64_t>(found.bytes));
    out.key("StorageClass").string("STANDARD").end_object();
    return std::optional<Item>(Item{out.finish()});
  }

 private:
  ObjectCursor cursor_;
};

// Readers one after the other, each made when the one before it is through.
class Chain final : public ItemReader {
 public:
  using Source = std::function<tl::expected<std::unique_ptr<ItemReader>, Failure>()>;  // null: no more
  explicit Chain(Source source) : source_(std::move(source)) {}

  Next next() override {
    for (;;) {
      if (!now_) {
        MR_TRY(next_one, source_());
        if (!next_one) return std::optional<Item>();
        now_ = std::move(next_one);
      }
      MR_TRY(item, now_->next());
      if (item) return std::optional<Item>(std::move(item));
      now_.reset();
    }
  }

 private:
  Source source_;
  std::unique_ptr<ItemReader> now_;
};

struct Files {
  ObjectSource& objects;
  const definitions::ItemReader& reader;
};

tl::expected<std::unique_ptr<ByteReader>, Failure> open_object(ObjectSource& objects,
                                                               const std::string& bucket,
                                                               const std::string& key) {
  auto opened = objects.open(bucket, key);
  if (opened) return std::move(*opened);
  if (opened.error().code == ErrorCode::NotFound)
    return reader_failed("The specified key does not exist: s3://" + bucket + "/" + key);
  return reader_failed(opened.error().message);
}

tl::expected<ByteStream, Failure> open_file(ObjectSource& objects, const std::string& bucket,
                                            const std::string& key) {
  MR_TRY(opened, open_object(objects, bucket, key));
  return ByteStream(unzipped(std::move(opened)));
}

// One file of the format.
Opened open_format(Files files, ItemFormat format, const std::string& bucket, const std::string& key) {
  if (format == ItemFormat::Parquet) {
    MR_TRY(opened, open_object(files.objects, bucket, key));
    return read_parquet(std::move(opened), "s3://" + bucket + "/" + key, kItemBytesMax);
  }
  MR_TRY(bytes, open_file(files.objects, bucket, key));
  if (format == ItemFormat::Csv) {
    std::optional<std::vector<std::string>> headers;
    if (files.reader.headers_given) headers = files.reader.headers;
    return read_csv(std::move(bytes), files.reader.delimiter, std::move(headers), kItemBytesMax);
  }
  if (format == ItemFormat::JsonLines) return read_json_lines(std::move(bytes), kItemBytesMax);
  return read_json(std::move(bytes), files.reader.items_pointer, kItemBytesMax);
}

tl::expected<Payload, Failure> read_manifest(ByteStream bytes) {
  std::string text;
  for (;;) {
    const std::string_view ahead = bytes.ahead();
    if (ahead.empty()) break;
    text.append(ahead);
    bytes.skip(ahead.size());
    if (text.size() > kManifestBytesMax) return reader_failed("The manifest is longer than 64 MiB.");
  }
  if (bytes.error()) return reader_failed("The manifest can't be read: " + bytes.error()->message);
  auto document = Payload::parse(text);
  if (!document) return reader_failed("The manifest is not valid JSON: " + document.error().message);
  return std::move(*document);
}

std::string text_of(JsonView object, std::string_view name) {
  const JsonView value = object && object.is_object() ? object.find(name) : JsonView();
  return value && value.is_string() ? value.string() : std::string();
}

// "Bucket, Key, Size"
std::vector<std::string> names_of(std::string_view list) {
  std::vector<std::string> names;
  while (!list.empty()) {
    std::string_view name = list.substr(0, list.find(','));
    list.remove_prefix(std::min(list.size(), name.size() + 1));
    while (name.starts_with(' ')) name.remove_prefix(1);
    while (name.ends_with(' ')) name.remove_suffix(1);
    names.emplace_back(name);
  }
  return names;
}

// An S3 inventory: manifest.json names gzipped CSV files without headers; their columns are its fileSchema.
Opened open_inventory(Files files, const std::string& bucket, const std::string& key) {
  MR_TRY(bytes, open_file(files.objects, bucket, key));
  MR_TRY(manifest, read_manifest(std::move(bytes)));
  const JsonView root = manifest.view();
  const JsonView list = root.is_object() ? root.find("files") : JsonView();
  if (!list || !list.is_array()) return reader_failed("The manifest has no list of files.");
  if (const std::string format = text_of(root, "fileFormat"); format != "CSV")
    return reader_failed("The inventory's files are of the format '" + format + "': only CSV is read.");
  std::string from = text_of(root, "destinationBucket");
  from = from.substr(from.rfind(':') + 1);
  if (from.empty()) from = bucket;
  auto keys = std::make_shared<std::deque<std::string>>();
  for (const JsonView file : list.elements()) keys->push_back(text_of(file, "key"));
  const std::vector<std::string> names = names_of(text_of(root, "fileSchema"));
  ObjectSource& objects = files.objects;
  return std::make_unique<Chain>([keys, from, names, &objects]() -> Opened {
    if (keys->empty()) return std::unique_ptr<ItemReader>();
    MR_TRY(part, open_file(objects, from, keys->front()));
    keys->pop_front();
    return read_csv(std::move(part), ',', names, kItemBytesMax);
  });
}

// Athena's manifest: a CSV file whose rows name data files, as s3://bucket/key.
Opened open_athena(Files files, ItemFormat format, const std::string& bucket, const std::string& key) {
  MR_TRY(bytes, open_file(files.objects, bucket, key));
  auto rows = std::make_shared<CsvRows>(std::move(bytes), ',', kItemBytesMax);
  return std::make_unique<Chain>([rows, files, format]() -> Opened {
    std::vector<std::string> cells;
    MR_TRY(there, rows->next(cells));
    if (!there) return std::unique_ptr<ItemReader>();
    constexpr std::string_view kScheme = "s3://";
    const std::string& name = cells[0];
    const std::size_t slash = name.find('/', kScheme.size());
    if (!name.starts_with(kScheme) || slash == std::string::npos)
      return reader_failed("The manifest names '" + name + "', which is no s3://bucket/key.");
    return open_format(files, format, name.substr(kScheme.size(), slash - kScheme.size()),
                       name.substr(slash + 1));
  });
}

Opened open_listing(Files files, const std::string& bucket, const std::string& prefix) {
  auto cursor = files.objects.list(bucket, prefix);
  if (!cursor) return reader_failed(cursor.error().message);
  if (!files.reader.flatten) return std::make_unique<Listing>(std::move(*cursor));
  const ItemFormat format = files.reader.format.value_or(ItemFormat::Json);
  return std::make_unique<Chain>([files, bucket, format, next = std::move(*cursor)]() -> Opened {
    auto object = next();
    if (!object) return reader_failed(object.error().message);
    if (!*object) return std::unique_ptr<ItemReader>();
    return open_format(files, format, bucket, (*object)->key);
  });
}

Opened open(Files files, const std::string& bucket, const std::string& key, const std::string& prefix) {
  if (bucket.empty()) return reader_failed("ItemReader has no Bucket.");
  if (files.reader.list) return open_listing(files, bucket, prefix);
  if (key.empty()) return reader_failed("ItemReader has no Key.");
  const ItemFormat format = files.reader.format.value_or(ItemFormat::Json);
  if (files.reader.athena) return open_athena(files, format, bucket, key);
  if (format == ItemFormat::Manifest) return open_inventory(files, bucket, key);
  return open_format(files, format, bucket, key);
}

class Objects final : public ItemReader {
 public:
  Objects(Files files, Payload arguments, std::int64_t most)
      : files_(files), arguments_(std::move(arguments)), most_(most) {}

  Next next() override {
    if (given_ == most_) return std::optional<Item>();
    if (!inside_) {
      const JsonView from = arguments_.view();
      MR_TRY(opened, open(files_, text_of(from, "Bucket"), text_of(from, "Key"), text_of(from, "Prefix")));
      inside_ = std::move(opened);
    }
    ++given_;
    return inside_->next();
  }

 private:
  Files files_;
  Payload arguments_;
  std::int64_t most_, given_ = 0;
  std::unique_ptr<ItemReader> inside_;
};

}  // namespace

std::unique_ptr<ItemReader> read_state_items(Payload items) {
  return std::make_unique<StateItems>(std::move(items));
}

std::unique_ptr<ItemReader> read_objects(ObjectSource& objects, const definitions::ItemReader& reader,
                                         const Payload& arguments, std::int64_t max_items,
                                         const Limits& limits) {
  const std::int64_t most =
      max_items > 0 ? std::min(max_items, limits.map_run_items_max) : limits.map_run_items_max;
  return std::make_unique<Objects>(Files{objects, reader}, arguments, most);
}

std::string source_name(const definitions::ItemReader& reader, const Payload& arguments) {
  std::string name = "S3://" + text_of(arguments.view(), "Bucket");
  return reader.list && !reader.flatten ? name : name + "/" + text_of(arguments.view(), "Key");
}

}  // namespace millrace::orchestrator
