#include "tasks/trees/model_json.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "base/check.h"
#include "tasks/trees/objective.h"

namespace millrace::tasks::trees {

namespace {

using Plain = nlohmann::json;

constexpr int kNestedMost = 32;  // real models nest less than ten deep; a reader that recurses must not go on
constexpr std::int64_t kFeaturesMost = 100'000'000, kOutputsMost = 1'000'000;
constexpr std::int32_t kNoParent = 2147483647;

// --- writing
// ---------------------------------------------------------------------------------------------------

void put_float(std::string& out, float value) {
  char text[40];
  const std::string_view number(text, std::to_chars(text, text + sizeof text, value).ptr - text);
  out += number;
  // XGBoost tells whole numbers from others by their text.
  if (number.find_first_of(".e") == std::string_view::npos) out += "E0";
}

std::string json_quoted(std::string_view text) {
  return Plain(text).dump(-1, ' ', false, Plain::error_handler_t::replace);
}

// "name":[…] of one member of the nodes.
template <class Get>
void put_array(std::string& out, const char* name, const std::vector<Node>& nodes, Get get) {
  out += '"', out += name, out += "\":[";
  for (std::size_t k = 0; k < nodes.size(); ++k) {
    if (k > 0) out += ',';
    const auto value = get(nodes[k]);
    if constexpr (std::is_same_v<std::remove_const_t<decltype(value)>, float>)
      put_float(out, value);
    else
      out += std::to_string(value);
  }
  out += "],";
}

// The sets one after another, and by node with one where it begins and how long it is.
void put_category_sets(std::string& out, const Tree& tree) {
  std::string categories, nodes, segments, sizes;
  std::size_t at = 0;
  const auto put = [](std::string& list, std::size_t value) {
    list += (list.empty() ? "" : ",") + std::to_string(value);
  };
  for (std::size_t k = 0; k < tree.nodes.size(); ++k) {
    if (tree.nodes[k].categories < 0) continue;
    const auto& set = tree.category_sets[static_cast<std::size_t>(tree.nodes[k].categories)];
    put(nodes, k), put(segments, at), put(sizes, set.size());
    for (const std::uint32_t category : set) put(categories, category);
    at += set.size();
  }
  out += "\"categories\":[" + categories + "],\"categories_nodes\":[" + nodes +
         "],\"categories_segments\":[" + segments + "],\"categories_sizes\":[" + sizes + "],";
}

void put_tree(std::string& out, const Tree& tree, std::size_t id, std::size_t features) {
  const std::vector<Node>& nodes = tree.nodes;
  out += '{';
  put_array(out, "base_weights", nodes, [](const Node& n) { return n.weight; });
  put_category_sets(out, tree);
  put_array(out, "default_left", nodes, [](const Node& n) { return n.missing_left ? 1 : 0; });
  out += "\"id\":" + std::to_string(id) + ",";
  put_array(out, "left_children", nodes, [](const Node& n) { return n.left; });
  put_array(out, "loss_changes", nodes, [](const Node& n) { return n.gain; });
  put_array(out, "parents", nodes, [](const Node& n) { return n.parent < 0 ? kNoParent : n.parent; });
  put_array(out, "right_children", nodes, [](const Node& n) { return n.right; });
  put_array(out, "split_conditions", nodes, [](const Node& n) { return n.condition; });
  put_array(out, "split_indices", nodes, [](const Node& n) { return n.feature; });
  put_array(out, "split_type", nodes, [](const Node& n) { return n.categories < 0 ? 0 : 1; });
  put_array(out, "sum_hessian", nodes, [](const Node& n) { return n.cover; });
  out += R"("tree_param":{"num_deleted":"0","num_feature":")" + std::to_string(features) +
         R"(","num_nodes":")" + std::to_string(nodes.size()) + R"(","size_leaf_vector":"0"}})";
}

