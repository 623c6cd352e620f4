#pragma once
// The handles of libxgboost's C API and its error texts. A handle is used by one thread at a time, but for
// XGBoosterPredictFromDense on a booster that has predicted once before.

#include <xgboost/c_api.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "tasks/numeric/matrix.h"

namespace millrace::tasks {

struct MatrixFree {
  void operator()(void* handle) const noexcept { XGDMatrixFree(handle); }
};
struct BoosterFree {
  void operator()(void* handle) const noexcept { XGBoosterFree(handle); }
};
using XgbMatrix = std::unique_ptr<void, MatrixFree>;
using XgbBooster = std::unique_ptr<void, BoosterFree>;

// Turns the return code of a call just made into a Status; the library's message without source lines and
// stack traces.
Status xgb_status(int code, std::string_view doing);
// How many threads the library's parallel parts that have no setting of their own use when this thread calls
// it.
void xgb_use_threads(int threads);
// Whether libgomp's idle threads sleep: the process began with OMP_WAIT_POLICY=passive or with GOMP_SPINCOUNT
// set.
bool xgb_threads_sleep();

// A booster that keeps its predictions for `matrices` from round to round; they must outlive it. None: one to
// load into.
Result<XgbBooster> xgb_booster(const std::vector<void*>& matrices = {});
Status xgb_set(void* booster, std::string_view name, std::string_view value);
// NaN is missing.
Result<XgbMatrix> xgb_matrix(MatrixView X);
// The booster's JSON model.
Result<std::string> xgb_model_json(void* booster);

}  // namespace millrace::tasks
