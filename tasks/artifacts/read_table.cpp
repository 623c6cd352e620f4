#include "tasks/artifacts/read_table.h"

#include <algorithm>
#include <map>

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

// Reads all objects with these types. Columns that are text in some part and not in others are added to
// `texts`, by name with their first_text.
Result<Table> read_all(const ObjectStore& objects, const S3Uri& uri, const std::vector<ObjectInfo>& infos,
                       const CsvOptions& options, std::map<std::string, std::string>& texts) {
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
      const Column &before = table.columns[c], &here = part.columns[c];
      if (before.type == here.type) continue;
      texts.emplace(here.name, here.type == Column::Type::Text ? here.first_text : before.first_text);
    }
    if (texts.empty()) MR_DO(append_rows(table, part));
  }
  return table;
}

}  // namespace

Result<Table> read_table(const ObjectStore& objects, std::string_view text, const CsvOptions& options) {
  MR_TRY(uri, parse_s3_uri(text));
  MR_TRY(infos, objects.list(text));
  std::map<std::string, std::string> texts;
  MR_TRY(table, read_all(objects, uri, infos, options, texts));
  if (texts.empty()) return table;
  CsvOptions again = options;
  for (const auto& [name, first_text] : texts) again.types.emplace_back(name, Column::Type::Text);
  std::map<std::string, std::string> none;
  MR_TRY(second, read_all(objects, uri, infos, again, none));
  for (auto& [name, first_text] : texts) second.find(name)->first_text = std::move(first_text);
  return second;
}

Status write_table(const ObjectStore& objects, std::string_view uri, const Table& table) {
  return objects.write(uri, format_csv(table));
}

}  // namespace millrace::tasks
