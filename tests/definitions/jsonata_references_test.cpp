// What an expression reads, and what a state's expression may not read.

#include <doctest/doctest.h>

#include <string>

#include "definitions/jsonata/jsonata.h"

using namespace millrace;
using namespace millrace::definitions;

namespace {

std::string references(std::string_view text, JsonataDialect dialect = JsonataDialect::StatesLanguage) {
  const auto compiled = Jsonata::compile(text, dialect);
  if (!compiled) return compiled.error().code + " at " + std::to_string(compiled.error().position);
  std::string out;
  for (const JsonataReference& reference : compiled->references()) {
    if (!out.empty()) out += ' ';
    out += reference.variable;
    for (const std::string& member : reference.members) out += "." + member;
  }
  return out;
}

}  // namespace

TEST_CASE("JSONata references: free variables with their members, once each, in order") {
  CHECK(references("$states.input.a[0].b") == "states.input.a");
  CHECK(references("$b + $a * $b") == "b a");
  CHECK(references("$states.input.x & $states.result") == "states.input.x states.result");
  CHECK(references("$states") == "states");
  CHECK(references("$states.input.(a + $rate)") == "states.input rate");
  CHECK(references("$items[$limit > price]") == "items limit");
  CHECK(references("{'a': $x.y, 'b': [$z]}") == "x.y z");
  CHECK(references("42") == "");
}

TEST_CASE("JSONata references: what the expression binds itself is not free") {
  CHECK(references("($x := 1; $x + $y)") == "y");
  CHECK(references("(($x := 1); $x)") == "x");
  CHECK(references("function($a){ $a + $b }(1)") == "b");
  CHECK(references("$map($list, function($v, $i){ $v * $i * $k })") == "list k");
  CHECK(references("($f := function($n){ $n = 0 ? 1 : $f($n - 1) }; $f(3))") == "");
  CHECK(references("$x := $x + 1") == "x");
  CHECK(references("$states.input.orders@$o.items#$i.{'o': $o.id, 'i': $i, 'u': $unit}") ==
        "states.input.orders unit");
  CHECK(references("$sum($map([1,2], $string))") == "");  // built-in functions
}

TEST_CASE("JSONata references: a state's expression has no input document") {
  CHECK(references("$") == "S0500 at 1");
  CHECK(references("name") == "S0500 at 4");
  CHECK(references("1 + name.x") == "S0500 at 8");
  CHECK(references("$$") == "S0501 at 2");
  CHECK(references("$states.input.($$.x)") == "S0501 at 17");
  CHECK(references("$states.input[$.x = 1].(name & $)") == "states.input");
  CHECK(references("$states.input{id: $sum(total)}") == "states.input");
  CHECK(references("$states.input.items^(>price, name)") == "states.input.items");
  CHECK(references("$.a.b", JsonataDialect::Jsonata) == "");
  CHECK(references("name & $$.x", JsonataDialect::Jsonata) == "");
}

TEST_CASE("JSONata: the operators that came after 2.0.6 are refused in a state's expression") {
  CHECK(references("$a ?? $b") == "S0211 at 5");
  CHECK(references("$a ?: $b") == "S0211 at 5");
  CHECK(references("$a ?? $b", JsonataDialect::Jsonata) == "a b");
}
