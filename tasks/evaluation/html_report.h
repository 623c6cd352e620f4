#pragma once
// HtmlReport: a page for people: headings, words, tables and charts in one file that needs no other. Any text
// is escaped. Legible on light and dark screens and on paper. Deterministic. One thread.

#include <string>
#include <string_view>
#include <vector>

namespace millrace::tasks {

class HtmlReport {
 public:
  explicit HtmlReport(std::string_view title);

  void heading(std::string_view text);
  void paragraph(std::string_view text);
  // A row of figures with their names below: {"rows", "16,281"}.
  void figures(const std::vector<std::pair<std::string, std::string>>& figures);
  struct Row {
    std::vector<std::string> cells;
    bool marked = false;  // what people should look at first
  };
  // Cells that read as numbers stand to the right.
  void table(const std::vector<std::string>& head, const std::vector<Row>& rows);
  // A chart of svg_chart.h; charts that follow each other stand side by side where there is room.
  void chart(std::string_view svg);
  std::string finish();

 private:
  void close_charts();

  std::string html_;
  bool in_charts_ = false;
};

// A number for people: 6 significant digits, "-" when it is not finite.
std::string short_number(double value);
// A share as "12.3 %".
std::string percent(double share);

}  // namespace millrace::tasks
