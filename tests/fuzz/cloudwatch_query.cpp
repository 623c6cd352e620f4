// Forms of CloudWatch's Query protocol: what is read is a document, and answers of it are XML without a loose
// bracket.

#include <algorithm>

#include "base/check.h"
#include "service/api/cloudwatch_query.h"
#include "tests/fuzz/input.h"

using namespace millrace;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view form = fuzz::text_of(data, size);
  const std::string action = api::cloudwatch_action(form);
  const auto input = api::cloudwatch_input_of_form(form);
  if (!input) return 0;
  MR_CHECK(input->view().is_object(), "a form is an object");
  const auto again = Payload::parse(input->text());
  MR_CHECK(again && again->text() == input->text(), "it is JSON");
  const std::string error = api::cloudwatch_error_xml(action, action, true, "id");
  const auto opened = std::count(error.begin(), error.end(), '<'),
             closed = std::count(error.begin(), error.end(), '>');
  MR_CHECK(opened == closed, "what clients write is escaped");
  return 0;
}
