#pragma once
// Texts in a model's bytes (model_bytes.h): their lengths, then their characters, four to a number. One
// thread.

#include <span>
#include <string>
#include <vector>

#include "tasks/training/model_bytes.h"

namespace millrace::tasks {

void put_texts(ModelWriter& writer, std::span<const std::string> texts);
// What put_texts wrote; nothing when it is not whole.
std::vector<std::string> read_texts(ModelReader& reader, bool& whole);

}  // namespace millrace::tasks
