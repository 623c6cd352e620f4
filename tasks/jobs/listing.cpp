#include "tasks/jobs/listing.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/encoding.h"
#include "base/random.h"
#include "base/time.h"

namespace millrace::tasks {
namespace {

constexpr std::int64_t kPageMax = 1000, kPageUsual = 100;

Json member_key(const Json& record, const std::string& member) {
  const auto found = record.find(member);
  return found == record.end() ? Json() : *found;
}

// Missing values come first, numbers before texts; then by number of creation.
bool key_less(const Json& a, const Json& b) {
  const auto rank = [](const Json& key) { return key.is_null() ? 0 : key.is_number() ? 1 : 2; };
  if (rank(a) != rank(b)) return rank(a) < rank(b);
  if (a.is_number()) return a.get<double>() < b.get<double>();
  if (a.is_string() && b.is_string())
    return a.get_ref<const std::string&>() < b.get_ref<const std::string&>();
  return false;
}

struct Position {
  Json key;
  std::int64_t number = 0;
};

bool position_less(const Position& a, const Position& b) {
  if (key_less(a.key, b.key)) return true;
  return !key_less(b.key, a.key) && a.number < b.number;
}

// Everything that a token's list depends on: with other filters or another order it is another list.
std::string fingerprint(const Arguments& arguments) {
  Json asked = Json::object();
  std::vector<std::string> names;
  for (const auto& [key, value] : arguments.json().items())
    if (key != "NextToken" && key != "MaxResults" && !value.is_null()) names.push_back(key);
  std::sort(names.begin(), names.end());
  for (const std::string& name : names) asked[name] = arguments.json()[name];
  return std::to_string(hash64(to_payload(asked).text()));
}

std::string token_of(const Position& position, const std::string& list) {
  return base64_encode(to_payload(Json{{"k", position.key}, {"n", position.number}, {"l", list}}).text());
}

Result<std::optional<Position>> position_in(const Arguments& arguments, const std::string& list) {
  MR_TRY(token, arguments.text_or("NextToken", ""));
  if (token.empty()) return std::optional<Position>();
  const Json read = Json::parse(base64_decode(token).value_or(""), nullptr, false);
  const bool good = read.is_object() && read.contains("k") && read.contains("n") &&
                    read["n"].is_number_integer() && text_at(read, {"l"}) == list;
  if (!good)
    return arguments.wrong("NextToken", "is not of this list",
                           "give the token of the page before, with the same filters and order");
  return std::optional<Position>(Position{read["k"], read["n"].get<std::int64_t>()});
}

}  // namespace

Result<std::optional<std::int64_t>> time_argument(const Arguments& arguments, std::string_view key) {
  if (!arguments.has(key)) return std::optional<std::int64_t>();
  const Json& value = *arguments.json().find(std::string(key));
  if (value.is_string()) {
    const auto instant = parse_rfc3339(value.get<std::string>());
    if (instant) return std::optional<std::int64_t>(to_millis(*instant));
  }
  if (value.is_number() && value.get<double>() >= 0 && value.get<double>() < 1e11)
    return std::optional<std::int64_t>(std::llround(value.get<double>() * 1000));
  return arguments.wrong(key, "expected a time: seconds since 1970, or RFC 3339");
}

Result<ListFilter> ListFilter::read(const EntityKind& entity, const Arguments& arguments) {
  ListFilter filter;
  filter.name_field_ = name_field(entity);
  filter.status_field_ = std::string(entity.kind) + "Status";
  MR_TRY(contains, arguments.text_or("NameContains", ""));
  MR_TRY(status, arguments.text_or("StatusEquals", ""));
  filter.contains_ = std::move(contains), filter.status_ = std::move(status);
  constexpr std::pair<std::string_view, std::string_view> kRanges[] = {
      {"CreationTime", "CreationTime"},
      {"Created", "CreationTime"},
      {"LastModifiedTime", "LastModifiedTime"}};
  for (const auto& [prefix, field] : kRanges) {
    MR_TRY(after, time_argument(arguments, std::string(prefix) + "After"));
    MR_TRY(before, time_argument(arguments, std::string(prefix) + "Before"));
    if (after || before) filter.ranges_.push_back({field, after, before});
  }
  return filter;
}

bool ListFilter::fits(const Json& record) const {
  if (text_in(record, name_field_).find(contains_) == std::string::npos) return false;
  if (!status_.empty() && text_in(record, status_field_) != status_) return false;
  return std::all_of(ranges_.begin(), ranges_.end(), [&](const Range& range) {
    const Json at = member_key(record, std::string(range.field));
    if (!at.is_number()) return false;
    const auto time = at.get<std::int64_t>();
    return (!range.after || time >= *range.after) && (!range.before || time <= *range.before);
  });
}

std::vector<SortKey> usual_sort_keys(const EntityKind& entity) {
  return {{"CreationTime", "CreationTime"},
          {"Name", name_field(entity)},
          {"LastModifiedTime", "LastModifiedTime"},
          {"Status", std::string(entity.kind) + "Status"}};
}

Result<Page> page_of(std::vector<Jobs::Record> records, const Arguments& arguments,
                     const std::vector<SortKey>& keys, const KeyOf& key_of) {
  MR_TRY(sort_by, arguments.text_or("SortBy", keys.front().first));
  MR_TRY(order, arguments.text_or("SortOrder", "Descending"));
  MR_DO(arguments.one_of("SortOrder", order, "Ascending|Descending"));
  MR_TRY(limit, arguments.integer_or("MaxResults", kPageUsual));
  if (limit < 1 || limit > kPageMax) return arguments.wrong("MaxResults", "must be from 1 to 1000");
  const auto key =
      std::find_if(keys.begin(), keys.end(), [&](const SortKey& k) { return k.first == sort_by; });
  if (key == keys.end()) {
    std::string names;
    for (const SortKey& k : keys) names += (names.empty() ? "" : ", ") + std::string(k.first);
    return arguments.wrong("SortBy", "\"" + sort_by + "\" is none of " + names);
  }
  const std::string list = fingerprint(arguments);
  MR_TRY(after, position_in(arguments, list));
  std::vector<std::pair<Position, Json*>> ordered;
  for (Jobs::Record& record : records)
    ordered.push_back(
        {{key_of ? key_of(record.document, key->second) : member_key(record.document, key->second),
          record.number},
         &record.document});
  const bool ascending = order == "Ascending";
  const auto before = [&](const Position& a, const Position& b) {
    return ascending ? position_less(a, b) : position_less(b, a);
  };
  std::sort(ordered.begin(), ordered.end(),
            [&](const auto& a, const auto& b) { return before(a.first, b.first); });
  Page page;
  page.hits = ordered.size();
  const Position* last = nullptr;
  for (const auto& [position, document] : ordered) {
    if (after && !before(*after, position)) continue;
    if (page.records.size() == static_cast<std::size_t>(limit)) {
      page.next_token = token_of(*last, list);
      break;
    }
    page.records.push_back(std::move(*document));
    last = &position;
  }
  return page;
}

Json page_answer(std::string_view list_field, const Page& page,
                 const std::function<Json(const Json&)>& summary) {
  Json list = Json::array();
  for (const Json& record : page.records) list.push_back(summary(record));
  Json answer = Json{{std::string(list_field), std::move(list)}};
  if (!page.next_token.empty()) answer["NextToken"] = page.next_token;
  return answer;
}

}  // namespace millrace::tasks
