// What only a distributed Map has: where its items come from, how they are grouped, where results go.
// Source: Step Functions developer guide, "ItemReader (Map)", "ItemBatcher (Map)", "ResultWriter (Map)".

#include "definitions/parse.h"

namespace millrace::definitions {
namespace {

constexpr std::string_view kGetObject = "arn:aws:states:::s3:getObject";
constexpr std::string_view kListObjects = "arn:aws:states:::s3:listObjectsV2";
constexpr std::string_view kPutObject = "arn:aws:states:::s3:putObject";
constexpr std::int64_t kItemsMax = 1'000'000'000;
constexpr unsigned kAll = ~0u;

constexpr FieldRule kReaderFields[] = {
    {"Resource", kAll, Use::Both,
     "\"arn:aws:states:::s3:getObject\" or \"arn:aws:states:::s3:listObjectsV2\""},
    {"Parameters", kAll, Use::JsonPathOnly, "an object with Bucket and Key, or Bucket and Prefix"},
    {"Arguments", kAll, Use::JsonAtaOnly, "an object with Bucket and Key, or Bucket and Prefix"},
    {"ReaderConfig", kAll, Use::Both, "an object, e.g. {\"InputType\": \"JSON\"}"},
};
constexpr FieldRule kReaderConfigFields[] = {
    {"InputType", kAll, Use::Both, "\"CSV\", \"JSON\", \"JSONL\", \"MANIFEST\" or \"PARQUET\""},
    {"CSVHeaderLocation", kAll, Use::Both, "\"FIRST_ROW\" or \"GIVEN\""},
    {"CSVHeaders", kAll, Use::Both, "an array of names"},
    {"CSVDelimiter", kAll, Use::Both, "\"COMMA\", \"PIPE\", \"SEMICOLON\", \"SPACE\" or \"TAB\""},
    {"ItemsPointer", kAll, Use::Both, "a JSON pointer, e.g. \"/data/items\""},
    {"ManifestType", kAll, Use::Both, "\"S3_INVENTORY\" or \"ATHENA_DATA\""},
    {"Transformation", kAll, Use::Both, "\"NONE\" or \"LOAD_AND_FLATTEN\""},
    {"MaxItems", kAll, Use::Both, "a whole number of items; 0 is all of them"},
    {"MaxItemsPath", kAll, Use::JsonPathOnly, "a reference path to a number"},
};
constexpr FieldRule kBatcherFields[] = {
    {"MaxItemsPerBatch", kAll, Use::Both, "a whole number of items"},
    {"MaxItemsPerBatchPath", kAll, Use::JsonPathOnly, "a reference path to a number"},
    {"MaxInputBytesPerBatch", kAll, Use::Both, "a whole number of bytes, at most 262144"},
    {"MaxInputBytesPerBatchPath", kAll, Use::JsonPathOnly, "a reference path to a number"},
    {"BatchInput", kAll, Use::Both, "any JSON that every batch gets"},
};
constexpr FieldRule kWriterFields[] = {
    {"Resource", kAll, Use::Both, "\"arn:aws:states:::s3:putObject\""},
    {"Parameters", kAll, Use::JsonPathOnly, "an object with Bucket and Prefix"},
    {"Arguments", kAll, Use::JsonAtaOnly, "an object with Bucket and Prefix"},
    {"WriterConfig", kAll, Use::Both, "an object with OutputType and Transformation"},
};
constexpr FieldRule kWriterConfigFields[] = {
    {"OutputType", kAll, Use::Both, "\"JSON\" or \"JSONL\""},
    {"Transformation", kAll, Use::Both, "\"NONE\", \"COMPACT\" or \"FLATTEN\""},
};

// The fields of an object inside the state's, with what does not belong there reported.
std::optional<Fields> inside(Parsing& p, Fields& outer, std::string_view name,
                             std::span<const FieldRule> rules) {
  const JsonView object = outer.object(name);
  if (!object) return std::nullopt;
  Fields fields(p.source, object, place(outer.pointer(), name), object, rules);
  fields.refuse_unknown(kAll, p.node.language);
  return fields;
}

// `name` or `name`Path of an object inside the state's.
NumberOrPath number_inside(Parsing& p, Fields& fields, std::string_view name, std::int64_t min,
                           std::int64_t max) {
  Parsing part{p.source, fields, p.names, p.node, p.machine_language, p.depth};
  return parse_number_or_path(part, name, min, max);
}

std::string_view arguments_name(const Parsing& p) {
  return p.json_path() ? "Parameters" : "Arguments";
}

template <class T, std::size_t N>
std::optional<T> named_value(Fields& fields, std::string_view name,
                             const std::pair<std::string_view, T> (&table)[N],
                             std::initializer_list<std::string_view> names) {
  const std::optional<std::string> text = fields.one_of(name, names);
  if (!text) return std::nullopt;
  for (const auto& [key, value] : table) {
    if (key == *text) return value;
  }
  return std::nullopt;
}

void parse_headers(Fields& config, ItemReader& reader) {
  reader.headers_given = config.one_of("CSVHeaderLocation", {"FIRST_ROW", "GIVEN"}) == "GIVEN";
  const JsonView headers = config.array("CSVHeaders");
  if (headers) {
    for (const JsonView header : headers.elements()) {
      if (header.is_string()) {
        reader.headers.push_back(header.string());
      } else {
        config.error_at("CSVHeaders", "Expected value of type String", "every name of a column is a text");
        return;
      }
    }
  }
  if (reader.headers_given) config.require({"CSVHeaders"});
  if (reader.format == ItemFormat::Csv) config.require({"CSVHeaderLocation"});
}

void parse_reader_config(Parsing& p, Fields& config, ItemReader& reader) {
  static constexpr std::pair<std::string_view, ItemFormat> kFormats[] = {{"CSV", ItemFormat::Csv},
                                                                         {"JSON", ItemFormat::Json},
                                                                         {"JSONL", ItemFormat::JsonLines},
                                                                         {"MANIFEST", ItemFormat::Manifest},
                                                                         {"PARQUET", ItemFormat::Parquet}};
  static constexpr std::pair<std::string_view, char> kDelimiters[] = {
      {"COMMA", ','}, {"PIPE", '|'}, {"SEMICOLON", ';'}, {"SPACE", ' '}, {"TAB", '\t'}};
  reader.format = named_value(config, "InputType", kFormats, {"CSV", "JSON", "JSONL", "MANIFEST", "PARQUET"});
  parse_headers(config, reader);
  reader.delimiter =
      named_value(config, "CSVDelimiter", kDelimiters, {"COMMA", "PIPE", "SEMICOLON", "SPACE", "TAB"})
          .value_or(',');
  if (const auto pointer = config.text("ItemsPointer")) {
    if (pointer->empty() || pointer->starts_with('/')) {
      reader.items_pointer = *pointer;
    } else {
      config.error_at("ItemsPointer", "Value is not a valid JSON pointer: " + *pointer,
                      "a pointer begins with '/', e.g. \"/data/items\"");
    }
  }
  reader.athena = config.one_of("ManifestType", {"S3_INVENTORY", "ATHENA_DATA"}) == "ATHENA_DATA";
  reader.flatten = config.one_of("Transformation", {"NONE", "LOAD_AND_FLATTEN"}) == "LOAD_AND_FLATTEN";
  reader.max_items = number_inside(p, config, "MaxItems", 0, kItemsMax);
  if (reader.flatten && reader.list) config.require({"InputType"});
}

void parse_reader(Parsing& p, Map& map) {
  std::optional<Fields> fields = inside(p, p.fields, "ItemReader", kReaderFields);
  if (!fields) return;
  ItemReader reader;
  fields->require({"Resource"});
  reader.list = fields->one_of("Resource", {kGetObject, kListObjects}) == kListObjects;
  reader.arguments = fields->payload_template(arguments_name(p));
  if (!reader.list && fields->has("Resource")) fields->require({"ReaderConfig"});
  if (std::optional<Fields> config = inside(p, *fields, "ReaderConfig", kReaderConfigFields)) {
    if (!reader.list) config->require({"InputType"});
    parse_reader_config(p, *config, reader);
  }
  map.reader = std::move(reader);
}

void parse_batcher(Parsing& p, Map& map) {
  std::optional<Fields> fields = inside(p, p.fields, "ItemBatcher", kBatcherFields);
  if (!fields) return;
  ItemBatcher batcher;
  const auto bytes_max = static_cast<std::int64_t>(p.source.limits().payload_bytes_max);
  batcher.max_items = number_inside(p, *fields, "MaxItemsPerBatch", 0, kItemsMax);
  batcher.max_bytes = number_inside(p, *fields, "MaxInputBytesPerBatch", 0, bytes_max);
  batcher.input = fields->payload_template("BatchInput");
  const bool sized = fields->has("MaxItemsPerBatch") || fields->has("MaxItemsPerBatchPath") ||
                     fields->has("MaxInputBytesPerBatch") || fields->has("MaxInputBytesPerBatchPath");
  if (!sized) {
    fields->error(
        codes::kSchema,
        "At least one of the following fields is required: [MaxItemsPerBatch, MaxItemsPerBatchPath, "
        "MaxInputBytesPerBatch, MaxInputBytesPerBatchPath]",
        "e.g. \"ItemBatcher\": {\"MaxItemsPerBatch\": 100}");
  }
  map.batcher = std::move(batcher);
}

void parse_writer(Parsing& p, Map& map) {
  static constexpr std::pair<std::string_view, ResultTransformation> kTransformations[] = {
      {"NONE", ResultTransformation::None},
      {"COMPACT", ResultTransformation::Compact},
      {"FLATTEN", ResultTransformation::Flatten}};
  std::optional<Fields> fields = inside(p, p.fields, "ResultWriter", kWriterFields);
  if (!fields) return;
  ResultWriter writer;
  writer.exports = fields->has("Resource") || fields->has(arguments_name(p));
  if (writer.exports) {
    fields->require({"Resource", arguments_name(p)});
  } else if (!fields->has("WriterConfig")) {
    fields->error(codes::kSchema,
                  "These fields are required: [Resource, " + std::string(arguments_name(p)) + "]",
                  "name the bucket that results go to, or give a WriterConfig to shape the state's output");
  }
  fields->one_of("Resource", {kPutObject});
  writer.arguments = fields->payload_template(arguments_name(p));
  if (std::optional<Fields> config = inside(p, *fields, "WriterConfig", kWriterConfigFields)) {
    writer.json_lines = config->one_of("OutputType", {"JSON", "JSONL"}) == "JSONL";
    writer.transformation =
        named_value(*config, "Transformation", kTransformations, {"NONE", "COMPACT", "FLATTEN"});
  }
  map.writer = std::move(writer);
}

}  // namespace

void parse_distribution(Parsing& p, Map& map) {
  parse_reader(p, map);
  parse_batcher(p, map);
  parse_writer(p, map);
}

}  // namespace millrace::definitions
