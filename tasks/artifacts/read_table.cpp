#include "tasks/artifacts/read_table.h"

#include <algorithm>
#include <map>

namespace millrace::tasks {
namespace {

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
Result<Table> read_all(const std::vector<std::string>& uris,
                       const std::function<Result<std::string>(const std::string& uri)>& read,
                       const CsvOptions& options, std::map<std::string, std::string>& texts) {
  Table table;
  for (std::size_t i = 0; i < uris.size(); ++i) {
    const std::string& name = uris[i];
    MR_TRY(bytes, read(name));
    CsvOptions part_options = options;
    if (options.progress) {
      part_options.progress = [&options, before = table.rows](std::size_t rows) {
        options.progress(before + rows);
      };
    }
    MR_TRY(part, parse_csv(bytes, name, part_options));
    if (i == 0) {
      table = std::move(part);
      table.parts = {{name, 0}};
      continue;
    }
    table.parts.push_back({name, table.rows});
    if (table.names() != part.names()) {
      return invalid(name + ": " + difference(table.names(), part.names()),
                     "objects of one channel have the same columns as " + uris[0]);
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
  std::vector<std::string> uris;
  for (const ObjectInfo& info : infos) uris.push_back(S3Uri{uri.bucket, info.key}.text());
  return read_table_of(
      uris, [&](const std::string& one) { return objects.read(one); }, options);
}

Result<Table> read_table_of(const std::vector<std::string>& uris,
                            const std::function<Result<std::string>(const std::string& uri)>& read,
                            const CsvOptions& options) {
  std::map<std::string, std::string> texts;
  MR_TRY(table, read_all(uris, read, options, texts));
  if (texts.empty()) return table;
  CsvOptions again = options;
  for (const auto& [name, first_text] : texts) again.types.emplace_back(name, Column::Type::Text);
  std::map<std::string, std::string> none;
  MR_TRY(second, read_all(uris, read, again, none));
  for (auto& [name, first_text] : texts) second.find(name)->first_text = std::move(first_text);
  return second;
}

Status write_table(const ObjectStore& objects, std::string_view uri, const Table& table) {
  return objects.write(uri, format_csv(table));
}

}  // namespace millrace::tasks
