#include <algorithm>
#include <cmath>
#include <mutex>
#include <nlohmann/json.hpp>

#include "tasks/training/dataset_checks.h"
#include "tasks/training/hyperparameters.h"
#include "tasks/training/xgboost.h"
#include "tasks/training/xgboost_handles.h"

namespace millrace::tasks {

namespace {

using Plain = nlohmann::json;

constexpr const char* kPredict =
    R"({"type":0,"training":false,"iteration_begin":0,"iteration_end":0,"strict_shape":true,"cache_id":0,"missing":NaN})";

tl::unexpected<Error> damaged(const std::string& what) {
  return fail(ErrorCode::DataLoss, "not a usable xgboost model: " + what);
}

struct Shape {
  std::size_t features = 0, outputs = 1;
  bool linear = false;
};

std::int64_t integer_text(const Plain& value, std::int64_t otherwise) {
  if (!value.is_string()) return otherwise;
  const auto number = parse_real(value.get_ref<const std::string&>());
  return number && std::abs(*number) < 1e15 ? static_cast<std::int64_t>(*number) : otherwise;
}

// Every node of a tree but the root is the child of exactly one node with a smaller number or, in any case,
// no node is reached twice: so walks end. Split columns exist.
Status check_tree(const Plain& tree, std::size_t features, std::size_t number) {
  const std::string at = "tree " + std::to_string(number) + " ";
  const auto& left = tree.at("left_children");
  const auto& right = tree.at("right_children");
  const auto& column = tree.at("split_indices");
  const std::size_t nodes = left.size();
  const Plain& parameters = tree.at("tree_param");
  if (nodes == 0) return damaged(at + "has no nodes");
  if (integer_text(parameters.at("num_nodes"), -1) != static_cast<std::int64_t>(nodes))
    return damaged(at + "has another number of nodes than it says");
  for (const char* name : {"right_children", "parents", "split_indices", "split_conditions", "default_left",
                           "base_weights", "loss_changes", "sum_hessian"}) {
    if (!tree.at(name).is_array() || tree.at(name).size() != nodes)
      return damaged(at + "has a wrong number of " + name);
  }
  std::vector<char> reached(nodes);
  std::vector<std::size_t> open{0};
  reached[0] = 1;
  while (!open.empty()) {
    const std::size_t node = open.back();
    open.pop_back();
    const auto l = left[node].get<std::int64_t>(), r = right[node].get<std::int64_t>();
    if (l == -1 && r == -1) continue;
    const auto c = column[node].get<std::int64_t>();
    if (c < 0 || static_cast<std::size_t>(c) >= features)
      return damaged(at + "splits on column " + std::to_string(c));
    for (const std::int64_t child : {l, r}) {
      if (child <= 0 || static_cast<std::size_t>(child) >= nodes ||
          reached[static_cast<std::size_t>(child)]) {
        return damaged(at + "is not a tree");
      }
      reached[static_cast<std::size_t>(child)] = 1;
      open.push_back(static_cast<std::size_t>(child));
    }
  }
  return {};
}

Status check_trees(const Plain& model, const Shape& shape) {
  const Plain& trees = model.at("trees");
  const Plain& info = model.at("tree_info");
  if (!trees.is_array() || info.size() != trees.size()) return damaged("tree_info does not fit the trees");
  if (integer_text(model.at("gbtree_model_param").at("num_trees"), -1) !=
      static_cast<std::int64_t>(trees.size())) {
    return damaged("the number of trees is not the one it says");
  }
  const std::int64_t parallel = integer_text(model.at("gbtree_model_param").at("num_parallel_tree"), 0);
  if (parallel < 1 || parallel > 1'000'000 ||
      trees.size() % (static_cast<std::size_t>(parallel) * shape.outputs) != 0) {
    return damaged("the trees are not whole rounds");  // the library divides by these
  }
  for (std::size_t t = 0; t < trees.size(); ++t) {
    const auto group = info[t].get<std::int64_t>();
    if (group < 0 || static_cast<std::size_t>(group) >= shape.outputs)
      return damaged("tree " + std::to_string(t) + " is of no class");
    const Plain& tree = trees[t];
    const auto categorical = [](const Plain& type) { return type != 0; };
    if (tree.contains("split_type") && std::ranges::any_of(tree.at("split_type"), categorical)) {
      return damaged("categorical splits are not supported");
    }
    MR_DO(check_tree(tree, shape.features, t));
  }
  return {};
}

Result<Shape> check_learner(const Plain& learner) {
  const Plain& parameters = learner.at("learner_model_param");
  const std::int64_t features = integer_text(parameters.at("num_feature"), 0);
  const std::int64_t classes = integer_text(parameters.at("num_class"), 0);
  const std::int64_t targets =
      parameters.contains("num_target") ? integer_text(parameters.at("num_target"), 1) : 1;
  if (features < 1 || features > 100'000'000) return damaged("num_feature is wrong");
  if (classes < 0 || classes > 1'000'000 || targets != 1) return damaged("num_class or num_target is wrong");
  Shape shape{static_cast<std::size_t>(features),
              static_cast<std::size_t>(std::max<std::int64_t>(1, classes)), false};
  const Plain& booster = learner.at("gradient_booster");
  const std::string name = booster.at("name").get<std::string>();
  if (name == "gblinear") {
    shape.linear = true;
    if (booster.at("model").at("weights").size() != (shape.features + 1) * shape.outputs)
      return damaged("wrong number of weights");
  } else if (name == "gbtree") {
    MR_DO(check_trees(booster.at("model"), shape));
  } else if (name == "dart") {
    const Plain& trees = booster.at("gbtree").at("model");
    MR_DO(check_trees(trees, shape));
    if (booster.at("weight_drop").size() != trees.at("trees").size())
      return damaged("wrong number of weight_drop");
  } else {
    return damaged("booster '" + name + "' is unknown");
  }
  return shape;
}

Result<Shape> check_model(std::string_view bytes) {
  try {
    // A text of nested brackets would exhaust the stack of a reader that recurses; real models nest less than
    // ten deep.
    const Plain model = Plain::parse(bytes, [](int depth, Plain::parse_event_t, Plain&) {
      if (depth > 32) throw std::runtime_error("nested too deep");
      return true;
    });
    return check_learner(model.at("learner"));
  } catch (const std::exception& error) {
    return damaged(error.what());
  }
}

class XgboostModel final : public Model {
 public:
  XgboostModel(std::string bytes, Shape shape, XgbBooster booster)
      : bytes_(std::move(bytes)), shape_(shape), booster_(std::move(booster)) {}

