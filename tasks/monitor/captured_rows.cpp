#include "tasks/monitor/captured_rows.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/encoding.h"
#include "tasks/arguments.h"
#include "tasks/table/csv.h"

namespace millrace::tasks {
namespace {

namespace fs = std::filesystem;

constexpr Millis kHour{3'600'000};

// "2026/11/21/10"
std::string hour_folder(Instant time) {
  std::string text = format_rfc3339(time).substr(0, 13);
  for (char& c : text)
    if (c == '-' || c == 'T') c = '/';
  return text;
}

std::optional<std::string> cell_text(const Json& value) {
  if (value.is_null()) return std::nullopt;
  if (value.is_string()) return value.get<std::string>();
  return value.dump();
}

CapturedCells cells_of(const Json& row) {
  CapturedCells out;
  if (row.is_object()) {
    const auto features = row.find("features");
    if (row.size() == 1 && features != row.end() && (features->is_array() || features->is_object()))
      return cells_of(*features);
    for (const auto& [name, value] : row.items()) {
      out.names.push_back(name);
      out.cells.push_back(cell_text(value));
    }
  } else if (row.is_array()) {
    for (const Json& value : row) out.cells.push_back(cell_text(value));
  } else {
    out.cells.push_back(cell_text(row));
  }
  return out;
}

void add_json_rows(const Json& body, std::vector<CapturedCells>& out) {
  if (body.is_object()) {
    for (const char* list : {"instances", "predictions", "outputs"}) {
      const auto found = body.find(list);
      if (found == body.end() || !found->is_array()) continue;
      for (const Json& row : *found) out.push_back(cells_of(row));
      return;
    }
  }
  const bool rows = body.is_array() && !body.empty() && (body.front().is_array() || body.front().is_object());
  if (!rows) return out.push_back(cells_of(body));
  for (const Json& row : body) out.push_back(cells_of(row));
}

Result<std::vector<CapturedCells>> csv_rows(std::string_view body) {
  CsvOptions options;
  options.header = false;
  options.keep_spelling = true;
  MR_TRY(table, parse_csv(body, "the body", options));
  std::vector<CapturedCells> out(table.rows);
  for (const Column& column : table.columns) {
    const Column texts = as_texts(column);
    for (std::size_t i = 0; i < table.rows; ++i)
      out[i].cells.push_back(is_missing(column, i) ? std::nullopt : std::optional(texts.texts[i]));
  }
  return out;
}

// One side of a captured exchange.
Result<std::vector<CapturedCells>> side_rows(const Json& side) {
  const std::string data = text_at(side, {"data"}), encoding = text_at(side, {"encoding"});
  std::string type = text_at(side, {"observedContentType"});
  if (encoding == "BASE64") {
    const auto bytes = base64_decode(data);
    if (!bytes) return invalid("data is not Base64");
    return rows_of_body(*bytes, type);
  }
  if (encoding == "JSON" && type.find("lines") == std::string::npos) type = "application/json";
  if (encoding == "CSV") type = "text/csv";
  return rows_of_body(data, type);
}

// The folders that hold an hour's objects: below the prefix, and below each of its folders (variants).
std::vector<std::string> hour_folders(const ObjectStore& objects, const std::string& uri, Instant hour,
                                      const std::set<std::string>& left_out) {
  std::vector<std::string> prefixes = {uri}, out;
  const auto folder = objects.path_of(uri);
  std::error_code code;
  if (folder) {
    for (fs::directory_iterator at(*folder, code), end; !code && at != end; at.increment(code))
      if (at->is_directory(code) && !left_out.contains(at->path().filename().string()))
        prefixes.push_back(join_uri(uri, at->path().filename().string()));
  }
  std::sort(prefixes.begin() + 1, prefixes.end());
  for (const std::string& prefix : prefixes) {
    std::string place = join_uri(prefix, hour_folder(hour));
    const auto path = objects.path_of(place);
    if (path && fs::is_directory(*path, code)) out.push_back(place + "/");
  }
  return out;
}

// "2026/11/21/10" of [VARIANT/]2026/11/21/10/object; empty: the key is another one, or of a variant left out.
std::string hour_of_key(std::string_view below, const std::set<std::string>& left_out) {
  std::vector<std::string> parts(1);
  for (const char c : below) {
    if (c == '/')
      parts.emplace_back();
    else
      parts.back() += c;
  }
  const std::size_t first = parts.size() == 6 ? 1 : 0;
  if (parts.size() - first != 5 || (first == 1 && left_out.contains(parts[0]))) return {};
  return parts[first] + "/" + parts[first + 1] + "/" + parts[first + 2] + "/" + parts[first + 3];
}

// Objects of the span's hours. Folders are looked into hour by hour; of a bucket that has none (of another
// store) everything below the prefix is listed.
Result<std::vector<std::string>> objects_of_span(const ObjectStore& objects, const std::string& uri,
                                                 Instant first, Instant until,
                                                 const std::set<std::string>& left_out) {
  MR_TRY(place, parse_s3_uri(uri));
  std::vector<std::string> out;
  const auto add = [&](const std::string& folder,
                       const std::function<bool(const std::string& key)>& wanted) -> Status {
    const auto listed = objects.list(folder);
    if (!listed && listed.error().code == ErrorCode::NotFound) return {};
    if (!listed) return fail(listed.error());
    for (const ObjectInfo& object : *listed)
      if (wanted(object.key)) out.push_back(S3Uri{place.bucket, object.key}.text());
    return {};
  };
  std::set<std::string> hours;
  for (Instant hour = first; hour < until; hour += kHour) hours.insert(hour_folder(hour));
  const auto folder = objects.path_of(uri);
  if (!folder && folder.error().code == ErrorCode::InvalidArgument) {
    const std::string prefix = parse_s3_uri(join_uri(uri, ""))->key;
    MR_DO(add(join_uri(uri, ""), [&](const std::string& key) {
      return hours.contains(
          hour_of_key(std::string_view(key).substr(std::min(prefix.size(), key.size())), left_out));
    }));
    return out;
  }
  for (Instant hour = first; hour < until; hour += kHour)
    for (const std::string& place_of_hour : hour_folders(objects, uri, hour, left_out))
      MR_DO(add(place_of_hour, [](const std::string&) { return true; }));
  return out;
}

// Every line of the span's objects.
Status for_lines(const ObjectStore& objects, const std::string& uri, const TimeSpan& span,
                 const std::set<std::string>& left_out, const std::function<Status(const Json&)>& take) {
  if (span.from >= span.until)
    return invalid("the span from " + format_rfc3339(span.from) + " to " + format_rfc3339(span.until) +
                   " is empty");
  const Instant first = std::chrono::floor<std::chrono::hours>(span.from);
  if ((span.until - first) / kHour > kSpanHoursMax)
    return invalid("the span from " + format_rfc3339(span.from) + " to " + format_rfc3339(span.until) +
                   " is longer than " + std::to_string(kSpanHoursMax / 24) + " days");
  MR_TRY(found, objects_of_span(objects, uri, first, span.until, left_out));
  for (const std::string& object : found) {
    MR_TRY(text, objects.read(object));
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t end = std::min(text.find('\n', at), text.size());
      const std::string_view line(text.data() + at, end - at);
      at = end + 1;
      if (line.find_first_not_of(" \t\r") != std::string_view::npos)
        MR_DO(take(Json::parse(line, nullptr, false)));
    }
  }
  return {};
}

std::string request_id_of(const Json& event) {
  std::string id = text_at(event, {"eventMetadata", "inferenceId"});
  return id.empty() ? text_at(event, {"eventMetadata", "eventId"}) : id;
}

}  // namespace

