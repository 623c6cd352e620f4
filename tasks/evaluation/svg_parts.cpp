#include "tasks/evaluation/svg_parts.h"

#include <charconv>

#include "base/encoding.h"
#include "base/utf8.h"

namespace millrace::tasks::svg {
namespace {

// Okabe and Ito's palette (2008), darkened for white paper and lightened for dark screens.
constexpr std::string_view kSvgStyle = R"(<style>
.mr-bg{fill:#ffffff}.mr-text{fill:#24292f;font:13px system-ui,sans-serif}.mr-title{font-size:15px;font-weight:600}
.mr-tick{font-size:12px;fill:#57606a}.mr-grid{stroke:#d0d7de;stroke-width:1}.mr-axis{stroke:#57606a;stroke-width:1;fill:none}
.mr-line{fill:none;stroke-width:2;stroke-linejoin:round}.mr-faint{stroke:#8c959f;stroke-width:1.5;stroke-dasharray:5 4}
.mr-s0{stroke:#0062a8}.mr-s1{stroke:#c44e00}.mr-s2{stroke:#00785a}.mr-s3{stroke:#a8497f}.mr-s4{stroke:#8a6d00}.mr-s5{stroke:#3b3b98}
.mr-f0{fill:#0062a8}.mr-f1{fill:#c44e00}.mr-f2{fill:#00785a}.mr-f3{fill:#a8497f}.mr-f4{fill:#8a6d00}.mr-f5{fill:#3b3b98}
.mr-point{fill-opacity:.55}.mr-bar{fill-opacity:.75}.mr-on{fill:#ffffff}
@media (prefers-color-scheme:dark){
.mr-bg{fill:#0d1117}.mr-text{fill:#e6edf3}.mr-tick{fill:#9da7b3}.mr-grid{stroke:#30363d}.mr-axis{stroke:#9da7b3}.mr-faint{stroke:#7d8590}
.mr-s0{stroke:#58b0f5}.mr-s1{stroke:#f59a4c}.mr-s2{stroke:#3fc79a}.mr-s3{stroke:#e08fc0}.mr-s4{stroke:#e3c341}.mr-s5{stroke:#a5a5f5}
.mr-f0{fill:#58b0f5}.mr-f1{fill:#f59a4c}.mr-f2{fill:#3fc79a}.mr-f3{fill:#e08fc0}.mr-f4{fill:#e3c341}.mr-f5{fill:#a5a5f5}
.mr-on{fill:#0d1117}}
</style>
)";

}  // namespace

std::string px(double value) {
  char buffer[32];
  const double rounded = std::round(value * 100) / 100 + 0.0;
  return std::string(buffer, std::to_chars(buffer, buffer + sizeof buffer, rounded).ptr);
}

std::string number_label(double value) {
  char buffer[32];
  return std::string(buffer,
                     std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::general, 6).ptr);
}

std::string text(double x, double y, std::string_view words, std::string_view classes,
                 std::string_view anchor, std::string_view more) {
  return "<text x=\"" + px(x) + "\" y=\"" + px(y) + "\" class=\"mr-text " + std::string(classes) +
         "\" text-anchor=\"" + std::string(anchor) + "\"" + std::string(more) + ">" + escape_xml(words) +
         "</text>\n";
}
std::string upright_text(double x, double y, std::string_view words) {
  return text(x, y, words, "", "middle", " transform=\"rotate(-90 " + px(x) + " " + px(y) + ")\"");
}

std::string line(double x1, double y1, double x2, double y2, std::string_view classes) {
  return "<line x1=\"" + px(x1) + "\" y1=\"" + px(y1) + "\" x2=\"" + px(x2) + "\" y2=\"" + px(y2) +
         "\" class=\"" + std::string(classes) + "\"/>\n";
}

std::string rectangle(double x, double y, double width, double height, std::string_view classes,
                      std::string_view more) {
  return "<rect x=\"" + px(x) + "\" y=\"" + px(y) + "\" width=\"" + px(width) + "\" height=\"" + px(height) +
         "\" class=\"" + std::string(classes) + "\"" + std::string(more) + "/>\n";
}

std::string page(double width, double height, std::string_view title) {
  return "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 " + px(width) + " " + px(height) +
         "\" width=\"" + px(width) + "\" height=\"" + px(height) + "\" role=\"img\" aria-label=\"" +
         escape_xml(title) + "\">\n<title>" + escape_xml(title) + "</title>\n" + std::string(kSvgStyle) +
         "<rect class=\"mr-bg\" width=\"100%\" height=\"100%\"/>\n" +
         text(16, 26, title, "mr-title", "start");
}

std::vector<double> Axis::ticks() const {
  std::vector<double> out;
  if (log && high - low >= 1.5 && high - low < 4) {
    for (double e = std::floor(low); e <= high; ++e) {
      for (const double digit : {1.0, 2.0, 5.0}) {
        const double place = e + std::log10(digit);
        if (place >= low - 1e-9 && place <= high + 1e-9) out.push_back(digit * std::pow(10, e));
      }
    }
    return out;
  }
  if (log && high - low >= 1.5) {
    const double step = std::ceil((high - low) / 8);
    for (double e = std::ceil(low - 1e-9); e <= high + 1e-9; e += step) out.push_back(std::pow(10, e));
    return out;
  }
  const double bottom = log ? std::pow(10, low) : low, top = log ? std::pow(10, high) : high;
  const double rough = (top - bottom) / 6, power = std::pow(10, std::floor(std::log10(rough)));
  const double step = power * (rough / power < 1.5   ? 1
                               : rough / power < 3.5 ? 2
                               : rough / power < 7.5 ? 5
                                                     : 10);
  const double first = std::ceil(bottom / step - 1e-9);
  for (int i = 0; i <= 12 && (first + i) * step <= top + step * 1e-9; ++i) out.push_back((first + i) * step);
  return out;
}

std::string shortened(std::string_view label, std::size_t characters) {
  if (!valid_utf8(label) || count_code_points(label) <= characters) return std::string(label);
  return std::string(first_code_points(label, characters - 1)) + "…";
}

}  // namespace millrace::tasks::svg
