#include "definitions/jsonata/unit_set.h"

#include <algorithm>
#include <cstdio>

#include "definitions/jsonata/case_mapping.h"

namespace millrace::definitions::jsonata {

const UnitSet& UnitSet::digits() {
  static const UnitSet set{{u'0', u'9'}};
  return set;
}

const UnitSet& UnitSet::word() {
  static const UnitSet set{{u'0', u'9'}, {u'A', u'Z'}, {u'_', u'_'}, {u'a', u'z'}};
  return set;
}

const UnitSet& UnitSet::white_space() {
  static const UnitSet set{{0x09, 0x0D},     {0x20, 0x20},     {0xA0, 0xA0},     {0x1680, 0x1680},
                           {0x2000, 0x200A}, {0x2028, 0x2029}, {0x202F, 0x202F}, {0x205F, 0x205F},
                           {0x3000, 0x3000}, {0xFEFF, 0xFEFF}};
  return set;
}

const UnitSet& UnitSet::line_terminators() {
  static const UnitSet set{{u'\n', u'\n'}, {u'\r', u'\r'}, {0x2028, 0x2029}};
  return set;
}

UnitSet& UnitSet::add(char16_t first, char16_t last) {
  ranges_.emplace_back(first, last);
  return *this;
}

UnitSet& UnitSet::add(const UnitSet& other) {
  ranges_.insert(ranges_.end(), other.ranges_.begin(), other.ranges_.end());
  return *this;
}

std::vector<std::pair<char16_t, char16_t>> UnitSet::merged() const {
  auto sorted = ranges_;
  std::sort(sorted.begin(), sorted.end());
  std::vector<std::pair<char16_t, char16_t>> out;
  for (const auto& [first, last] : sorted) {
    if (!out.empty() && first <= out.back().second + 1) {
      out.back().second = std::max(out.back().second, last);
    } else {
      out.emplace_back(first, last);
    }
  }
  return out;
}

UnitSet UnitSet::complement() const {
  UnitSet out;
  unsigned next = 0;
  for (const auto& [first, last] : merged()) {
    if (first > next) out.add(static_cast<char16_t>(next), static_cast<char16_t>(first - 1));
    next = last + 1u;
  }
  if (next <= 0xFFFF) out.add(static_cast<char16_t>(next), 0xFFFF);
  return out;
}

UnitSet UnitSet::without_case() const {
  UnitSet out;
  for (const auto& [first, last] : merged()) {
    out.add(first, last);
    if (first == 0 && last == 0xFFFF) continue;
    for (unsigned c = first; c <= last; ++c) {
      for (const char16_t same : same_without_case(static_cast<char16_t>(c))) {
        if (same < first || same > last) out.add(same, same);
      }
    }
  }
  return out;
}

std::string UnitSet::pattern() const {
  const auto ranges = merged();
  if (ranges.empty()) return "(?!)";
  std::string out = "[";
  char buffer[32];
  for (const auto& [first, last] : ranges) {
    std::snprintf(buffer, sizeof buffer, first == last ? "\\x{%x}" : "\\x{%x}-\\x{%x}", unsigned{first},
                  unsigned{last});
    out += buffer;
  }
  return out + "]";
}

}  // namespace millrace::definitions::jsonata
