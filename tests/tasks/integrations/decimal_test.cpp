#include "tasks/integrations/dynamodb/decimal.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "base/random.h"

using namespace millrace;
using namespace millrace::tasks::dynamodb;

namespace {

Decimal decimal(const std::string& text) {
  const auto parsed = Decimal::parse(text);
  REQUIRE_MESSAGE(parsed, text);
  return *parsed;
}

}  // namespace

TEST_CASE("Decimal: texts in and out") {
  const std::pair<const char*, const char*> kTexts[] = {
      {"0", "0"},
      {"-0.00", "0"},
      {"+7", "7"},
      {"007.50", "7.5"},
      {".5", "0.5"},
      {"5.", "5"},
      {"1e2", "100"},
      {"12.5E-3", "0.0125"},
      {"-1200", "-1200"},
      {"1E+3", "1000"},
      {"99999999999999999999999999999999999999", "99999999999999999999999999999999999999"},
  };
  for (const auto& [in, out] : kTexts) CHECK(decimal(in).text() == out);
  for (const char* wrong : {"", "-", ".", "1e", "1e+", "1 ", " 1", "0x1", "1.2.3", "NaN", "--1", "1e1.5"})
    CHECK_MESSAGE(!Decimal::parse(wrong), wrong);
  CHECK(decimal("1E125").text().size() == 126);
  CHECK(decimal("1E-130").text().size() == 132);
  CHECK(!Decimal::parse("1E99999999999999999999"));
}

TEST_CASE("Decimal: keys sort as numbers do") {
  const std::vector<std::string> sorted = {"-9.9E125", "-1E20", "-123.5", "-123.45", "-123.4", "-123",
                                           "-1.01",    "-1",    "-0.5",   "-1E-130", "0",      "1E-130",
                                           "0.009",    "0.01",  "0.5",    "0.51",    "1",      "1.0001",
                                           "9",        "10",    "10.5",   "99",      "100",    "1E125"};
  for (std::size_t i = 0; i < sorted.size(); ++i) {
    for (std::size_t j = 0; j < sorted.size(); ++j) {
      const Decimal a = decimal(sorted[i]), b = decimal(sorted[j]);
      CHECK_MESSAGE((a.sort_key() < b.sort_key()) == (i < j), (sorted[i] + " and " + sorted[j]));
      CHECK((a == b) == (i == j));
    }
  }
}

TEST_CASE("Decimal: sums are those of integers, shifted at will") {
  Random random(11);
  for (int round = 0; round < 5000; ++round) {
    const auto whole = [&] { return static_cast<std::int64_t>(random.below(2'000'001)) - 1'000'000; };
    const std::int64_t a = whole(), b = whole();
    const std::string shift = "E" + std::to_string(static_cast<int>(random.below(40)) - 20);
    const auto sum = decimal(std::to_string(a) + shift).plus(decimal(std::to_string(b) + shift));
    REQUIRE(sum);
    CHECK(*sum == decimal(std::to_string(a + b) + shift));
  }
  CHECK(decimal("1E37").plus(decimal("0.1")).has_value() == false);
  CHECK(decimal("9E125").plus(decimal("1E125")).has_value() == false);
  CHECK(decimal("1E37").plus(decimal("1"))->text() == "1" + std::string(36, '0') + "1");
  CHECK(decimal("5").plus(decimal("-5"))->text() == "0");
}
