// Micro benchmark of JSONata: nanoseconds per evaluation on an order book of 3 orders (about 1 KiB) and of
// 3,000 (about 1 MiB), one JSON line each; and of compiling. With a folder as its argument it reads what
// bench/jsonata_peers.sh leaves there (expressions.json, small.json, large.json) and prints evaluations per
// second with the SHA-256 of each result, for comparison with the npm reference.

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "base/check.h"
#include "base/encoding.h"
#include "definitions/jsonata/jsonata.h"

namespace {

using namespace millrace;
using namespace millrace::definitions;
using Clock = std::chrono::steady_clock;

struct Expression {
  std::string name, text;
};

const std::vector<Expression> kExpressions = {
    {"path", "orders[1].buyer.city"},
    {"path_of_many", "orders.lines.sku"},
    {"filter", "orders.lines[amount > 3].sku"},
    {"sum", "$sum(orders.lines.(amount * cost))"},
    {"objects", "orders.{'no': no, 'city': buyer.city, 'lines': $count(lines)}"},
    {"map", "$map(orders, function($o, $i){ $o.no & '/' & $i })"},
    {"reduce", "$reduce(orders.lines.amount, function($a, $b){ $a + $b })"},
    {"group", "orders{buyer.city: $sum(lines.amount)}"},
    {"sort", "orders^(>total, no).no"},
    {"join", "orders@$o.$o.lines@$l[$l.amount > $o.least].{'no': $o.no, 'sku': $l.sku}"},
    {"parent", "orders.lines[amount > 3].{'sku': sku, 'no': %.no}"},
    {"transform", "$ ~> |orders.lines|{'gross': cost * 1.19}, 'cost'|"},
    {"text", "$join(orders.($uppercase(buyer.city) & ':' & $pad($string(no), 6, '.')), ', ')"},
    {"regex", "orders.$replace(buyer.mail, /@(\\w+)\\./, '<$1>')"},
    {"date", "orders.$fromMillis(placed, '[Y]-[M01]-[D01]')"},
    {"recursion", "($f := function($n){ $n < 2 ? $n : $f($n - 1) + $f($n - 2) }; $f(15))"},
    {"tail_calls", "($f := function($n, $a){ $n = 0 ? $a : $f($n - 1, $a + $n) }; $f(1000, 0))"},
};

Payload orders(int count) {
  JsonWriter out;
  std::uint32_t state = 7;
  const auto below = [&](std::uint32_t n) { return (state = state * 1103515245u + 12345u) / 65536u % n; };
  const char* const cities[] = {"Oslo", "Lima", "Graz", "Kyoto", "Accra"};
  out.begin_object().key("orders").begin_array();
  for (int i = 0; i < count; ++i) {
    const std::string city = cities[below(5)];
    out.begin_object()
        .key("no")
        .number(std::int64_t{i + 1})
        .key("placed")
        .number(std::int64_t{1'600'000'000'000 + below(32768) * 1'000'000LL});
    out.key("total").number(below(10'000) / 100.0).key("least").number(std::int64_t{below(5)});
    out.key("buyer")
        .begin_object()
        .key("city")
        .string(city)
        .key("mail")
        .string("b" + std::to_string(i) + "@" + city + ".example")
        .end_object();
    out.key("lines").begin_array();
    for (std::uint32_t left = 1 + below(5); left > 0; --left)
      out.begin_object()
          .key("sku")
          .string("P" + std::to_string(below(9000)))
          .key("amount")
          .number(std::int64_t{1 + below(8)})
          .key("cost")
          .number((1 + below(5000)) / 100.0)
          .end_object();
    out.end_array().end_object();
  }
  out.end_array().end_object();
  return out.finish();
}

JsonataResult evaluate(const Jsonata& expression, const Payload& document) {
  static const Limits kLimits = [] {
    Limits limits;
    limits.jsonata_steps_max = 1'000'000'000;
    return limits;
  }();
  const Environment environment{from_millis(0), 1, &kLimits};
  return expression.evaluate(document.view(), {}, environment);
}

// Nanoseconds of one call: the median of five rounds of at least `millis` each.
template <class Work>
double nanoseconds(Work work, int millis) {
  std::vector<double> rounds;
  for (int round = 0; round < 5; ++round) {
    const auto start = Clock::now(), until = start + std::chrono::milliseconds(millis);
    std::int64_t calls = 0;
    do {
      work();
      ++calls;
    } while (Clock::now() < until);
    rounds.push_back(std::chrono::duration<double, std::nano>(Clock::now() - start).count() /
                     static_cast<double>(calls));
  }
  std::sort(rounds.begin(), rounds.end());
  return rounds[2];
}

Jsonata compiled(const std::string& text) {
  auto made = Jsonata::compile(text, JsonataDialect::Jsonata);
  MR_CHECK(made, "the expression compiles");
  return *made;
}

std::string read(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

int compare_with_peer(const std::string& folder) {
  const auto list = Payload::parse(read(folder + "/expressions.json"));
  MR_CHECK(list, "expressions.json is JSON");
  for (const char* doc : {"small", "large"}) {
    const auto document = Payload::parse(read(folder + "/" + doc + ".json"));
    MR_CHECK(document, "the document is JSON");
    for (const JsonView entry : list->view().elements()) {
      const Jsonata expression = compiled(entry.find("expr").string());
      const auto result = evaluate(expression, *document);
      MR_CHECK(result.kind == JsonataResult::Kind::Value, "there is a result");
      const double each = nanoseconds([&] { evaluate(expression, *document); }, 100);
      std::printf("{\"name\":\"%s\",\"doc\":\"%s\",\"ops_per_s\":%.1f,\"check\":\"%s\"}\n",
                  entry.find("name").string().c_str(), doc, 1e9 / each,
                  digest_hex(Digest::Sha256, result.value.text()).c_str());
    }
  }
  const double each = nanoseconds(
      [&] {
        for (const JsonView entry : list->view().elements()) compiled(entry.find("expr").string());
      },
      100);
  std::printf("{\"name\":\"compile (all expressions)\",\"doc\":\"-\",\"ops_per_s\":%.1f}\n", 1e9 / each);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 1) return compare_with_peer(argv[1]);
  for (const int count : {3, 3000}) {
    const Payload document = orders(count);
    for (const Expression& row : kExpressions) {
      const Jsonata expression = compiled(row.text);
      MR_CHECK(evaluate(expression, document).kind == JsonataResult::Kind::Value, "there is a result");
      std::printf("{\"bench\":\"%s\",\"bytes\":%zu,\"ns\":%.0f}\n", row.name.c_str(), document.size(),
                  nanoseconds([&] { evaluate(expression, document); }, 40));
    }
  }
  for (const Expression& row : kExpressions)
    std::printf("{\"bench\":\"compile_%s\",\"ns\":%.0f}\n", row.name.c_str(),
                nanoseconds([&] { compiled(row.text); }, 20));
}
