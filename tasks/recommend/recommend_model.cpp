#include "tasks/recommend/recommend_model.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <numeric>

#include "tasks/recommend/recommend.h"
#include "tasks/table/table.h"
#include "tasks/training/model_texts.h"

namespace millrace::tasks {
namespace {

constexpr std::string_view kRecommendMagic = "MRRC";
constexpr std::uint8_t kRecommendVersion = 2, kRecommendFirstVersion = 1;  // the first knows no events
constexpr std::size_t kEventsMax = 10'000;                                 // of a request
constexpr std::int64_t kResultsDefault = 25, kResultsMax = 10'000;

double dot(const float* a, const float* b, std::size_t count) {
  double sum = 0;
  for (std::size_t j = 0; j < count; ++j) sum += static_cast<double>(a[j]) * static_cast<double>(b[j]);
  return sum;
}

Result<std::vector<std::string>> text_list(const Json& list, const std::string& where) {
  if (!list.is_array()) return invalid(where + ": expected a list of texts");
  std::vector<std::string> texts;
  for (const Json& text : list) {
    if (!text.is_string()) return invalid(where + "[" + std::to_string(texts.size()) + "]: expected a text");
    texts.push_back(text.get<std::string>());
  }
  return texts;
}

// An id as a text; users write numbers as well.
Result<std::string> id_of(const Json& value, const std::string& where) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_number_integer()) return value.dump();
  return invalid(where + ": expected a text, got " + value.dump().substr(0, 60));
}

}  // namespace

struct RecommendModel::Ranked {
  std::vector<std::uint32_t> items;
  std::vector<double> scores;                          // by place
  std::vector<std::pair<std::string, double>> listed;  // of an inputList, instead
  bool ranking = false;
};

RecommendModel::RecommendModel(RecommendState state)
    : state_(std::move(state)),
      gram_(state_.alpha >= 0 ? shared_gram(state_.factors, state_.regularization) : std::vector<double>()) {}

// What the model knows of the user and the events together.
RecommendModel::Events RecommendModel::with_seen(std::int64_t user, const Events& events) const {
  std::map<std::uint32_t, double> sums(events.begin(), events.end());
  if (user >= 0) {
    const std::size_t place = static_cast<std::size_t>(user);
    for (std::size_t at = state_.seen.begin[place]; at < state_.seen.begin[place + 1]; ++at)
      sums[state_.seen.columns[at]] += state_.seen.values[at];
  }
  return {sums.begin(), sums.end()};
}

std::vector<double> RecommendModel::user_scores(std::int64_t user, const std::vector<std::string>& context,
                                                const Events& events) const {
  const std::size_t items = state_.items.size(), k = state_.factors.count;
  if (state_.ratings) {
    std::vector<double> scores(items);
    const std::string name = user < 0 ? "" : state_.users[static_cast<std::size_t>(user)];
    for (std::size_t i = 0; i < items; ++i) scores[i] = pair_score(name, state_.items[i], context);
    return scores;
  }
  if ((user < 0 && events.empty()) || state_.algorithm == "popularity-count") return state_.popularity;
  std::vector<double> scores(items, 0.0);
  if (state_.algorithm == "als") {
    const std::vector<float> folded =
        events.empty() ? std::vector<float>()
                       : fold_in(state_.factors, gram_, state_.alpha, with_seen(user, events));
    const float* of_user =
        events.empty() ? state_.factors.users.data() + static_cast<std::size_t>(user) * k : folded.data();
    for (std::size_t i = 0; i < items; ++i) scores[i] = dot(of_user, state_.factors.items.data() + i * k, k);
    return scores;
  }
  for (const auto& [item, value] : with_seen(user, events))
    for (std::size_t n = state_.neighbours.begin[item]; n < state_.neighbours.begin[item + 1]; ++n)
      scores[state_.neighbours.items[n]] += static_cast<double>(state_.neighbours.similarities[n]);
  return scores;
}

