#pragma once
// How commands ask for jobs, models and their lineage: SageMaker's operations, on a server or on a home.

#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "service/client/access.h"

namespace millrace::cli {

Result<Json> ask_sagemaker(client::Access& access, std::string_view operation, const Json& input);
// Every item of a list operation, page by page, at most `limit`.
Result<std::vector<Json>> ask_sagemaker_all(client::Access& access, std::string_view operation, Json input,
                                            std::string_view member, std::size_t limit = 100'000);

// "1.5 GB" of bytes, "0.9491" of numbers, texts as they are: for people.
std::string bytes_text(double bytes);
std::string cell_text(const Json& value);

// A table with columns as wide as their cells; the first row is the head.
void print_cells(const std::vector<std::vector<std::string>>& rows);

}  // namespace millrace::cli
