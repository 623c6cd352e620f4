#include "tasks/artifacts/read_table.h"

#include <algorithm>

namespace millrace::tasks {
namespace {

std::string uri_of(const S3Uri& uri, const std::string& key) {
  return S3Uri{uri.bucket, key}.text();
}

std::string difference(const std::vector<std::string>& expected, const std::vector<std::string>& found) {
  for (const std::string& name : expected) {
    if (std::find(found.begin(), found.end(), name) == found.end())
      return "it has no column \"" + name + "\"";
  }
  for (const std::string& name : found) {
    if (std::find(expected.begin(), expected.end(), name) == expected.end()) {
      return "it has a column \"" + name + "\" that the first object has not";
    }
  }
  return "its columns stand in another order";
}

// Reads all objects with these types; columns that are text in some part and not in others are added to
// `texts`.
Result<Table> read_all(const ObjectStore& objects, const S3Uri& uri, const std::vector<ObjectInfo>& infos,
                       const CsvOptions& options, std::vector<std::string>& texts) {
  Table table;
  for (std::size_t i = 0; i < infos.size(); ++i) {
    const std::string name = uri_of(uri, infos[i].key);
    MR_TRY(bytes, objects.read(name));
    CsvOptions part_options = options;
    if (options.progress) {
      part_options.progress = [&options, before = table.rows](std::size_t rows) {
        options.progress(before + rows);
      };
    }
    MR_TRY(part, parse_csv(bytes, name, part_options));
    if (i == 0) {
      table = std::move(part);
      continue;
    }
    if (table.names() != part.names()) {
      return invalid(name + ": " + difference(table.names(), part.names()),
                     "objects of one channel have the same columns as " + uri_of(uri, infos[0].key));
    }
    for (std::size_t c = 0; c < part.columns.size(); ++c) {
      if (table.columns[c].type != part.columns[c].type) texts.push_back(part.columns[c].name);
    }
    if (texts.empty()) MR_DO(append_rows(table, part));
  }
  return table;
}

}  // namespace

Result<Table> read_table(const ObjectStore& objects, std::string_view text, const CsvOptions& options) {
  MR_TRY(uri, parse_s3_uri(text));
  MR_TRY(infos, objects.list(text));
  std::vector<std::string> texts;
  MR_TRY(table, read_all(objects, uri, infos, options, texts));
  if (texts.empty()) return table;
  CsvOptions again = options;
  for (std::string& name : texts) again.types.emplace_back(std::move(name), Column::Type::Text);
  texts.clear();
  return read_all(objects, uri, infos, again, texts);
}

Status write_table(const ObjectStore& objects, std::string_view uri, const Table& table) {
  return objects.write(uri, format_csv(table));
}

}  // namespace millrace::tasks