std::vector<double> RecommendModel::item_scores(std::int64_t item) const {
  const std::size_t items = state_.items.size(), k = state_.factors.count;
  if (item < 0 || state_.algorithm == "popularity-count") return state_.popularity;
  const std::size_t place = static_cast<std::size_t>(item);
  std::vector<double> scores(items, 0.0);
  if (state_.algorithm != "als") {
    for (std::size_t n = state_.neighbours.begin[place]; n < state_.neighbours.begin[place + 1]; ++n)
      scores[state_.neighbours.items[n]] = static_cast<double>(state_.neighbours.similarities[n]);
    return scores;
  }
  const float* of_item = state_.factors.items.data() + place * k;
  const double length = std::sqrt(dot(of_item, of_item, k));
  for (std::size_t i = 0; i < items; ++i) {
    const float* other = state_.factors.items.data() + i * k;
    const double both = length * std::sqrt(dot(other, other, k));
    scores[i] = both > 0 ? dot(of_item, other, k) / both : 0;
  }
  return scores;
}

double RecommendModel::pair_score(std::string_view user, std::string_view item,
                                  const std::vector<std::string>& context) const {
  const std::int64_t u = place_of(state_.users, user), i = place_of(state_.items, item);
  const std::size_t k = state_.factors.count;
  double score = 0;
  if (k > 0 && u >= 0 && i >= 0)
    score = dot(state_.factors.users.data() + static_cast<std::size_t>(u) * k,
                state_.factors.items.data() + static_cast<std::size_t>(i) * k, k);
  if (state_.ratings)
    return std::clamp(score + rating_of(state_.effects, user, item, context), state_.effects.low,
                      state_.effects.high);
  if (i < 0) return 0;
  if (u < 0) return state_.popularity[static_cast<std::size_t>(i)];
  return state_.algorithm == "als" ? score : user_scores(u)[static_cast<std::size_t>(i)];
}

std::vector<std::uint32_t> RecommendModel::best_items(const std::vector<double>& scores,
                                                      const std::vector<bool>& allowed, std::size_t count) {
  std::vector<std::uint32_t> order;
  for (std::size_t i = 0; i < scores.size(); ++i)
    if (allowed[i]) order.push_back(static_cast<std::uint32_t>(i));
  count = std::min(count, order.size());
  std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(count), order.end(),
                    [&](std::uint32_t a, std::uint32_t b) {
                      return scores[a] != scores[b] ? scores[a] > scores[b] : a < b;
                    });
  order.resize(count);
  return order;
}

std::vector<bool> RecommendModel::unseen_items(std::int64_t user) const {
  std::vector<bool> allowed(state_.items.size(), true);
  if (user < 0) return allowed;
  const std::size_t place = static_cast<std::size_t>(user);
  for (std::size_t at = state_.seen.begin[place]; at < state_.seen.begin[place + 1]; ++at)
    allowed[state_.seen.columns[at]] = false;
  return allowed;
}

// Items that the model does not know are left out: nothing is known of them.
Result<RecommendModel::Events> RecommendModel::parse_events(const Json& list,
                                                            const std::string& where) const {
  if (!list.is_array()) return invalid(where + ": expected a list of events");
  if (list.size() > kEventsMax)
    return fail(ErrorCode::LimitExceeded, where + ": more than " + std::to_string(kEventsMax) + " events");
  if (state_.ratings)
    return invalid(where + ": a model of ratings takes no events", "train with predictor implicit");
  if (state_.algorithm == "als" && state_.alpha < 0)
    return invalid(where + ": the model is of an earlier version and takes no events", "train it again");
  std::map<std::uint32_t, double> sums;
  for (std::size_t i = 0; i < list.size(); ++i) {
    const std::string at = where + "[" + std::to_string(i) + "]";
    if (!list[i].is_object() || !list[i].contains("itemId"))
      return invalid(at + ": expected an object with itemId", "write {\"itemId\": \"a\", \"eventValue\": 1}");
    double value = 1;
    std::string item;
    for (const auto& [key, field] : list[i].items()) {
      if (key == "itemId") {
        MR_TRY(id, id_of(field, at + ".itemId"));
        item = std::move(id);
      } else if (key == "eventValue") {
        if (!field.is_number() || !(field.get<double>() >= 0))
          return invalid(at + ".eventValue: expected a number of at least 0, got " +
                         field.dump().substr(0, 60));
        value = field.get<double>();
      } else if (key != "eventType" && key != "eventId" && key != "sentAt") {
        return invalid(at + ": there is no field '" + key.substr(0, 60) + "'",
                       "an event has itemId, eventValue, eventType, eventId and sentAt");
      }
    }
    if (const std::int64_t place = place_of(state_.items, item); place >= 0)
      sums[static_cast<std::uint32_t>(place)] += value;
  }
  return Events(sums.begin(), sums.end());
}