std::string cell_name(const Json& value) {
  return cell_text(value).value_or("");
}

const std::optional<std::string>* CapturedCells::find(const std::string& name_or_place) const {
  const auto named = std::find(names.begin(), names.end(), name_or_place);
  if (named != names.end()) return &cells[static_cast<std::size_t>(named - names.begin())];
  std::size_t place = 0;
  const char* end = name_or_place.data() + name_or_place.size();
  const auto [stop, error] = std::from_chars(name_or_place.data(), end, place);
  return error == std::errc() && stop == end && place < cells.size() ? &cells[place] : nullptr;
}

Result<std::vector<CapturedCells>> rows_of_body(std::string_view body, std::string_view content_type) {
  const std::string_view type = content_type.substr(0, content_type.find_first_of("; "));
  std::vector<CapturedCells> out;
  if (type == "text/csv") return csv_rows(body);
  if (type == "application/json") {
    const Json parsed = Json::parse(body, nullptr, false);
    if (parsed.is_discarded()) return invalid("the body is no JSON");
    add_json_rows(parsed, out);
    return out;
  }
  if (type != "application/jsonlines" && type != "application/x-jsonlines")
    return invalid("\"" + std::string(content_type.substr(0, 80)) + "\" has no rows",
                   "types: text/csv, application/json, application/jsonlines");
  for (std::size_t at = 0; at < body.size();) {
    const std::size_t end = std::min(body.find('\n', at), body.size());
    const std::string_view line = body.substr(at, end - at);
    at = end + 1;
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    const Json parsed = Json::parse(line, nullptr, false);
    if (parsed.is_discarded()) return invalid("a line of the body is no JSON");
    out.push_back(cells_of(parsed));
  }
  return out;
}

