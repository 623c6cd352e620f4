#include "triggers/rule_index.h"

#include <algorithm>
#include <charconv>

namespace millrace::triggers {

// A scalar of the event under a path that somebody asks about.
struct RuleIndex::Field {
  JsonView value;
  std::int32_t place = -1;  // the innermost array element it is in
  std::int32_t next = -1;   // of the same path
};
// One element of an array, in the element of another one.
struct RuleIndex::Place {
  std::int32_t outer = -1;
  std::uint32_t array = 0;  // the array's node
  std::uint32_t element = 0;
};
struct RuleIndex::Leaves {
  std::vector<Field> fields;
  std::vector<Place> places;
  std::vector<std::int32_t> first;  // by path
};

namespace {

// Equal values have equal keys: numbers are written one way.
std::string key_of(std::int32_t path, JsonView value) {
  std::string key = std::to_string(path) + "=";
  if (!value.is_number()) return key.append(value.text());
  char digits[32];
  const auto end = std::to_chars(digits, digits + sizeof digits, value.number()).ptr;
  return key.append(digits, end);
}

std::string key_of(std::int32_t path, const condition::Equals& wanted) {
  std::string key = std::to_string(path) + "=";
  if (!wanted.number) return key.append(wanted.text);
  char digits[32];
  const auto end = std::to_chars(digits, digits + sizeof digits, wanted.value).ptr;
  return key.append(digits, end);
}

bool exact(const std::vector<Condition>& any_of) {
  return std::all_of(any_of.begin(), any_of.end(),
                     [](const Condition& c) { return std::holds_alternative<condition::Equals>(c); });
}

bool wants_absent(const std::vector<Condition>& any_of) {
  return std::any_of(any_of.begin(), any_of.end(), [](const Condition& c) {
    const auto* exists = std::get_if<condition::Exists>(&c);
    return exists && !exists->there;
  });
}

}  // namespace

RuleIndex::PathNumber RuleIndex::path_number(const std::string& path) {
  std::uint32_t step = 0;
  std::string_view rest = path;
  for (;;) {
    const std::size_t dot = rest.find('.');
    const std::string name(rest.substr(0, dot));
    const auto found = steps_[step].next.find(name);
    if (found != steps_[step].next.end()) {
      step = found->second;
    } else {
      const auto made = static_cast<std::uint32_t>(steps_.size());
      steps_[step].next.emplace(name, made);
      steps_.emplace_back();
      step = made;
    }
    if (dot == std::string_view::npos) break;
    rest.remove_prefix(dot + 1);
  }
  if (steps_[step].path < 0) steps_[step].path = paths_++;
  return steps_[step].path;
}

RuleIndex::RuleIndex(const std::vector<const Pattern*>& patterns) {
  for (std::size_t i = 0; i < patterns.size(); ++i) {
    for (const Conjunction& conjunction : patterns[i]->alternatives) {
      Alternative made{static_cast<std::uint32_t>(i), {}};
      for (const PatternLeaf& leaf : conjunction)
        made.leaves.push_back({path_number(leaf.path), leaf.any_of, wants_absent(leaf.any_of)});
      alternatives_.push_back(std::move(made));
    }
  }
  choose_keys();
}

// The leaf whose values fewest alternatives share.
void RuleIndex::choose_keys() {
  std::unordered_map<std::string, std::size_t> shared;
  const auto each_key = [](const Leaf& leaf, const auto& visit) {
    for (const Condition& c : leaf.any_of) visit(key_of(leaf.path, std::get<condition::Equals>(c)));
  };
  for (const Alternative& alternative : alternatives_)
    for (const Leaf& leaf : alternative.leaves)
      if (exact(leaf.any_of)) each_key(leaf, [&](std::string key) { ++shared[std::move(key)]; });
  for (std::size_t i = 0; i < alternatives_.size(); ++i) {
    const Leaf* best = nullptr;
    std::size_t fewest = 0;
    for (const Leaf& leaf : alternatives_[i].leaves) {
      if (!exact(leaf.any_of)) continue;
      std::size_t sum = 0;
      each_key(leaf, [&](const std::string& key) { sum += shared[key]; });
      if (best && sum >= fewest) continue;
      best = &leaf;
      fewest = sum;
    }
    const auto number = static_cast<std::uint32_t>(i);
    if (!best) {
      without_key_.push_back(number);
      continue;
    }
    each_key(*best, [&](std::string key) {
      std::vector<std::uint32_t>& list = by_key_[std::move(key)];
      if (list.empty() || list.back() != number) list.push_back(number);
    });
  }
}

// A name may hold dots: it then stands for several steps.
void RuleIndex::member(std::string_view name, JsonView value, std::uint32_t step, std::int32_t place,
                       Leaves& leaves) const {
  for (;;) {
    const std::size_t dot = name.find('.');
    const auto found = steps_[step].next.find(name.substr(0, dot));
    if (found == steps_[step].next.end()) return;
    step = found->second;
    if (dot == std::string_view::npos) break;
    name.remove_prefix(dot + 1);
  }
  collect(value, step, place, leaves);
}

void RuleIndex::collect(JsonView value, std::uint32_t step, std::int32_t place, Leaves& leaves) const {
  if (value.is_object()) {
    if (steps_[step].next.empty()) return;
    for (const auto [key, inner] : value.members()) {
      if (key.node().escaped) {
        member(key.string(), inner, step, place, leaves);
      } else {
        const std::string_view quoted = key.text();
        member(quoted.substr(1, quoted.size() - 2), inner, step, place, leaves);
      }
    }
    return;
  }
  if (value.is_array()) {
    std::uint32_t element = 0;
    for (const JsonView inner : value.elements()) {
      leaves.places.push_back({place, value.index(), element++});
      collect(inner, step, static_cast<std::int32_t>(leaves.places.size() - 1), leaves);
    }
    return;
  }
  const PathNumber path = steps_[step].path;
  if (path < 0) return;
  std::int32_t& first = leaves.first[static_cast<std::size_t>(path)];
  leaves.fields.push_back({value, place, first});
  first = static_cast<std::int32_t>(leaves.fields.size() - 1);
}

// Whether no array they are both in has them in different elements.
bool RuleIndex::together(const Leaves& leaves, std::int32_t a, std::int32_t b) {
  for (std::int32_t i = a; i >= 0; i = leaves.places[static_cast<std::size_t>(i)].outer) {
    const Place& one = leaves.places[static_cast<std::size_t>(i)];
    for (std::int32_t j = b; j >= 0; j = leaves.places[static_cast<std::size_t>(j)].outer) {
      const Place& other = leaves.places[static_cast<std::size_t>(j)];
      if (one.array == other.array && one.element != other.element) return false;
    }
  }
  return true;
}

// Finds a field for each leaf so that all are together; `places` are those of the leaves before.
bool RuleIndex::assign(const Alternative& alternative, std::size_t leaf, std::vector<std::int32_t>& places,
                       const Leaves& leaves) const {
  if (leaf == alternative.leaves.size()) return true;
  const Leaf& wanted = alternative.leaves[leaf];
  std::int32_t field = leaves.first[static_cast<std::size_t>(wanted.path)];
  if (field < 0) return wanted.absent_too && assign(alternative, leaf + 1, places, leaves);
  for (; field >= 0; field = leaves.fields[static_cast<std::size_t>(field)].next) {
    const Field& candidate = leaves.fields[static_cast<std::size_t>(field)];
    const bool met = std::any_of(wanted.any_of.begin(), wanted.any_of.end(),
                                 [&](const Condition& c) { return meets(c, candidate.value); });
    if (!met) continue;
    const bool fits = std::all_of(places.begin(), places.end(), [&](std::int32_t place) {
      return together(leaves, place, candidate.place);
    });
    if (!fits) continue;
    if (candidate.place < 0) return assign(alternative, leaf + 1, places, leaves);  // no other could do more
    places.push_back(candidate.place);
    if (assign(alternative, leaf + 1, places, leaves)) return true;
    places.pop_back();
  }
  return false;
}

bool RuleIndex::holds(const Alternative& alternative, const Leaves& leaves) const {
  std::vector<std::int32_t> places;
  return assign(alternative, 0, places, leaves);
}

void RuleIndex::match(JsonView event, std::vector<std::uint32_t>& found) const {
  found.clear();
  if (alternatives_.empty() || !event.is_object()) return;
  Leaves leaves;
  leaves.first.assign(static_cast<std::size_t>(paths_), -1);
  collect(event, 0, -1, leaves);
  const auto consider = [&](std::uint32_t number) {
    const Alternative& alternative = alternatives_[number];
    if (holds(alternative, leaves)) found.push_back(alternative.pattern);
  };
  for (const std::uint32_t number : without_key_) consider(number);
  if (!by_key_.empty()) {
    for (PathNumber path = 0; path < paths_; ++path) {
      for (std::int32_t i = leaves.first[static_cast<std::size_t>(path)]; i >= 0;
           i = leaves.fields[static_cast<std::size_t>(i)].next) {
        const auto list = by_key_.find(key_of(path, leaves.fields[static_cast<std::size_t>(i)].value));
        if (list == by_key_.end()) continue;
        for (const std::uint32_t number : list->second) consider(number);
      }
    }
  }
  std::sort(found.begin(), found.end());
  found.erase(std::unique(found.begin(), found.end()), found.end());
}

}  // namespace millrace::triggers