Result<RecommendModel::Ranked> RecommendModel::rank(const Json& request, const std::string& where) const {
  constexpr const char* kForm = "write {\"userId\": \"7\", \"numResults\": 10} or {\"itemId\": \"a\"}";
  if (!request.is_object()) return invalid(where + "expected an object", kForm);
  std::string user, item;
  std::int64_t count = kResultsDefault;
  std::vector<std::string> include, exclude, listed, context(state_.columns.context.size());
  bool keep_seen = false, has_include = false;
  Events events;
  for (const auto& [key, value] : request.items()) {
    if (key == "userId") {
      MR_TRY(id, id_of(value, where + key));
      user = std::move(id);
    } else if (key == "itemId") {
      MR_TRY(id, id_of(value, where + key));
      item = std::move(id);
    } else if (key == "numResults") {
      if (!value.is_number_integer() || value.get<double>() < 1 || value.get<double>() > kResultsMax)
        return invalid(where + "numResults: expected an integer from 1 to " + std::to_string(kResultsMax));
      count = value.get<std::int64_t>();
    } else if (key == "inputList") {
      MR_TRY(texts, text_list(value, where + key));
      listed = std::move(texts);
    } else if (key == "eventList") {
      MR_TRY(parsed, parse_events(value, where + key));
      events = std::move(parsed);
    } else if (key == "context") {
      if (!value.is_object()) return invalid(where + "context: expected an object");
      for (const auto& [name, text] : value.items()) {
        const auto found = std::ranges::find(state_.columns.context, name);
        if (found == state_.columns.context.end())
          return invalid(where + "context: the model has no column '" + name + "'");
        MR_TRY(level, id_of(text, where + "context." + name));
        context[static_cast<std::size_t>(found - state_.columns.context.begin())] = level;
      }
    } else if (key == "filter") {
      if (!value.is_object()) return invalid(where + "filter: expected an object");
      for (const auto& [name, part] : value.items()) {
        if (name == "seen" && part.is_boolean()) {
          keep_seen = part.get<bool>();
          continue;
        }
        if (name != "include" && name != "exclude")
          return invalid(where + "filter." + name +
                         ": expected include or exclude with a list, or seen with true or false");
        MR_TRY(texts, text_list(part, where + "filter." + name));
        (name == "include" ? include : exclude) = std::move(texts);
        has_include = has_include || name == "include";
      }
    } else {
      return invalid(where + "there is no field '" + key.substr(0, 60) + "'",
                     "a request has userId, itemId, numResults, inputList, eventList, filter and context");
    }
  }
  if (user.empty() == item.empty()) return invalid(where + "expected either userId or itemId", kForm);
  if (user.empty() && request.contains("eventList"))
    return invalid(where + "eventList: events are a user's: send userId");
  Ranked ranked;
  const std::int64_t user_place = place_of(state_.users, user), item_place = place_of(state_.items, item);
  if (!listed.empty()) {
    if (user.empty()) return invalid(where + "inputList: a list is ordered for a user: send userId");
    ranked.ranking = true;
    const std::vector<double> scores =
        events.empty() ? std::vector<double>() : user_scores(user_place, context, events);
    for (const std::string& name : listed) {
      const std::int64_t place = place_of(state_.items, name);
      ranked.listed.emplace_back(name, events.empty() ? pair_score(user, name, context)
                                       : place < 0    ? 0
                                                      : scores[static_cast<std::size_t>(place)]);
    }
    std::ranges::stable_sort(ranked.listed, std::greater(), [](const auto& entry) { return entry.second; });
    return ranked;
  }
  if (!item.empty() && state_.algorithm == "als" && state_.factors.count == 0)
    return invalid(where + "itemId: the model has no factors to compare items by",
                   "train with factors of at least 1");
  ranked.scores = user.empty() ? item_scores(item_place) : user_scores(user_place, context, events);
  std::vector<bool> allowed =
      keep_seen || user.empty() ? std::vector<bool>(state_.items.size(), true) : unseen_items(user_place);
  if (item_place >= 0) allowed[static_cast<std::size_t>(item_place)] = false;
  if (!keep_seen)
    for (const auto& event : events) allowed[event.first] = false;
  if (has_include) {
    std::vector<bool> wanted(allowed.size(), false);
    for (const std::string& name : include)
      if (const std::int64_t place = place_of(state_.items, name); place >= 0)
        wanted[static_cast<std::size_t>(place)] = true;
    for (std::size_t i = 0; i < allowed.size(); ++i) allowed[i] = allowed[i] && wanted[i];
  }
  for (const std::string& name : exclude)
    if (const std::int64_t place = place_of(state_.items, name); place >= 0)
      allowed[static_cast<std::size_t>(place)] = false;
  ranked.items = best_items(ranked.scores, allowed, static_cast<std::size_t>(count));
  return ranked;
}

