#pragma once
// What expressions mean for an item: whether a condition holds, what an update makes of it, what a projection
// leaves. Pure.

#include "tasks/integrations/dynamodb/expression.h"

namespace millrace::tasks::dynamodb {

// Null when there is nothing at that path.
const Value* find(const Item& item, const Path& path);
bool holds(const Condition& condition, const Item& item);
// All values are those of the item before; errors are ValidationExceptions (what is not there, has the wrong
// type, or has no place). `item` is changed only when all went well.
Checked<bool> apply(const Update& update, Item& item);
// What is at these paths, in maps and lists as in the item; what is not there is left out.
Item project(const Item& item, const std::vector<Path>& paths);

}  // namespace millrace::tasks::dynamodb
