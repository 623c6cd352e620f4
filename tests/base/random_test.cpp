#include "base/random.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <set>

using namespace millrace;

TEST_CASE("random: the same seed gives the same numbers, another seed others") {
  Random a(7), b(7), c(8);
  bool differs = false;
  for (int i = 0; i < 100; ++i) {
    const auto x = a.next();
    CHECK(x == b.next());
    differs |= x != c.next();
  }
  CHECK(differs);
}

TEST_CASE("random: a derived stream does not depend on how far its parent went") {
  Random a(7), b(7);
  for (int i = 0; i < 50; ++i) b.next();
  CHECK(a.derive("tree", 3).next() == b.derive("tree", 3).next());
  CHECK(a.derive("tree", 3).next() != a.derive("tree", 4).next());
  CHECK(a.derive("tree").next() != a.derive("row").next());
}

TEST_CASE("random: below() is even and stays in range") {
  Random r(1);
  std::array<int, 6> seen{};
  for (int i = 0; i < 60000; ++i) ++seen[r.below(6)];
  // Each face: 10,000 expected, standard deviation 91; five of them on either side.
  for (const int n : seen) CHECK(std::abs(n - 10000) < 456);
}

TEST_CASE("random: uniform and normal have the moments they should") {
  Random r(2);
  double sum = 0, normal_sum = 0, normal_squares = 0;
  for (int i = 0; i < 100000; ++i) {
    const double u = r.uniform();
    CHECK((u >= 0 && u < 1));
    sum += u;
    const double z = r.normal();
    normal_sum += z;
    normal_squares += z * z;
  }
  CHECK(sum / 1e5 == doctest::Approx(0.5).epsilon(0.01));
  CHECK(std::abs(normal_sum / 1e5) < 0.016);  // five standard errors
  CHECK(normal_squares / 1e5 == doctest::Approx(1.0).epsilon(0.025));
}

TEST_CASE("random: UUIDs have their version and variant, and version 7 sorts by time") {
  Random r(3);
  std::set<std::string> seen;
  for (int i = 0; i < 1000; ++i) {
    const std::string id = uuid_v4(r);
    REQUIRE(id.size() == 36);
    CHECK(id[14] == '4');
    CHECK(std::string("89ab").find(id[19]) != std::string::npos);
    seen.insert(id);
  }
  CHECK(seen.size() == 1000);
  CHECK(uuid_v7(1000, r) < uuid_v7(1001, r));
  CHECK(uuid_v7(1000, r)[14] == '7');
}