Json RecommendModel::answer_object(const Ranked& ranked) const {
  Json list = Json::array();
  for (const auto& [item, score] : ranked.listed) list.push_back({{"itemId", item}, {"score", score}});
  for (const std::uint32_t item : ranked.items)
    list.push_back({{"itemId", state_.items[item]}, {"score", ranked.scores[item]}});
  return {{ranked.ranking ? "personalizedRanking" : "itemList", std::move(list)}};
}

Result<OwnAnswer> RecommendModel::answer_rows(const OwnRequest& request) const {
  MR_TRY(type, choose_answer_type(request.accept, "text/csv|application/jsonlines"));
  MR_TRY(rows, read_pairs(request.body, "the body", state_.columns));
  std::string out;
  std::vector<std::string> context(rows.context.size());
  for (std::size_t i = 0; i < rows.users.size(); ++i) {
    if (i % 1024 == 0 && request.cancelled && request.cancelled())
      return fail(ErrorCode::Cancelled, "stopped");
    for (std::size_t c = 0; c < context.size(); ++c) context[c] = rows.context[c][i];
    const double score = pair_score(rows.users[i], rows.items[i], context);
    out += type == "text/csv" ? format_number(score) : Json{{"score", score}}.dump();
    out += '\n';
  }
  return OwnAnswer{std::move(out), type};
}