  std::string_view algorithm() const override { return "xgboost"; }
  std::size_t n_features() const override { return shape_.features; }
  std::string save() const override { return bytes_; }
  Result<Matrix> predict(MatrixView X) const override {
    MR_DO(check_features("xgboost", X, shape_.features));
    if (X.rows == 0) return Matrix(0, shape_.outputs);
    xgb_use_threads(1);
    return shape_.linear ? predict_in_turn(X) : predict_in_place(X);
  }

 private:
  Result<Matrix> predict_in_place(MatrixView X) const {
    const std::string values = R"({"data":[)" + std::to_string(reinterpret_cast<std::uintptr_t>(X.data)) +
                               R"(,true],"shape":[)" + std::to_string(X.rows) + "," + std::to_string(X.cols) +
                               R"(],"typestr":"<f4","version":3})";
    const bst_ulong* shape = nullptr;
    bst_ulong dims = 0;
    const float* scores = nullptr;
    MR_DO(xgb_status(
        XGBoosterPredictFromDense(booster_.get(), values.c_str(), kPredict, nullptr, &shape, &dims, &scores),
        "predict"));
    return copy(X.rows, shape, dims, scores);
  }

  Result<Matrix> predict_in_turn(MatrixView X) const {
    MR_TRY(matrix, xgb_matrix(X));
    const std::lock_guard lock(mutex_);
    const bst_ulong* shape = nullptr;
    bst_ulong dims = 0;
    const float* scores = nullptr;
    MR_DO(xgb_status(
        XGBoosterPredictFromDMatrix(
            booster_.get(), matrix.get(),
            R"({"type":0,"training":false,"iteration_begin":0,"iteration_end":0,"strict_shape":true})",
            &shape, &dims, &scores),
        "predict"));
    return copy(X.rows, shape, dims, scores);
  }

  // The library's answer lives in a buffer of this thread until its next call.
  Result<Matrix> copy(std::size_t rows, const bst_ulong* shape, bst_ulong dims, const float* scores) const {
    std::size_t count = 1;
    for (bst_ulong i = 0; i < dims; ++i) count *= shape[i];
    if (count != rows * shape_.outputs)
      return fail(ErrorCode::Internal, "xgboost answered with another shape than the model's");
    Matrix out(rows, shape_.outputs);
    std::copy(scores, scores + count, out.values.begin());
    return out;
  }

  const std::string bytes_;
  const Shape shape_;
  const XgbBooster booster_;
  mutable std::mutex mutex_;
};

}  // namespace

Result<std::unique_ptr<const Model>> load_xgboost(std::string_view bytes) {
  MR_TRY(shape, check_model(bytes));
  xgb_use_threads(1);
  MR_TRY(booster, xgb_booster());
  MR_DO(xgb_set(booster.get(), "verbosity", "0"));
  if (const Status loaded =
          xgb_status(XGBoosterLoadModelFromBuffer(booster.get(), bytes.data(), bytes.size()), "read a model");
      !loaded) {
    return damaged(loaded.error().message);
  }
  MR_DO(xgb_set(booster.get(), "nthread", "1"));
  auto model = std::make_unique<XgboostModel>(std::string(bytes), shape, std::move(booster));
  // The library finishes its configuration at the first prediction, which must be alone.
  const Matrix probe(1, shape.features);
  if (auto first = model->predict(probe); !first) return damaged(first.error().message);
  return std::unique_ptr<const Model>(std::move(model));
}

}  // namespace millrace::tasks
