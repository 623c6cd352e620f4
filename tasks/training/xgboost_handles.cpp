#include "tasks/training/xgboost_handles.h"

#include <omp.h>

#include <cstdlib>
#include <limits>

namespace millrace::tasks {

namespace {

// "[07:31:02] ./src/learner.cc:734: Check failed: …\nStack trace:\n…" without its time, place and trace
std::string plain_message(std::string_view text) {
  text = text.substr(0, text.find("\nStack trace"));
  const std::size_t check = text.find("Check failed: ");
  if (check != std::string_view::npos) {
    text.remove_prefix(check + 14);
    // "a == b (1 vs. 2) : words": the words, if there are any, are for people
    const std::size_t words = text.find(" : ");
    if (words != std::string_view::npos && words + 3 < text.size()) text.remove_prefix(words + 3);
  } else if (text.starts_with('[')) {
    const std::size_t place = text.find(": ");
    if (place != std::string_view::npos) text.remove_prefix(place + 2);
  }
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.remove_suffix(1);
  while (!text.empty() && (text.front() == '\n' || text.front() == ' ')) text.remove_prefix(1);
  return std::string(text);
}

}  // namespace

Status xgb_status(int code, std::string_view doing) {
  if (code == 0) return {};
  return invalid("xgboost could not " + std::string(doing) + ": " + plain_message(XGBGetLastError()));
}

void xgb_use_threads(int threads) {
  omp_set_num_threads(threads);
}

bool xgb_threads_sleep() {
  static const bool sleep = [] {
    const char* policy = std::getenv("OMP_WAIT_POLICY");
    const std::string_view text = policy ? policy : "";
    return text == "passive" || text == "PASSIVE" || std::getenv("GOMP_SPINCOUNT") != nullptr;
  }();
  return sleep;
}

Result<XgbBooster> xgb_booster(const std::vector<void*>& matrices) {
  BoosterHandle handle = nullptr;
  MR_DO(xgb_status(XGBoosterCreate(matrices.data(), matrices.size(), &handle), "make a booster"));
  return XgbBooster(handle);
}

Status xgb_set(void* booster, std::string_view name, std::string_view value) {
  const std::string n(name), v(value);
  return xgb_status(XGBoosterSetParam(booster, n.c_str(), v.c_str()), "take " + n + "=" + v);
}

Result<XgbMatrix> xgb_matrix(MatrixView X) {
  DMatrixHandle handle = nullptr;
  MR_DO(xgb_status(
      XGDMatrixCreateFromMat(X.data, X.rows, X.cols, std::numeric_limits<float>::quiet_NaN(), &handle),
      "take the data"));
  return XgbMatrix(handle);
}

Result<std::string> xgb_model_json(void* booster) {
  bst_ulong size = 0;
  const char* bytes = nullptr;
  MR_DO(xgb_status(XGBoosterSaveModelToBuffer(booster, R"({"format":"json"})", &size, &bytes),
                   "write its model"));
  return std::string(bytes, size);
}

}  // namespace millrace::tasks