Result<OwnAnswer> RecommendModel::answer(const OwnRequest& request) const {
  const std::string content = media_type(request.content_type);
  if (content == "text/csv") return answer_rows(request);
  if (content == "application/json") {
    MR_TRY(type, choose_answer_type(request.accept, "application/json"));
    const Json body = Json::parse(request.body, nullptr, false);
    if (body.is_discarded()) return invalid("the body is not JSON");
    MR_TRY(ranked, rank(body, ""));
    return OwnAnswer{answer_object(ranked).dump(-1, ' ', false, Json::error_handler_t::replace), type};
  }
  if (content != "application/jsonlines")
    return invalid("ContentType \"" + std::string(request.content_type) + "\" is not supported",
                   "use application/json, application/jsonlines or text/csv");
  MR_TRY(type, choose_answer_type(request.accept, "application/jsonlines"));
  std::string out;
  std::string_view rest = request.body;
  for (std::size_t number = 1; !rest.empty(); ++number) {
    if (request.cancelled && request.cancelled()) return fail(ErrorCode::Cancelled, "stopped");
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    const std::string_view line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    const std::string where = "line " + std::to_string(number) + ": ";
    const Json input = Json::parse(line, nullptr, false);
    if (input.is_discarded()) return invalid(where + "the line is not JSON");
    MR_TRY(ranked, rank(input, where));
    if (!request.batch) {
      out += answer_object(ranked).dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
      continue;
    }
    Json items = Json::array(), scores = Json::array();
    for (const auto& [item, score] : ranked.listed) items.push_back(item), scores.push_back(score);
    for (const std::uint32_t item : ranked.items)
      items.push_back(state_.items[item]), scores.push_back(ranked.scores[item]);
    out += Json{{"input", input},
                {"output", {{"recommendedItems", items}, {"scores", scores}}},
                {"error", nullptr}}
               .dump(-1, ' ', false, Json::error_handler_t::replace) +
           "\n";
  }
  return OwnAnswer{std::move(out), type};
}

namespace {

void put_sizes(ModelWriter& writer, const std::vector<std::size_t>& sizes) {
  const std::vector<std::uint32_t> counts = [&] {
    std::vector<std::uint32_t> out;
    for (std::size_t i = 1; i < sizes.size(); ++i)
      out.push_back(static_cast<std::uint32_t>(sizes[i] - sizes[i - 1]));
    return out;
  }();
  writer.put(std::span<const std::uint32_t>(counts));
}

std::vector<std::size_t> read_sizes(ModelReader& reader) {
  std::vector<std::size_t> out = {0};
  for (const std::uint32_t count : reader.u32s()) out.push_back(out.back() + count);
  return out;
}

bool below(const std::vector<std::uint32_t>& places, std::size_t end) {
  return std::ranges::all_of(places, [&](std::uint32_t place) { return place < end; });
}

template <class T>
bool finite_numbers(const std::vector<T>& values) {
  return std::ranges::all_of(values, [](T x) { return std::isfinite(x); });
}

}  // namespace

std::string RecommendModel::save() const {
  ModelWriter writer(kRecommendMagic, kRecommendVersion);
  const RecommendState& s = state_;
  put_texts(writer,
            std::vector{s.algorithm, s.columns.user, s.columns.item, s.columns.time, s.columns.value});
  put_texts(writer, s.columns.context);
  put_texts(writer, s.users), put_texts(writer, s.items);
  put_sizes(writer, s.seen.begin);
  writer.put(std::span<const std::uint32_t>(s.seen.columns)).put(std::span<const double>(s.popularity));
  writer.put(std::uint64_t{s.factors.count});
  writer.put(std::span<const float>(s.factors.users)).put(std::span<const float>(s.factors.items));
  put_sizes(writer, s.neighbours.begin.empty() ? std::vector<std::size_t>{0} : s.neighbours.begin);
  writer.put(std::span<const std::uint32_t>(s.neighbours.items))
      .put(std::span<const float>(s.neighbours.similarities));
  writer.put(std::uint64_t{s.ratings ? 1u : 0u}).put(s.effects.mean).put(s.effects.low).put(s.effects.high);
  writer.put(std::uint64_t{s.effects.effects.size()});
  for (const RatingEffect& effect : s.effects.effects) {
    writer.put(static_cast<std::uint64_t>(effect.context + 1) * 4 + (effect.user ? 2u : 0u) +
               (effect.item ? 1u : 0u));
    put_texts(writer, effect.levels);
    writer.put(std::span<const double>(effect.values));
  }
  writer.put(s.alpha).put(s.regularization).put(std::span<const double>(s.seen.values));
  return std::move(writer).finish();
}

