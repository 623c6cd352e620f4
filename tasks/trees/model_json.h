#pragma once
// Ensembles as XGBoost's JSON models, which its other languages read and write. Writing gives the fields and
// their order of XGBoost 1.7, with floats in their shortest form, so that the same ensemble is always the
// same bytes. Reading takes models of 1.x and 2.x, and trusts nothing: sizes, indices,
// circles, numbers that no float holds. Walks of what was read end.

#include <string>
#include <string_view>

#include "base/result.h"
#include "tasks/trees/tree.h"

namespace millrace::tasks::trees {

std::string write_model(const Ensemble& ensemble);
// DataLoss: "not a usable xgboost model: tree 3 is not a tree".
Result<Ensemble> read_model(std::string_view bytes);

}  // namespace millrace::tasks::trees
