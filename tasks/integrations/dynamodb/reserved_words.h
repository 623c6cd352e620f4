#pragma once
// The words that may not stand for attributes in DynamoDB's expressions (a placeholder #name may). Pure.
// Source: Amazon DynamoDB developer guide, "Reserved words".

#include <string_view>

namespace millrace::tasks::dynamodb {

bool is_reserved_word(std::string_view word);  // in any case

}  // namespace millrace::tasks::dynamodb