Result<CaptureTally> read_captured(const ObjectStore& objects, const std::string& uri, const TimeSpan& span,
                                   std::int64_t rows_max,
                                   const std::function<Status(const CapturedRow&)>& take,
                                   const std::set<std::string>& variants_left_out) {
  CaptureTally tally;
  const Status read = for_lines(objects, uri, span, variants_left_out, [&](const Json& event) -> Status {
    const auto time = parse_rfc3339(text_at(event, {"eventMetadata", "inferenceTime"}));
    const Json* data = event.is_object() && event.contains("captureData") ? &event["captureData"] : nullptr;
    if (!time || !data || !data->is_object()) {
      ++tally.unreadable;
      return {};
    }
    if (*time < span.from || *time >= span.until) return {};
    ++tally.requests;
    const auto rows = side_rows(data->value("endpointInput", Json::object()));
    const auto answers = side_rows(data->value("endpointOutput", Json::object()));
    if (!rows) {
      ++tally.unreadable;
      return {};
    }
    CapturedRow row;
    row.id = request_id_of(event);
    const bool answered = answers && answers->size() == rows->size();
    for (row.place = 0; row.place < rows->size(); ++row.place) {
      if (++tally.rows > rows_max)
        return fail(ErrorCode::LimitExceeded, "more than " + std::to_string(rows_max) + " rows were captured",
                    "check shorter spans, capture fewer (InitialSamplingPercentage), or set rows_max higher");
      row.input = (*rows)[row.place];
      row.output = answered ? (*answers)[row.place] : CapturedCells();
      MR_DO(take(row));
    }
    return {};
  });
  if (!read) return fail(read.error());
  return tally;
}

Result<GroundTruth> read_ground_truth(const ObjectStore& objects, const std::string& uri,
                                      const TimeSpan& span) {
  GroundTruth out;
  MR_DO(for_lines(objects, uri, span, {}, [&](const Json& event) -> Status {
    const std::string id = text_at(event, {"eventMetadata", "eventId"});
    if (id.empty() || !event.contains("groundTruthData")) return {};
    Json side = event["groundTruthData"];
    if (side.is_object() && !side.contains("encoding")) side["encoding"] = "CSV";
    const auto rows = side_rows(side);
    if (!rows) return {};
    std::vector<std::string> labels;
    for (const CapturedCells& row : *rows)
      labels.push_back(row.cells.empty() ? std::string() : row.cells.front().value_or(""));
    out[id] = std::move(labels);
    return {};
  }));
  return out;
}

}  // namespace millrace::tasks
