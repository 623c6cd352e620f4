#include "tasks/functions/function.h"

#include <doctest/doctest.h>

#include <filesystem>

#include "tasks/functions/lambda.h"
#include "tests/tasks/jobs/temporary_home.h"

using namespace millrace;
using namespace millrace::tasks;

TEST_CASE("Functions: a folder's files say how it is run") {
  const TemporaryHome home;
  home.write("functions/a/handler.py", "");
  home.write("functions/b/lambda_function.py", "");
  home.write("functions/c/index.js", "");
  home.write("functions/d/function.json",
             R"({"command":["cat"],"timeout":1.5,"memory_size":64,"environment":{"A":"1","B":2}})");
  home.write("functions/e/src/app.py", "");
  home.write("functions/e/function.json",
             R"({"handler":"src/app.main","runtime":"python3.12","concurrency":3})");
  const std::filesystem::path root = home.path("functions");
  const auto a = load_function(root, "a"), b = load_function(root, "b"), c = load_function(root, "c"),
             d = load_function(root, "d"), e = load_function(root, "e");
  REQUIRE(a);
  CHECK(a->kind == FunctionKind::Python);
  CHECK(a->module == "handler");
  CHECK(a->handler == "handler");
  CHECK(a->timeout == Millis(900'000));
  REQUIRE(b);
  CHECK(b->module == "lambda_function");
  CHECK(b->handler == "lambda_handler");
  REQUIRE(c);
  CHECK(c->kind == FunctionKind::Node);
  REQUIRE(d);
  CHECK(d->kind == FunctionKind::Command);
  CHECK(d->timeout == Millis(1500));
  CHECK(d->memory_mb == 64);
  CHECK(d->environment.at("B") == "2");
  REQUIRE(e);
  CHECK(e->module == "src/app");
  CHECK(e->handler == "main");
  CHECK(e->concurrency == 3);
  CHECK(function_names(root) == std::vector<std::string>{"a", "b", "c", "d", "e"});
  CHECK(function_names(home.path("nowhere")).empty());
}

TEST_CASE("Functions: what is wrong with a folder is said with its place") {
  const TemporaryHome home;
  const std::filesystem::path root = home.path("functions");
  home.write("functions/empty/readme.txt", "");
  home.write("functions/bootstrap/bootstrap", "#!/bin/sh\n");
  const auto why = [&](const char* settings) {
    home.write("functions/f/handler.py", "");
    home.write("functions/f/function.json", settings);
    const auto loaded = load_function(root, "f");
    return loaded ? std::string("fine") : loaded.error().message;
  };
  CHECK(load_function(root, "missing").error().code == ErrorCode::NotFound);
  CHECK(load_function(root, "../functions/f").error().code == ErrorCode::NotFound);
  CHECK(load_function(root, "empty").error().message.find("has nothing to run") != std::string::npos);
  CHECK(load_function(root, "bootstrap").error().message.find("is not executable") != std::string::npos);
  CHECK(why("{}") == "fine");
  CHECK(why("[]").find("expected an object") != std::string::npos);
  CHECK(why("{").find("function.json: ") != std::string::npos);
  CHECK(why(R"({"timout":3})").find("unknown field \"timout\"") != std::string::npos);
  CHECK(why(R"({"timeout":0})").find("function.json.timeout: expected seconds") != std::string::npos);
  CHECK(why(R"({"timeout":"3"})").find("timeout") != std::string::npos);
  CHECK(why(R"({"memory_size":8})").find("memory_size: expected megabytes") != std::string::npos);
  CHECK(why(R"({"concurrency":0})").find("concurrency: expected 1..1000") != std::string::npos);
  CHECK(why(R"({"handler":"handler"})").find("is not module.function") != std::string::npos);
}

TEST_CASE("Lambda: names in all their forms") {
  const LambdaPlace place{"eu-west-1", "111122223333"};
  const auto parsed = [&](const char* text) {
    const auto name = parse_function_name(text, place);
    return name ? name->arn + " " + name->qualifier : std::string("wrong");
  };
  CHECK(parsed("f") == "arn:aws:lambda:eu-west-1:111122223333:function:f ");
  CHECK(parsed("f:live") == "arn:aws:lambda:eu-west-1:111122223333:function:f live");
  CHECK(parsed("444455556666:function:f") == "arn:aws:lambda:eu-west-1:444455556666:function:f ");
  CHECK(parsed("function:f:3") == "arn:aws:lambda:eu-west-1:111122223333:function:f 3");
  CHECK(parsed("arn:aws-cn:lambda:cn-north-1:444455556666:function:f:$LATEST") ==
        "arn:aws-cn:lambda:cn-north-1:444455556666:function:f $LATEST");
  for (const char* text :
       {"", "a/b", "..", "a:b:c", "arn:aws:sns:r:a:function:f", "arn:aws:lambda:r:a:layer:f", "a b"})
    CHECK_MESSAGE(parsed(text) == "wrong", text);
}
