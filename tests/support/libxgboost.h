#pragma once
// libxgboost as the reference: the engine's models and scores are compared with its. Only tests and
// benchmarks link it, where it is installed; MILLRACE_HAS_XGBOOST says so. One thread at a time. Exits on its
// errors.

#if __has_include(<xgboost/c_api.h>)
#define MILLRACE_HAS_XGBOOST 1
#include <xgboost/c_api.h>

#include <cstdio>
#include <cstdlib>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include "tasks/training/estimator.h"

namespace millrace::tasks {

class ReferenceXgboost {
 public:
  ~ReferenceXgboost() {
    if (booster_) XGBoosterFree(booster_);
  }
  ReferenceXgboost() = default;
  ReferenceXgboost(const ReferenceXgboost&) = delete;
  ReferenceXgboost& operator=(const ReferenceXgboost&) = delete;

  // "c" of a column of categories, "float" of the others; none: all are numbers. Before fit or predict.
  std::vector<std::string> feature_types;

  // Trains on the data. `parameters` with num_round, under the names of both.
  void fit(const HyperParameters& parameters, const Dataset& train) {
    const Matrix_ data(train, feature_types);
    must(XGBoosterCreate(&data.handle, 1, &booster_));
    must(XGBoosterSetParam(booster_, "verbosity", "0"));
    int rounds = 0;
    for (const auto& [name, value] : parameters) {
      if (name == "num_round")
        rounds = std::atoi(value.c_str());
      else
        must(XGBoosterSetParam(booster_, name.c_str(), value.c_str()));
    }
    for (int round = 0; round < rounds; ++round) must(XGBoosterUpdateOneIter(booster_, round, data.handle));
  }
  void load(const std::string& bytes) {
    must(XGBoosterCreate(nullptr, 0, &booster_));
    must(XGBoosterSetParam(booster_, "nthread", "1"));
    must(XGBoosterLoadModelFromBuffer(booster_, bytes.data(), bytes.size()));
  }
  // format: "json" or "ubj"
  std::string model(const std::string& format = "json") const {
    bst_ulong size = 0;
    const char* bytes = nullptr;
    must(XGBoosterSaveModelToBuffer(booster_, (R"({"format":")" + format + "\"}").c_str(), &size, &bytes));
    return std::string(bytes, size);
  }
  // type 0: predictions, 1: margins, 2: contributions, 4: interactions, 6: leaves. All values, row by row.
  std::vector<float> predict(MatrixView X, int type = 0) const {
    Dataset rows;
    rows.X.values.assign(X.data, X.data + X.rows * X.cols), rows.X.rows = X.rows, rows.X.cols = X.cols;
    const Matrix_ data(rows, feature_types);
    const bst_ulong* shape = nullptr;
    bst_ulong dims = 0;
    const float* out = nullptr;
    const std::string config =
        R"({"type":)" + std::to_string(type) +
        R"(,"training":false,"iteration_begin":0,"iteration_end":0,"strict_shape":true})";
    must(XGBoosterPredictFromDMatrix(booster_, data.handle, config.c_str(), &shape, &dims, &out));
    std::size_t count = 1;
    for (bst_ulong i = 0; i < dims; ++i) count *= shape[i];
    return {out, out + count};
  }
  // Predictions of rows as they stand in memory, without a matrix of the library's own: its fastest way.
  std::vector<float> predict_in_place(MatrixView X) const {
    const std::string rows = R"({"data":[)" + std::to_string(reinterpret_cast<std::size_t>(X.data)) +
                             R"(,true],"shape":[)" + std::to_string(X.rows) + "," + std::to_string(X.cols) +
                             R"(],"typestr":"<f4","version":3})";
    const bst_ulong* shape = nullptr;
    bst_ulong dims = 0;
    const float* out = nullptr;
    must(XGBoosterPredictFromDense(
        booster_, rows.c_str(),
        R"({"type":0,"training":false,"iteration_begin":0,"iteration_end":0,"strict_shape":true,"missing":NaN,"cache_id":0})",
        nullptr, &shape, &dims, &out));
    return {out, out + shape[0] * shape[1]};
  }
  void set(const char* name, const std::string& value) {
    must(XGBoosterSetParam(booster_, name, value.c_str()));
  }
  // "auc" of the data, as it prints it.
  double metric(const std::string& name, const Dataset& data) {
    const Matrix_ rows(data, feature_types);
    must(XGBoosterSetParam(booster_, "eval_metric", name.c_str()));
    const char* channel = "d";
    const char* text = nullptr;
    DMatrixHandle handle = rows.handle;
    must(XGBoosterEvalOneIter(booster_, 0, &handle, &channel, 1, &text));
    const std::string line = text;
    return std::strtod(line.c_str() + line.rfind(':') + 1, nullptr);
  }

 private:
  struct Matrix_ {
    DMatrixHandle handle = nullptr;
    Matrix_(const Dataset& data, const std::vector<std::string>& types) {
      must(XGDMatrixCreateFromMat(data.X.values.data(), data.X.rows, data.X.cols,
                                  std::numeric_limits<float>::quiet_NaN(), &handle));
      const std::vector<float> y(data.y.begin(), data.y.end()), w(data.weights.begin(), data.weights.end());
      if (!y.empty()) must(XGDMatrixSetFloatInfo(handle, "label", y.data(), y.size()));
      if (!w.empty()) must(XGDMatrixSetFloatInfo(handle, "weight", w.data(), w.size()));
      std::vector<const char*> names;
      for (const std::string& type : types) names.push_back(type.c_str());
      if (!names.empty())
        must(XGDMatrixSetStrFeatureInfo(handle, "feature_type", names.data(), names.size()));
    }
    ~Matrix_() { XGDMatrixFree(handle); }
    Matrix_(const Matrix_&) = delete;
    Matrix_& operator=(const Matrix_&) = delete;
  };
  static void must(int code) {
    if (code == 0) return;
    std::fprintf(stderr, "libxgboost: %s\n", XGBGetLastError());
    std::abort();
  }
  BoosterHandle booster_ = nullptr;
};

}  // namespace millrace::tasks

#endif