void put_trees(std::string& out, const Ensemble& e) {
  out += R"({"gbtree_model_param":{"num_parallel_tree":")" + std::to_string(e.parallel_trees) +
         R"(","num_trees":")" + std::to_string(e.trees.size()) + R"(","size_leaf_vector":"0"},"tree_info":[)";
  for (std::size_t t = 0; t < e.trees.size(); ++t)
    out += (t > 0 ? "," : "") + std::to_string(e.tree_output[t]);
  out += "],\"trees\":[";
  for (std::size_t t = 0; t < e.trees.size(); ++t) {
    if (t > 0) out += ',';
    put_tree(out, e.trees[t], t, e.features);
  }
  out += "]}";
}

void put_floats(std::string& out, const std::vector<float>& values) {
  out += '[';
  for (std::size_t k = 0; k < values.size(); ++k) {
    if (k > 0) out += ',';
    put_float(out, values[k]);
  }
  out += ']';
}

void put_booster(std::string& out, const Ensemble& e) {
  switch (e.booster) {
    case Ensemble::Booster::Trees:
      out += "{\"model\":";
      put_trees(out, e);
      out += R"(,"name":"gbtree"})";
      return;
    case Ensemble::Booster::Dart:
      out += "{\"gbtree\":{\"model\":";
      put_trees(out, e);
      out += R"(,"name":"gbtree"},"name":"dart","weight_drop":)";
      put_floats(out, e.tree_weight);
      out += '}';
      return;
    case Ensemble::Booster::Linear:
      out += R"({"model":{"weights":)";
      put_floats(out, e.linear);
      out += R"(},"name":"gblinear"})";
      return;
  }
}

// --- reading
// ---------------------------------------------------------------------------------------------------

// What goes wrong while reading; leaves this file as a Status.
struct Damage {
  std::string what;
};
[[noreturn]] void damage(std::string what) {
  throw Damage{std::move(what)};
}

// XGBoost writes its numbers as texts; 3.x puts brackets around base_score.
double number_of(const Plain& value, const char* name) {
  if (value.is_number()) return value.get<double>();
  if (!value.is_string()) damage(std::string(name) + " is no number");
  std::string_view text = value.get_ref<const std::string&>();
  if (text.starts_with('[') && text.ends_with(']')) text = text.substr(1, text.size() - 2);
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(number))
    damage(std::string(name) + " is no number");
  return number;
}
std::int64_t whole_of(const Plain& value, const char* name, std::int64_t low, std::int64_t high) {
  const double number = number_of(value, name);
  if (number != std::floor(number) || number < double(low) || number > double(high))
    damage(std::string(name) + " is wrong");
  return static_cast<std::int64_t>(number);
}
float float_of(const Plain& value, const char* name) {
  const double number = value.is_number() ? value.get<double>() : std::nan("");
  // The shortest text of the largest float is a little more than it.
  constexpr double kBeyond = 3.40282357e38;
  if (!(std::abs(number) < kBeyond)) damage(std::string(name) + " holds what no float is");
  return static_cast<float>(number);
}
bool flag_of(const Plain& value) {
  return value.is_boolean() ? value.get<bool>() : value.get<int>() != 0;
}

// Every node that is reached is reached once, so walks end, and its column exists.
void check_shape(const Tree& tree, std::size_t features, const std::string& at) {
  std::vector<char> reached(tree.nodes.size());
  std::vector<std::int32_t> open{0};
  reached[0] = 1;
  while (!open.empty()) {
    const Node& node = tree.nodes[static_cast<std::size_t>(open.back())];
    open.pop_back();
    if (node.left < 0) continue;
    if (node.feature >= features) damage(at + "splits on column " + std::to_string(node.feature));
    for (const std::int32_t child : {node.left, node.right}) {
      if (child <= 0 || static_cast<std::size_t>(child) >= tree.nodes.size() ||
          reached[static_cast<std::size_t>(child)]) {
        damage(at + "is not a tree");
      }
      reached[static_cast<std::size_t>(child)] = 1;
      open.push_back(child);
    }
  }
}

