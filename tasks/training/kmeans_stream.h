#pragma once
// kmeans on a stream of rows, and what it takes of the fit in memory. One thread.

#include "tasks/numeric/matrix.h"
#include "tasks/training/estimator.h"
#include "tasks/training/hyperparameters.h"

namespace millrace::tasks {

// The centres (k, d) that a fit on these rows comes to (kmeans_fit.cpp): its errors.
Result<Matrix> find_kmeans_centres(const ParameterReader& read, const Dataset& rows,
                                   const FitContext& context);
// InvalidArgument (the rows; fewer than k), the stream's errors, Cancelled.
Result<Fitted> fit_kmeans_stream(const ParameterReader& read, RowStream& train, const FitContext& context);

}  // namespace millrace::tasks
