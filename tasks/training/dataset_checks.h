#pragma once
// What every algorithm asks of its data before it looks at values: shapes that agree, finite targets and
// weights.

#include <string>
#include <string_view>

#include "base/result.h"
#include "tasks/training/estimator.h"

namespace millrace::tasks {

enum class MissingValues { Allowed, Refused };

// Where a row of the data is: "s3://shop/train/a.csv: row 3", or "row 3" where it is not known of which
// object. Rows count from 1, without the header.
std::string row_place(const Dataset& data, std::size_t i);

// InvalidArgument; messages name the channel ("train"), row and column: "train: s3://shop/train/a.csv: row 3,
// column 'age': the value is missing". Checked: X is (n, d) with n >= 1, d >= 1; y, weights and feature_names
// fit; y finite; weights finite, >= 0, not all 0; X without infinities, and without NaN when `missing` says
// so.
Status check_dataset(std::string_view channel, const Dataset& data, MissingValues missing);
// The same by what an algorithm declares: y may also be empty unless a target is required, and weights that
// it does not take are refused.
Status check_dataset(std::string_view channel, const Dataset& data, const DataNeeds& needs);
// The validation channel: checked by itself, and its features must be those of `train`.
Status check_validation(const Dataset& train, const Dataset& validation, MissingValues missing);
// The features of another channel must be those of `train`.
Status check_same_features(std::string_view channel, const Dataset& train, const Dataset& other);
// "1 row", "2 rows".
std::string counted(std::size_t n, std::string_view noun);
// Every target is a whole number from 0 to classes - 1. The message names the row, the value and `remedy`.
Status check_classes(std::string_view channel, const Dataset& data, std::int64_t classes,
                     std::string_view remedy);
// A `feature_dim` that was given must be what the data has.
Status check_feature_dim(std::int64_t feature_dim, const Dataset& train);
// X must have d columns.
Status check_features(std::string_view algorithm, MatrixView X, std::size_t d);
// X must have d columns and no value that is missing or infinite; the message names row and feature.
Status check_whole_rows(std::string_view algorithm, MatrixView X, std::size_t d);

}  // namespace millrace::tasks