// Which nodes split by categories, and by which. Every one that says so has a set, and no other.
void read_category_sets(const Plain& json, Tree& tree, const std::string& at) {
  if (!json.contains("split_type")) return;  // of XGBoost before 1.3
  const Plain& types = json.at("split_type");
  std::size_t said = 0;
  if (!types.is_array() || types.size() != tree.nodes.size()) damage(at + "has a wrong number of split_type");
  for (const Plain& type : types) said += whole_of(type, "split_type", 0, 1) == 1;
  if (said == 0) return;
  const Plain &nodes = json.at("categories_nodes"), &segments = json.at("categories_segments"),
              &sizes = json.at("categories_sizes"), &categories = json.at("categories");
  if (!nodes.is_array() || nodes.size() != said || segments.size() != said || sizes.size() != said ||
      !categories.is_array())
    damage(at + "has other sets of categories than its splits need");
  const auto all = static_cast<std::int64_t>(categories.size());
  for (std::size_t k = 0; k < said; ++k) {
    const auto node = whole_of(nodes[k], "categories_nodes", 0, std::int64_t(tree.nodes.size()) - 1);
    const auto begin = whole_of(segments[k], "categories_segments", 0, all);
    const auto size = whole_of(sizes[k], "categories_sizes", 0, all - begin);
    Node& split = tree.nodes[static_cast<std::size_t>(node)];
    if (types[static_cast<std::size_t>(node)] != 1 || split.categories >= 0)
      damage(at + "has a set of categories for another split");
    std::vector<std::uint32_t> set;
    for (auto c = begin; c < begin + size; ++c)
      set.push_back(static_cast<std::uint32_t>(
          whole_of(categories[static_cast<std::size_t>(c)], "categories", 0, kCategoriesMost - 1)));
    std::ranges::sort(set);
    split.categories = static_cast<std::int32_t>(tree.category_sets.size());
    if (split.left >= 0) split.condition = 0;  // XGBoost leaves what it happens to have, or NaN
    tree.category_sets.push_back(std::move(set));
  }
}

Tree read_tree(const Plain& json, std::size_t features, std::size_t number) {
  const std::string at = "tree " + std::to_string(number) + " ";
  const Plain& left = json.at("left_children");
  const std::size_t count = left.size();
  if (count == 0) damage(at + "has no nodes");
  if (whole_of(json.at("tree_param").at("num_nodes"), "num_nodes", 0, kNoParent) != std::int64_t(count))
    damage(at + "has another number of nodes than it says");
  for (const char* name : {"left_children", "right_children", "parents", "split_indices", "split_conditions",
                           "default_left", "base_weights", "loss_changes", "sum_hessian"}) {
    if (!json.at(name).is_array() || json.at(name).size() != count)
      damage(at + "has a wrong number of " + name);
  }
  Tree tree;
  tree.nodes.resize(count);
  for (std::size_t k = 0; k < count; ++k) {
    Node& node = tree.nodes[k];
    node.left = static_cast<std::int32_t>(whole_of(left[k], "left_children", -1, kNoParent));
    node.right =
        static_cast<std::int32_t>(whole_of(json.at("right_children")[k], "right_children", -1, kNoParent));
    if ((node.left < 0) != (node.right < 0)) damage(at + "has a node with one child");
    node.feature = static_cast<std::uint32_t>(
        whole_of(json.at("split_indices")[k], "split_indices", 0, std::numeric_limits<std::int32_t>::max()));
    const Plain& condition = json.at("split_conditions")[k];
    node.condition = condition.is_null() ? std::numeric_limits<float>::quiet_NaN()
                                         : float_of(condition, "split_conditions");
    node.missing_left = flag_of(json.at("default_left")[k]);
    node.gain = float_of(json.at("loss_changes")[k], "loss_changes");
    node.cover = float_of(json.at("sum_hessian")[k], "sum_hessian");
    node.weight = float_of(json.at("base_weights")[k], "base_weights");
    const auto parent = whole_of(json.at("parents")[k], "parents", -1, kNoParent);
    node.parent = parent == kNoParent ? -1 : static_cast<std::int32_t>(parent);
  }
  read_category_sets(json, tree, at);
  for (const Node& node : tree.nodes) {
    if (std::isnan(node.condition)) damage("split_conditions holds what no float is");
  }
  check_shape(tree, features, at);
  return tree;
}

