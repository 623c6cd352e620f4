#include "service/api/form.h"

#include <doctest/doctest.h>

#include "service/api/sns.h"
#include "service/api/sqs_query.h"

using namespace millrace;
using namespace millrace::api;

TEST_CASE("forms: decoded, the last of a name, parts in the order of their numbers") {
  const auto form = parse_form("a=1&a=x+y%21&&b&c=&d.10=z&d.2=b%2ec");
  CHECK(form == std::map<std::string, std::string>{
                    {"a", "x y!"}, {"b", ""}, {"c", ""}, {"d.10", "z"}, {"d.2", "b.c"}});
  const auto tree = form_tree(form);
  REQUIRE(tree);
  CHECK(tree->text_at("a") == "x y!");
  CHECK(tree->text_at("none") == "");
  const FormNode* d = tree->child("d");
  REQUIRE(d);
  std::string order;
  for (const auto& [number, node] : d->children) order += number + node.value + " ";
  CHECK(order == "2b.c 10z ");
  CHECK(form_tree(parse_form(".x..y.=1"))->child("x")->text_at("y") == "1");
}

TEST_CASE("forms: what is nested too deeply is refused by both services") {
  const std::string deep = "a.b.c.d.e.f.g.h.i.j=1", fits = "a.b.c.d.e.f.g.h.i=1";
  CHECK(form_tree(parse_form(fits)));
  const auto refused = form_tree(parse_form(deep));
  REQUIRE_FALSE(refused);
  CHECK(refused.error().message == "the parameter a.b.c.d.e.f.g.h.i.j is nested too deeply");
  CHECK_FALSE(parse_query_form(deep));
  CHECK_FALSE(sqs_input_of_form(parse_form(deep)));
}

TEST_CASE("forms: the same tree is each service's own document") {
  const auto sns = parse_query_form(
      "Action=Publish&Tags.member.2.Key=b&Tags.member.1.Key=a&Attributes.entry.1.key=k&Attributes.entry.1."
      "value=v");
  REQUIRE(sns);
  CHECK(to_payload(*sns).text() ==
        R"({"Action":"Publish","Attributes":{"k":"v"},"Tags":[{"Key":"a"},{"Key":"b"}]})");
  const auto sqs =
      sqs_input_of_form(parse_form("Action=SendMessage&Version=x&DelaySeconds=5&QueueUrl=u&Attribute.1.Name="
                                   "n&Attribute.1.Value=v&AttributeName.2=b&AttributeName.1=a"));
  REQUIRE(sqs);
  CHECK(sqs->text() ==
        R"({"Attributes":{"n":"v"},"AttributeNames":["a","b"],"DelaySeconds":5,"QueueUrl":"u"})");
}
