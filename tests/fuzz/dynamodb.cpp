// DynamoDB's expressions: the first line is a letter that says which sort (c condition, u update, p
// projection) and the expression; the rest is {"Item": …, "Names": …, "Values": …}, or what an item is made
// of.

#include "base/utf8.h"
#include "tasks/integrations/dynamodb/evaluate.h"
#include "tests/fuzz/input.h"

using namespace millrace;
using namespace millrace::tasks;
using namespace millrace::tasks::dynamodb;

namespace {

void check_error(const ServiceError& error) {
  MR_CHECK(error.code == "ValidationException" || error.code == "SerializationException",
           "the request is what is wrong");
  MR_CHECK(!error.message.empty() && !error.of_store, "an error says why");
}

// An item reads back as it was written, in the order of its numbers.
void check_item(const Item& item) {
  const auto again = Payload::parse(to_text(item));
  MR_CHECK(again.has_value(), "an item is JSON");
  const auto parsed = parse_item(again->view());
  MR_CHECK(parsed && *parsed == item, "an item reads back");
  MR_CHECK(size_of(*parsed) == size_of(item), "and has its size");
}

void check_order(const Item& item) {
  for (const auto& [name, a] : item) {
    for (const auto& [other, b] : item) {
      const auto order = compare(a, b);
      if (order) MR_CHECK((sort_key(a) < sort_key(b)) == (*order < 0), "keys sort as values do");
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto [expression, rest] = fuzz::parts_of(data, size);
  if (expression.empty() || !valid_utf8(expression)) return 0;
  const char sort = expression[0];
  expression.remove_prefix(1);
  const auto document = Payload::parse(rest);
  JsonView view =
      document && document->view().is_object() ? document->view() : Payload::empty_object().view();
  auto placeholders = Placeholders::read(view.find("Names"), view.find("Values"));
  if (!placeholders) {
    check_error(placeholders.error());
    placeholders = Placeholders();
  }
  const JsonView given = view.find("Item");
  auto parsed = parse_item(given ? given : view);
  if (!parsed) check_error(parsed.error());
  Item item = parsed ? *parsed : Item{};
  check_item(item);
  check_order(item);
  if (sort == 'c') {
    const auto condition = parse_condition("ConditionExpression", expression, *placeholders);
    condition ? void(holds(*condition, item)) : check_error(condition.error());
  } else if (sort == 'u') {
    const auto update = parse_update(expression, *placeholders);
    if (!update) {
      check_error(update.error());
      return 0;
    }
    const Item before = item;
    const auto applied = apply(*update, item);
    if (!applied) check_error(applied.error());
    if (!applied) MR_CHECK(item == before, "an update that fails changes nothing");
    check_item(item);
  } else {
    const auto paths = parse_projection(expression, *placeholders);
    if (!paths) {
      check_error(paths.error());
      return 0;
    }
    const Item part = project(item, *paths);
    MR_CHECK(size_of(part) <= size_of(item), "a projection adds nothing");
    check_item(part);
  }
  return 0;
}