void read_trees(const Plain& model, Ensemble& e) {
  const Plain& trees = model.at("trees");
  const Plain& info = model.at("tree_info");
  const Plain& parameters = model.at("gbtree_model_param");
  if (!trees.is_array() || !info.is_array() || info.size() != trees.size())
    damage("tree_info does not fit the trees");
  if (whole_of(parameters.at("num_trees"), "num_trees", 0, kNoParent) != std::int64_t(trees.size()))
    damage("the number of trees is not the one it says");
  e.parallel_trees = static_cast<std::size_t>(
      whole_of(parameters.at("num_parallel_tree"), "num_parallel_tree", 1, kOutputsMost));
  if (trees.size() % e.trees_per_round() != 0) damage("the trees are not whole rounds");
  for (std::size_t t = 0; t < trees.size(); ++t) {
    const auto output = whole_of(info[t], "tree_info", -1, kNoParent);
    if (output < 0 || static_cast<std::size_t>(output) >= e.outputs)
      damage("tree " + std::to_string(t) + " is of no class");
    e.tree_output.push_back(static_cast<std::uint32_t>(output));
    e.trees.push_back(read_tree(trees[t], e.features, t));
  }
}

void read_floats(const Plain& json, const char* name, std::size_t count, std::vector<float>& out) {
  if (!json.is_array() || json.size() != count) damage(std::string("wrong number of ") + name);
  for (const Plain& value : json) out.push_back(float_of(value, name));
}

void read_booster(const Plain& booster, Ensemble& e) {
  const std::string name = booster.at("name").get<std::string>();
  if (name == "gbtree") {
    read_trees(booster.at("model"), e);
  } else if (name == "dart") {
    e.booster = Ensemble::Booster::Dart;
    read_trees(booster.at("gbtree").at("model"), e);
    read_floats(booster.at("weight_drop"), "weight_drop", e.trees.size(), e.tree_weight);
  } else if (name == "gblinear") {
    e.booster = Ensemble::Booster::Linear;
    read_floats(booster.at("model").at("weights"), "weights", (e.features + 1) * e.outputs, e.linear);
  } else {
    damage("booster '" + name + "' is unknown");
  }
}

void read_objective(const Plain& json, Ensemble& e) {
  e.objective = json.at("name").get<std::string>();
  const auto objective = make_objective(e.objective, {});
  if (!objective) damage("objective '" + e.objective + "' is not supported");
  const std::string name(objective->parameter_object());
  if (!name.empty() && json.contains(name)) {
    for (const auto& [key, value] : json.at(name).items())
      e.objective_parameters[key] = value.is_string() ? value.get<std::string>() : value.dump();
  }
  if (!objective->good_base(e.base_score)) damage("base_score is wrong for " + e.objective);
}

// XGBoost writes NaN as it is, which JSON does not know; texts stay as they are.
std::string null_for_nan(std::string_view bytes) {
  std::string out;
  bool quoted = false;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (!quoted && bytes.substr(i, 3) == "NaN") {
      out += "null", i += 2;
      continue;
    }
    if (bytes[i] == '"') quoted = !quoted;
    out += bytes[i];
    if (quoted && bytes[i] == '\\' && i + 1 < bytes.size()) out += bytes[++i];
  }
  return out;
}

