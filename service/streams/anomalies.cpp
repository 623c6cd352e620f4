#include "service/streams/anomalies.h"

#include <charconv>
#include <cmath>

namespace millrace::streams {
namespace {

// "a.b": b inside a; a member whose own name has dots goes first.
std::optional<double> field_of(JsonView body, std::string_view path) {
  JsonView at = body;
  while (at && at.is_object()) {
    if (const JsonView whole = at.find(path)) {
      if (!whole.is_number() || !std::isfinite(whole.number())) return std::nullopt;
      return whole.number();
    }
    const std::size_t dot = path.find('.');
    if (dot == std::string_view::npos) return std::nullopt;
    at = at.find(path.substr(0, dot));
    path.remove_prefix(dot + 1);
  }
  return std::nullopt;
}

double rounded(double value) {
  return std::round(value * 1e6) / 1e6;
}

}  // namespace

std::optional<Item> Anomalies::look_at(const Item& item) {
  std::vector<double> row;
  for (const std::string& field : plan_.fields) {
    const auto value = field_of(item.body.view(), field);
    if (!value) return std::nullopt;
    row.push_back(*value);
  }
  const tasks::PointScore score = forest_.add(row);
  if (!score.anomaly) return std::nullopt;
  JsonWriter out;
  out.begin_object();
  for (const auto [key, value] : item.event.view().members()) out.key(key).value(value);
  out.key("anomaly").begin_object();
  out.key("score").number(rounded(score.score)).key("threshold").number(rounded(score.threshold));
  out.key("attribution").begin_object();
  for (std::size_t i = 0; i < plan_.fields.size(); ++i)
    out.key(plan_.fields[i]).number(rounded(score.by_field[i]));
  out.end_object().key("values").begin_object();
  for (std::size_t i = 0; i < plan_.fields.size(); ++i) out.key(plan_.fields[i]).number(row[i]);
  out.end_object().end_object().end_object();
  Item found = item;
  found.event = out.finish();
  return found;
}

std::string Anomalies::save(std::int64_t position) const {
  return std::to_string(position) + "\n" + forest_.save();
}

Result<std::int64_t> Anomalies::load(std::string_view bytes) {
  const std::size_t line = bytes.find('\n');
  std::int64_t position = 0;
  if (line == std::string_view::npos ||
      std::from_chars(bytes.data(), bytes.data() + line, position).ec != std::errc())
    return fail(ErrorCode::DataLoss, "the saved state of a forest can't be used");
  MR_TRY(forest, tasks::StreamForest::load(plan_.settings, bytes.substr(line + 1)));
  forest_ = std::move(forest);
  return position;
}

}  // namespace millrace::streams
