#include "tasks/recommend/interactions.h"

#include <algorithm>
#include <cmath>

#include "tasks/table/csv.h"

namespace millrace::tasks {
namespace {

std::string lower_name(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
  return out;
}

// Columns of a file by the names of a job; null: not there.
struct EventColumns {
  const Column *user = nullptr, *item = nullptr, *time = nullptr, *value = nullptr;
  std::vector<const Column*> context;
};

Result<Table> parse_events(std::string_view text, std::string_view name, const InteractionColumns& columns) {
  CsvOptions options;
  options.header = false;
  MR_TRY(head, parse_csv(first_csv_record(text), name, options));
  options.header = true;
  options.missing = {""};
  // The types of the columns, by the spelling that the file has.
  for (const Column& cell : head.columns) {
    const std::string spelled = as_texts(cell).texts.at(0), lower = lower_name(spelled);
    const bool number = lower == lower_name(columns.time) || lower == lower_name(columns.value);
    options.types.emplace_back(spelled, number ? Column::Type::Number : Column::Type::Text);
  }
  return parse_csv(text, name, options);
}

const Column* find_column(const Table& table, std::string_view name) {
  const std::string wanted = lower_name(name);
  for (const Column& column : table.columns)
    if (lower_name(column.name) == wanted) return &column;
  return nullptr;
}

Result<EventColumns> find_columns(const Table& table, std::string_view name,
                                  const InteractionColumns& columns) {
  EventColumns found{find_column(table, columns.user),
                     find_column(table, columns.item),
                     find_column(table, columns.time),
                     find_column(table, columns.value),
                     {}};
  const auto missing = [&](const std::string& column) {
    std::string known;
    for (const std::string& other : table.names()) known += (known.empty() ? "" : ", ") + other;
    return invalid(std::string(name) + ": there is no column '" + column + "'",
                   "the columns are " + known.substr(0, 400) +
                       "; user_column, item_column, timestamp_column and value_column name others");
  };
  if (found.user == nullptr) return missing(columns.user);
  if (found.item == nullptr) return missing(columns.item);
  if (found.value == nullptr && columns.value_required) return missing(columns.value);
  for (const std::string& context : columns.context) {
    found.context.push_back(find_column(table, context));
    if (found.context.back() == nullptr) return missing(context);
  }
  return found;
}

void sort_names(std::vector<std::string>& names) {
  std::ranges::sort(names);
  names.erase(std::ranges::unique(names).begin(), names.end());
}

}  // namespace

Result<Interactions> read_interactions(const ObjectChannel& channel, const InteractionColumns& columns) {
  Interactions out;
  out.context.resize(columns.context.size());
  std::vector<std::string> users, items;  // by event
  for (const ObjectChannel::Object& object : channel.objects) {
    MR_TRY(table, parse_events(object.bytes, object.name, columns));
    MR_TRY(found, find_columns(table, object.name, columns));
    for (std::size_t i = 0; i < table.rows; ++i) {
      const auto wrong = [&](const Column& column, const char* what) {
        return invalid(object.name + ": row " + std::to_string(i + 1) + ", column '" + column.name +
                       "': " + what);
      };
      if (found.user->missing[i]) return wrong(*found.user, "the value is missing");
      if (found.item->missing[i]) return wrong(*found.item, "the value is missing");
      Interaction event;
      if (found.time != nullptr) event.time = found.time->numbers[i];
      if (found.value != nullptr) event.value = found.value->numbers[i];
      if (!std::isfinite(event.time)) return wrong(*found.time, "the time is missing or not finite");
      if (std::isnan(event.value) && !columns.value_required) event.value = 1;
      if (!std::isfinite(event.value)) return wrong(*found.value, "the value is missing or not finite");
      out.events.push_back(event);
      users.push_back(found.user->texts[i]), items.push_back(found.item->texts[i]);
      for (std::size_t c = 0; c < found.context.size(); ++c)
        out.context[c].push_back(found.context[c]->texts[i]);
    }
    if (out.events.size() > kInteractionsMax)
      return fail(ErrorCode::LimitExceeded,
                  channel.name + ": more than " + std::to_string(kInteractionsMax) + " rows");
  }
  if (out.events.empty()) return invalid(channel.name + ": there are no rows");
  out.users = users, out.items = items;
  sort_names(out.users), sort_names(out.items);
  for (std::size_t i = 0; i < out.events.size(); ++i) {
    out.events[i].user = static_cast<std::uint32_t>(place_of(out.users, users[i]));
    out.events[i].item = static_cast<std::uint32_t>(place_of(out.items, items[i]));
  }
  return out;
}

Result<PairRows> read_pairs(std::string_view csv, std::string_view name, const InteractionColumns& columns) {
  MR_TRY(table, parse_events(csv, name, columns));
  InteractionColumns wanted = columns;
  wanted.value_required = false;
  MR_TRY(found, find_columns(table, name, wanted));
  PairRows rows{found.user->texts, found.item->texts, {}};
  for (const Column* context : found.context) rows.context.push_back(context->texts);
  return rows;
}

std::int64_t place_of(const std::vector<std::string>& sorted, std::string_view name) {
  const auto found = std::ranges::lower_bound(sorted, name);
  return found == sorted.end() || *found != name ? -1 : found - sorted.begin();
}

}  // namespace millrace::tasks