void read_learner(const Plain& learner, Ensemble& e) {
  const Plain& parameters = learner.at("learner_model_param");
  e.features =
      static_cast<std::size_t>(whole_of(parameters.at("num_feature"), "num_feature", 1, kFeaturesMost));
  e.outputs = static_cast<std::size_t>(
      std::max<std::int64_t>(1, whole_of(parameters.at("num_class"), "num_class", 0, kOutputsMost)));
  if (parameters.contains("num_target") && whole_of(parameters.at("num_target"), "num_target", 0, 1) > 1)
    damage("num_target is wrong");
  e.base_score = number_of(parameters.at("base_score"), "base_score");
  read_objective(learner.at("objective"), e);
  if ((e.outputs > 1) && !e.objective.starts_with("multi:")) damage("num_class does not fit " + e.objective);
  read_booster(learner.at("gradient_booster"), e);
  if (learner.contains("feature_names")) {
    for (const Plain& name : learner.at("feature_names")) e.feature_names.push_back(name.get<std::string>());
    if (e.feature_names.size() != e.features && !e.feature_names.empty())
      damage("wrong number of feature_names");
  }
  if (learner.contains("feature_types")) {
    for (const Plain& type : learner.at("feature_types")) e.feature_types.push_back(type.get<std::string>());
    if (e.feature_types.size() != e.features && !e.feature_types.empty())
      damage("wrong number of feature_types");
  }
  if (learner.contains("attributes")) {
    for (const auto& [key, value] : learner.at("attributes").items())
      e.attributes[key] = value.get<std::string>();
  }
}

}  // namespace

std::string write_model(const Ensemble& e) {
  std::string out = R"({"learner":{"attributes":{)";
  for (const auto& [key, value] : e.attributes) {
    if (out.back() != '{') out += ',';
    out += json_quoted(key) + ":" + json_quoted(value);
  }
  out += "},\"feature_names\":[";
  for (std::size_t j = 0; j < e.feature_names.size(); ++j)
    out += (j > 0 ? "," : "") + json_quoted(e.feature_names[j]);
  out += "],\"feature_types\":[";
  for (std::size_t j = 0; j < e.feature_types.size(); ++j)
    out += (j > 0 ? "," : "") + json_quoted(e.feature_types[j]);
  out += "],\"gradient_booster\":";
  put_booster(out, e);
  out += R"(,"learner_model_param":{"base_score":")";
  put_float(out, static_cast<float>(e.base_score));
  out += R"(","num_class":")" + std::to_string(e.objective.starts_with("multi:") ? e.outputs : 0) +
         R"(","num_feature":")" + std::to_string(e.features) + R"(","num_target":"1"},"objective":{"name":)" +
         json_quoted(e.objective);
  const auto objective = make_objective(e.objective, {});
  MR_CHECK(objective, "an ensemble has an objective of ours");
  if (!objective->parameter_object().empty()) {
    out += "," + json_quoted(objective->parameter_object()) + ":{";
    for (const auto& [key, value] : e.objective_parameters) {
      if (out.back() != '{') out += ',';
      out += json_quoted(key) + ":" + json_quoted(value);
    }
    out += '}';
  }
  return out + R"(}},"version":[1,7,4]})";
}

Result<Ensemble> read_model(std::string_view bytes) {
  try {
    const std::string plain = bytes.find("NaN") == std::string_view::npos ? "" : null_for_nan(bytes);
    if (!plain.empty()) bytes = plain;
    const Plain model = Plain::parse(bytes, [](int depth, Plain::parse_event_t, Plain&) {
      if (depth > kNestedMost) throw Damage{"nested too deep"};
      return true;
    });
    Ensemble ensemble;
    read_learner(model.at("learner"), ensemble);
    return ensemble;
  } catch (const Damage& damage) {
    return fail(ErrorCode::DataLoss, "not a usable xgboost model: " + damage.what);
  } catch (const std::exception& error) {
    return fail(ErrorCode::DataLoss, std::string("not a usable xgboost model: ") + error.what());
  }
}

}  // namespace millrace::tasks::trees
