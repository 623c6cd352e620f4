#include "service/cli/sagemaker.h"

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "base/utf8.h"
#include "service/cli/command.h"

namespace millrace::cli {
namespace {

std::size_t shown_width(std::string_view text) {
  std::size_t width = 0;
  for (; !text.empty(); ++width) {
    char32_t ignored = 0;
    text.remove_prefix(std::max<std::size_t>(1, decode_utf8(text, ignored)));
  }
  return width;
}

}  // namespace

Result<Json> ask_sagemaker(client::Access& access, std::string_view operation, const Json& input) {
  MR_TRY(answer, access.call(client::kSageMaker, operation, to_payload(input)));
  return to_json(answer.view());
}

Result<std::vector<Json>> ask_sagemaker_all(client::Access& access, std::string_view operation, Json input,
                                            std::string_view member, std::size_t limit) {
  std::vector<Json> items;
  while (items.size() < limit) {
    MR_TRY(page, ask_sagemaker(access, operation, input));
    for (Json& item : page[std::string(member)])
      if (items.size() < limit) items.push_back(std::move(item));
    const auto next = page.find("NextToken");
    if (next == page.end() || !next->is_string()) break;
    input["NextToken"] = *next;
  }
  return items;
}

std::string bytes_text(double bytes) {
  constexpr const char* kUnits[] = {"bytes", "KB", "MB", "GB", "TB"};
  std::size_t unit = 0;
  while (bytes >= 1000 && unit + 1 < std::size(kUnits)) bytes /= 1000, ++unit;
  char buffer[32];
  std::snprintf(buffer, sizeof buffer, unit == 0 ? "%.0f %s" : "%.1f %s", bytes, kUnits[unit]);
  return buffer;
}

std::string cell_text(const Json& value) {
  if (value.is_null()) return "–";
  if (value.is_string()) return value.get<std::string>();
  if (!value.is_number_float()) return std::string(to_payload(value).text());
  char buffer[32];
  std::snprintf(buffer, sizeof buffer, "%.6g", value.get<double>());
  return buffer;
}

void print_cells(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], shown_width(row[i]));
  }
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      line += row[i];
      if (i + 1 < row.size()) line.append(widths[i] - shown_width(row[i]) + 2, ' ');
    }
    while (line.ends_with(' ')) line.pop_back();
    print_line(line);
  }
}

}  // namespace millrace::cli