Result<std::unique_ptr<const Model>> load_recommender(std::string_view bytes) {
  const auto open = [&](std::uint8_t version) {
    return ModelReader::open("recommendation", kRecommendMagic, version, bytes);
  };
  auto newest = open(kRecommendVersion);
  const bool knows_events = newest.has_value();
  MR_TRY(reader, knows_events ? std::move(newest) : open(kRecommendFirstVersion));
  bool good = true;
  RecommendState s;
  const std::vector<std::string> names = read_texts(reader, good);
  s.columns.context = read_texts(reader, good);
  s.users = read_texts(reader, good), s.items = read_texts(reader, good);
  s.seen.begin = read_sizes(reader), s.seen.columns = reader.u32s();
  s.popularity = reader.reals();
  s.factors.count = reader.u64();
  s.factors.users = reader.floats(), s.factors.items = reader.floats();
  s.neighbours.begin = read_sizes(reader);
  s.neighbours.items = reader.u32s(), s.neighbours.similarities = reader.floats();
  s.ratings = reader.u64() != 0;
  s.effects.mean = reader.real(), s.effects.low = reader.real(), s.effects.high = reader.real();
  const std::uint64_t effects = reader.u64();
  constexpr std::uint64_t kEffectsMax = 1000, kFactorsMax = 10'000;
  good = good && names.size() == 5 && effects <= kEffectsMax && s.factors.count <= kFactorsMax;
  for (std::uint64_t e = 0; good && e < effects; ++e) {
    RatingEffect effect;
    const std::uint64_t packed = reader.u64();
    good = packed / 4 <= s.columns.context.size();
    effect.context = good ? static_cast<int>(packed / 4) - 1 : -1;
    effect.user = (packed & 2) != 0, effect.item = (packed & 1) != 0;
    effect.levels = read_texts(reader, good);
    effect.values = reader.reals();
    good = good && effect.levels.size() == effect.values.size() && std::ranges::is_sorted(effect.levels) &&
           finite_numbers(effect.values);
    s.effects.effects.push_back(std::move(effect));
  }
  if (knows_events) {
    s.alpha = reader.real(), s.regularization = reader.real(), s.seen.values = reader.reals();
  } else {
    s.seen.values.assign(s.seen.columns.size(), 1.0);
  }
  if (good) {
    s.algorithm = names[0], s.columns.user = names[1], s.columns.item = names[2], s.columns.time = names[3],
    s.columns.value = names[4];
    const std::size_t users = s.users.size(), items = s.items.size();
    const bool als = s.algorithm == "als", similar = s.algorithm == "item-similarity";
    good = (als || similar || s.algorithm == "popularity-count") && std::ranges::is_sorted(s.users) &&
           std::ranges::is_sorted(s.items) && users > 0 && items > 0 && s.seen.begin.size() == users + 1 &&
           s.seen.begin.back() == s.seen.columns.size() && below(s.seen.columns, items) &&
           s.seen.values.size() == s.seen.columns.size() && finite_numbers(s.seen.values) &&
           std::isfinite(s.alpha) && (s.alpha < 0 || (als && !s.ratings)) && s.regularization >= 0 &&
           std::isfinite(s.regularization) && s.popularity.size() == items && finite_numbers(s.popularity) &&
           s.factors.users.size() == (als ? users * s.factors.count : 0) &&
           s.factors.items.size() == (als ? items * s.factors.count : 0) && finite_numbers(s.factors.users) &&
           finite_numbers(s.factors.items) && s.neighbours.begin.size() == (similar ? items + 1 : 1) &&
           s.neighbours.begin.back() == s.neighbours.items.size() &&
           s.neighbours.items.size() == s.neighbours.similarities.size() &&
           below(s.neighbours.items, items) && finite_numbers(s.neighbours.similarities) &&
           std::isfinite(s.effects.mean) && s.effects.low <= s.effects.high &&
           (als ? s.ratings || s.factors.count > 0 : !s.ratings && s.factors.count == 0);
  }
  MR_DO(reader.finish(good));
  return std::make_unique<RecommendModel>(std::move(s));
}

}  // namespace millrace::tasks
