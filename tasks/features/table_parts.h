#pragma once
// TableParts: a table as CSV objects, written row by row in bounded memory: data.csv, or data-00001.csv and
// so on when it is larger than one object. Its cells come as JSON lists of texts, null where there is none.
// One thread.

#include <string>
#include <string_view>
#include <vector>

#include "base/payload.h"
#include "tasks/artifacts/object_store.h"
#include "tasks/table/table.h"

namespace millrace::tasks {

inline constexpr std::size_t kTablePartBytes = std::size_t{64} << 20;

// A value as a cell: texts as they are, collections as their JSON, null where there is none.
void write_cell(JsonWriter& out, JsonView value);
std::string text_of_cell(JsonView value);

class TableParts {
 public:
  TableParts(const ObjectStore& objects, std::string uri, const std::vector<std::string>& columns,
             std::size_t part_bytes = kTablePartBytes);
  // The next cells of the row.
  Status add(std::string_view cells);
  void add_missing(std::size_t cells);
  Status end_row();
  Status finish();

 private:
  void format_rows();
  Status write_part(std::string_view name);

  const ObjectStore& objects_;
  const std::string uri_;
  const std::size_t part_bytes_;
  Table table_;
  std::size_t column_ = 0, parts_ = 0;
  std::string text_;
};

}  // namespace millrace::tasks
