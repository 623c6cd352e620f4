// HTTP tasks against a server of this machine.

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>

#include "base/encoding.h"
#include "tasks/integrations/http/form.h"
#include "tests/tasks/integrations/local_server.h"
#include "tests/tasks/jobs/task_driver.h"
#include "tests/tasks/jobs/temporary_home.h"

using namespace millrace;
using namespace millrace::tasks;

namespace {

std::string echo(const LocalRequest& request) {
  const Json seen = {{"method", request.method}, {"target", request.target}, {"body", request.body}};
  return LocalServer::answer(200, seen.dump());
}

struct Home {
  TemporaryHome home;
  TaskDriver driver{home.path()};

  std::string invoke(const Json& arguments) { return driver.run("http:invoke", arguments.dump()); }
  // An operation of another door.
  std::string call(const std::string& operation, const Json& arguments) {
    std::optional<Outcome> outcome;
    driver.runner->call("eventbridge", operation, Payload::literal(arguments.dump()), "test",
                        [&](Outcome answer) { outcome = std::move(answer); });
    return driver.loop->run_until([&] { return outcome.has_value(); }) ? TaskDriver::text(*outcome)
                                                                       : "no outcome";
  }
  std::string connect(const std::string& name, const std::string& type, const Json& parameters) {
    const std::string answer = call(
        "createConnection", {{"Name", name}, {"AuthorizationType", type}, {"AuthParameters", parameters}});
    return Json::parse(answer)["ConnectionArn"];
  }
};

Json with_connection(const LocalServer& server, const std::string& arn) {
  return {{"ApiEndpoint", server.url("/x")}, {"Method", "GET"}, {"Authentication", {{"ConnectionArn", arn}}}};
}

}  // namespace

TEST_CASE("http:invoke: method, query, headers and body go out; the answer comes back as AWS has it") {
  LocalServer server(echo);
  Home h;
  const Json result =
      Json::parse(h.invoke({{"ApiEndpoint", server.url("/orders?page=2")},
                            {"Method", "POST"},
                            {"Headers", {{"X-Trace", "t 1"}, {"X-Many", Json::array({"a", "b"})}}},
                            {"QueryParameters", {{"q", "a&b c"}, {"tag", Json::array({"x", 1})}}},
                            {"RequestBody", {{"n", 1.50}, {"text", "é"}}}}));
  CHECK(result["StatusCode"] == 200);
  CHECK(result["StatusText"] == "OK");
  CHECK(result["Headers"]["content-type"] == Json::array({"application/json"}));
  CHECK(result["ResponseBody"]["method"] == "POST");
  CHECK(result["ResponseBody"]["target"] == "/orders?page=2&q=a%26b%20c&tag=x&tag=1");
  CHECK(result["ResponseBody"]["body"] == R"({"n":1.5,"text":"é"})");
  const LocalRequest request = server.requests().at(0);
  CHECK(request.header("X-Trace") == "t 1");
  CHECK(request.header("X-Many") == "a");
  CHECK(request.header("Content-Type") == "application/json");
  CHECK(request.header("User-Agent") == "Millrace|HttpInvoke|us-east-1");
  CHECK(request.header("Host") == "127.0.0.1:" + std::to_string(server.port()));
  CHECK(request.header("Accept-Encoding") == "");
  CHECK(request.header("Expect") == "");
}

TEST_CASE("http:invoke: a body can be a form, and a string goes out as it stands") {
  LocalServer server(echo);
  Home h;
  const auto body = [&](const Json& more) {
    Json arguments = {{"ApiEndpoint", server.url()}, {"Method", "PUT"}};
    arguments.update(more);
    const Json result = Json::parse(h.invoke(arguments));
    return std::string(result["ResponseBody"]["body"]);
  };
  const Json form = {{"a", Json::array({"x", "y z"})}, {"b", {{"c", true}}}, {"n", nullptr}};
  const auto encoded = [&](const Json& options) {
    Json transform = {{"RequestBodyEncoding", "URL_ENCODED"}};
    if (!options.is_null()) transform["RequestEncodingOptions"] = {{"ArrayFormat", options}};
    return body({{"RequestBody", form}, {"Transform", transform}});
  };
  CHECK(encoded(nullptr) == "a%5B0%5D=x&a%5B1%5D=y%20z&b%5Bc%5D=true&n=");
  CHECK(encoded("INDICES") == "a%5B0%5D=x&a%5B1%5D=y%20z&b%5Bc%5D=true&n=");
  CHECK(encoded("REPEAT") == "a=x&a=y%20z&b%5Bc%5D=true&n=");
  CHECK(encoded("COMMAS") == "a=x,y%20z&b%5Bc%5D=true&n=");
  CHECK(encoded("BRACKETS") == "a%5B%5D=x&a%5B%5D=y%20z&b%5Bc%5D=true&n=");
  CHECK(server.requests().back().header("Content-Type") == "application/x-www-form-urlencoded");
  CHECK(body({{"RequestBody", "plain text"}, {"Headers", {{"Content-Type", "text/plain"}}}}) == "plain text");
  CHECK(server.requests().back().header("Content-Type") == "text/plain");
}

TEST_CASE("http:invoke: wrong arguments are States.Runtime and name the field") {
  Home h;
  const auto says = [&](const Json& arguments) { return h.invoke(arguments); };
  const Json good = {{"ApiEndpoint", "http://127.0.0.1:1/"}, {"Method", "GET"}};
  const auto changed = [&](const char* key, const Json& value) {
    Json arguments = good;
    arguments[key] = value;
    return arguments;
  };
  CHECK(says(Json::object()).starts_with("States.Runtime: ApiEndpoint: expected the URL of an API"));
  CHECK(says(changed("ApiEndpoint", "file:///etc/passwd")) ==
        "States.Runtime: ApiEndpoint: \"file:///etc/passwd\" is neither an http nor an https URL");
  CHECK(says(changed("ApiEndpoint", "api.example.com/x")) ==
        "States.Runtime: ApiEndpoint: \"api.example.com/x\" is not a URL; a URL is https://host/path");
  CHECK(says(changed("ApiEndpoint", "http://u:secret@127.0.0.1/")).find("secret@") == std::string::npos);
  CHECK(
      says(changed("ApiEndpoint", "http://127.0.0.1/\r\nX: y")).starts_with("States.Runtime: ApiEndpoint:"));
  CHECK(says(changed("Method", "BREW")) ==
        "States.Runtime: Method: 'BREW' is none of GET, POST, PUT, DELETE, PATCH, OPTIONS, HEAD");
  CHECK(says(changed("Headers", {{"X Y", "z"}})) == "States.Runtime: Headers: 'X Y' is no name of a header");
  CHECK(says(changed("Headers", {{"X", "a\r\nEvil: 1"}})) ==
        "States.Runtime: Headers: the value of 'X' has a control character in it");
  CHECK(says(changed("Headers", {{"Authorization", "Bearer x"}})).find("aws events create-connection") !=
        std::string::npos);
  for (const char* name :
       {"Host", "connection", "Transfer-Encoding", "X-Amz-Date", "x-forwarded-for", "Cache-Control",
        "If-None-Match", "Content-Length", "TE", "Upgrade", "Proxy-Authorization"}) {
    CAPTURE(name);
    CHECK(says(changed("Headers", {{name, "v"}})).starts_with("States.Runtime: Headers: '"));
  }
  CHECK(says(changed("QueryParameters", "a=b"))
            .starts_with("States.Runtime: QueryParameters: expected an object"));
  CHECK(
      says(changed("Transform", {{"RequestBodyEncoding", "XML"}})).starts_with("States.Runtime: Transform."));
  CHECK(
      says(changed("Authentication", {{"ConnectionArn", "arn:aws:events:us-east-1:1:connection/none/1"}})) ==
      "Events.ConnectionResource.ResourceNotFound: Connection 'arn:aws:events:us-east-1:1:connection/none/1' "
      "does "
      "not exist.");
}

TEST_CASE("http:invoke: a status that is no success is an error of its own, its body the cause") {
  LocalServer server([](const LocalRequest& request) {
    if (request.target == "/moved")
      return LocalServer::answer(302, "go away", "Location: http://127.0.0.1:1/elsewhere\r\n", "text/plain");
    if (request.target == "/empty") return LocalServer::answer(503, "");
    return LocalServer::answer(404, R"({"message":"no such order"})");
  });
  Home h;
  const auto get = [&](const std::string& path) {
    return h.invoke({{"ApiEndpoint", server.url(path)}, {"Method", "GET"}});
  };
  CHECK(get("/order") == R"(States.Http.StatusCode.404: {"message":"no such order"})");
  CHECK(get("/empty") == "States.Http.StatusCode.503: 503 Reason");
  CHECK(get("/moved") ==
        "States.Http.StatusCode.302: 302 Reason: redirects are not followed; it leads to "
        "http://127.0.0.1:1/elsewhere");
  CHECK(server.requests().size() == 3);
}

TEST_CASE("http:invoke: answers that are no text, too large, cut short or nobody's") {
  LocalServer server([](const LocalRequest& request) -> std::string {
    if (request.target == "/png") return LocalServer::answer(200, "\x89PNG", "", "image/png");
    if (request.target == "/latin") return LocalServer::answer(200, "\xE9", "", "text/plain");
    if (request.target == "/large")
      return LocalServer::answer(200, std::string(262'145, 'x'), "", "text/plain");
    if (request.target == "/fits")
      return LocalServer::answer(200, std::string(262'144, 'x'), "", "text/plain");
    if (request.target == "/cut") return "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort";
    if (request.target == "/liar") return LocalServer::answer(200, "{not json", "");
    if (request.target == "/headers")
      return LocalServer::answer(200, "", "X: " + std::string(70'000, 'h') + "\r\n");
    return "";
  });
  Home h;
  const auto get = [&](const std::string& path) {
    return h.invoke({{"ApiEndpoint", server.url(path)}, {"Method", "GET"}});
  };
  CHECK(get("/png") ==
        "States.Runtime: the response is of type image/png, which an HTTP task can't return as text");
  CHECK(get("/latin") == "States.Runtime: the response is no valid UTF-8 text");
  CHECK(get("/large").starts_with("States.DataLimitExceeded: The state/task 'http' returned a result"));
  CHECK(Json::parse(get("/fits"))["ResponseBody"].get<std::string>().size() == 262'144);
  CHECK(get("/cut").starts_with("States.Http.Socket: 127.0.0.1: "));
  CHECK(Json::parse(get("/liar"))["ResponseBody"] == "{not json");
  CHECK(get("/headers").starts_with("States.DataLimitExceeded: "));
  CHECK(get("/nothing").starts_with("States.Http.Socket: 127.0.0.1: "));
  CHECK(h.invoke({{"ApiEndpoint", "http://127.0.0.1:1/"}, {"Method", "GET"}})
            .starts_with("States.Http.Socket: 127.0.0.1: "));
  CHECK(h.invoke({{"ApiEndpoint", "http://no-such-host.invalid/"}, {"Method", "GET"}})
            .starts_with("States.Http.Socket: no-such-host.invalid: "));
}

TEST_CASE("http:invoke: forbidden addresses are refused in every disguise, and nothing is sent") {
  Home h;
  const char* kUrls[] = {"http://169.254.169.254/latest/meta-data/",
                         "http://169.254.169.254:80/",
                         "http://2852039166/",           // the same as one number
                         "http://0xA9FEA9FE/",           // in hexadecimal
                         "http://0251.0376.0251.0376/",  // in octal
                         "http://169.254.43518/",
                         "http://[::ffff:169.254.169.254]/",
                         "http://[::ffff:a9fe:a9fe]/",
                         "http://[64:ff9b::a9fe:a9fe]/",
                         "http://[fd00:ec2::254]/",
                         "http://[fe80::1]/",
                         "http://0.0.0.0/",
                         "http://0/",
                         "http://[::]/",
                         "http://224.0.0.1/",
                         "http://255.255.255.255/",
                         "http://169.254.0.7/"};
  for (const char* url : kUrls) {
    CAPTURE(url);
    const std::string said = h.invoke({{"ApiEndpoint", url}, {"Method", "GET"}});
    CHECK(said.starts_with("States.TaskFailed: requests to "));
    CHECK(said.find("are refused") != std::string::npos);
  }
  CHECK(h.invoke({{"ApiEndpoint", "http://user@169.254.169.254/"}, {"Method", "GET"}})
            .starts_with("States.Runtime: ApiEndpoint: the URL has a user name"));
}

TEST_CASE("http:invoke: classes of addresses can be denied and allowed in integrations.json") {
  LocalServer server(echo);
  TemporaryHome home;
  home.write("integrations.json", R"({"http": {"deny": ["loopback"]}})");
  TaskDriver driver(home.path());
  const std::string arguments = Json{{"ApiEndpoint", server.url()}, {"Method", "GET"}}.dump();
  CHECK(driver.run("http:invoke", arguments) ==
        "States.TaskFailed: requests to 127.0.0.1 (loopback) are refused: 127.0.0.1 leads there; \"http\": "
        "{\"allow\": "
        "[…]} in HOME/integrations.json allows it");
  CHECK(driver
            .run("http:invoke",
                 Json{{"ApiEndpoint", "http://localhost:" + std::to_string(server.port())}, {"Method", "GET"}}
                     .dump())
            .starts_with("States.TaskFailed: requests to "));
  CHECK(server.requests().empty());
}

TEST_CASE("http:invoke: a task that is cancelled ends its request, and many run at once") {
  std::atomic<int> inside{0}, most{0};
  LocalServer* self = nullptr;
  LocalServer server([&](const LocalRequest& request) {
    const int now = ++inside;
    int seen = most;
    while (now > seen && !most.compare_exchange_weak(seen, now)) {
    }
    for (int i = 0; i < (request.target == "/never" ? 1000 : 30) && !self->stopping(); ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    --inside;
    return LocalServer::answer(200, "1");
  });
  self = &server;
  Home h;
  const auto slow = TaskDriver::key(1);
  h.driver.start(slow, "http:invoke", Json{{"ApiEndpoint", server.url("/never")}, {"Method", "GET"}}.dump());
  while (inside == 0) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  h.driver.runner->cancel(slow);
  for (std::uint64_t i = 100; i < 164; ++i)
    h.driver.start(TaskDriver::key(i), "http:invoke",
                   Json{{"ApiEndpoint", server.url("/")}, {"Method", "GET"}}.dump());
  for (std::uint64_t i = 100; i < 164; ++i) REQUIRE(h.driver.wait(TaskDriver::key(i)));
  CHECK(most > 32);
  CHECK_FALSE(h.driver.seen[slow].outcome);
}

TEST_CASE("Connections: BASIC and API_KEY authorize, and parameters are merged over those of the state") {
  LocalServer server(echo);
  Home h;
  const std::string basic = h.connect(
      "basic", "BASIC",
      {{"BasicAuthParameters", {{"Username", "ada"}, {"Password", "pw-hidden-1"}}},
       {"InvocationHttpParameters",
        {{"HeaderParameters",
          Json::array({{{"Key", "X-Tenant"}, {"Value", "t9-hidden-2"}, {"IsValueSecret", true}}})},
         {"QueryStringParameters", Json::array({{{"Key", "v"}, {"Value", "2"}, {"IsValueSecret", false}}})},
         {"BodyParameters",
          Json::array({{{"Key", "sig"}, {"Value", "s-hidden-3"}, {"IsValueSecret", true}}})}}}});
  Json arguments = with_connection(server, basic);
  arguments["Method"] = "POST";
  arguments["Headers"] = {{"x-tenant", "mine"}, {"X-Other", "o"}};
  arguments["QueryParameters"] = {{"v", "1"}, {"w", "3"}};
  arguments["RequestBody"] = {{"a", 1}, {"sig", "mine"}};
  const Json result = Json::parse(h.invoke(arguments));
  CHECK(result["ResponseBody"]["target"] == "/x?w=3&v=2");
  CHECK(result["ResponseBody"]["body"] == R"({"a":1,"sig":"s-hidden-3"})");
  const LocalRequest request = server.requests().back();
  CHECK(request.header("Authorization") == "Basic " + base64_encode("ada:pw-hidden-1"));
  CHECK(request.header("X-Tenant") == "t9-hidden-2");
  CHECK(request.header("x-tenant") == "");
  CHECK(request.header("X-Other") == "o");

  const std::string key =
      h.connect("key", "API_KEY",
                {{"ApiKeyAuthParameters", {{"ApiKeyName", "X-Api-Key"}, {"ApiKeyValue", "k-hidden-4"}}}});
  h.invoke(with_connection(server, key));
  CHECK(server.requests().back().header("X-Api-Key") == "k-hidden-4");
  Json by_config = with_connection(server, key);
  by_config["InvocationConfig"] = by_config["Authentication"];
  by_config.erase("Authentication");
  h.invoke(by_config);
  CHECK(server.requests().back().header("X-Api-Key") == "k-hidden-4");
}

TEST_CASE("Connections: OAuth fetches a token once, keeps it, and renews one that is not accepted") {
  std::atomic<int> tokens{0}, refused{0};
  std::atomic<bool> withdrawn{false};
  LocalServer server([&](const LocalRequest& request) {
    if (request.target.starts_with("/token")) {
      const int n = ++tokens;
      return LocalServer::answer(
          200,
          Json{{"access_token", "tok-" + std::to_string(n)}, {"expires_in", 3600}, {"token_type", "Bearer"}}
              .dump());
    }
    if (request.target.starts_with("/broken"))
      return LocalServer::answer(401, "secret words of the endpoint");
    if (withdrawn && request.header("Authorization") == "Bearer tok-1") {
      ++refused;
      return LocalServer::answer(401, "{}");
    }
    return echo(request);
  });
  Home h;
  const auto oauth = [&](const std::string& name, const std::string& path) {
    return h.connect(name, "OAUTH_CLIENT_CREDENTIALS",
                     {{"OAuthParameters",
                       {{"ClientParameters", {{"ClientID", "id 1"}, {"ClientSecret", "cs-hidden-5"}}},
                        {"AuthorizationEndpoint", server.url(path)},
                        {"HttpMethod", "POST"},
                        {"OAuthHttpParameters",
                         {{"BodyParameters",
                           Json::array({{{"Key", "scope"}, {"Value", "a b"}, {"IsValueSecret", false}}})},
                          {"QueryStringParameters",
                           Json::array({{{"Key", "aud"}, {"Value", "x"}, {"IsValueSecret", false}}})}}}}}});
  };
  const std::string arn = oauth("oauth", "/token");
  for (std::uint64_t i = 1; i <= 8; ++i)
    h.driver.start(TaskDriver::key(i), "http:invoke", with_connection(server, arn).dump());
  for (std::uint64_t i = 1; i <= 8; ++i) {
    REQUIRE(h.driver.wait(TaskDriver::key(i)));
    CHECK(h.driver.seen[TaskDriver::key(i)].outcome->has_value());
  }
  CHECK(tokens == 1);
  const auto requests = server.requests();
  const auto asked = std::find_if(requests.begin(), requests.end(),
                                  [](const LocalRequest& r) { return r.target.starts_with("/token"); });
  CHECK(asked->target == "/token?aud=x");
  CHECK(asked->body == "grant_type=client_credentials&scope=a%20b");
  CHECK(asked->header("Authorization") == "Basic " + base64_encode("id 1:cs-hidden-5"));
  CHECK(server.requests().back().header("Authorization") == "Bearer tok-1");
  withdrawn = true;
  CHECK(h.invoke(with_connection(server, arn)).find("\"StatusCode\":200") != std::string::npos);
  CHECK(refused == 1);
  CHECK(tokens == 2);
  CHECK(server.requests().back().header("Authorization") == "Bearer tok-2");
  CHECK(h.invoke(with_connection(server, oauth("broken", "/broken"))) ==
        "Events.ConnectionResource.InvalidConnectionState: the authorization endpoint gave no token: HTTP "
        "status 401");
}

TEST_CASE("Connections: records come and go; secrets are kept for the owner alone and never shown") {
  Home h;
  const Json secret_header = {{"Key", "X-S"}, {"Value", "hidden-header"}, {"IsValueSecret", true}};
  const Json open_header = {{"Key", "X-O"}, {"Value", "open"}, {"IsValueSecret", false}};
  const std::string arn = h.connect(
      "one", "BASIC",
      {{"BasicAuthParameters", {{"Username", "ada"}, {"Password", "hidden-password"}}},
       {"InvocationHttpParameters", {{"HeaderParameters", Json::array({secret_header, open_header})}}}});
  CHECK(arn.starts_with("arn:aws:events:us-east-1:123456789012:connection/one/"));
  const std::string described = h.call("describeConnection", {{"Name", "one"}});
  CHECK(described.find("hidden") == std::string::npos);
  CHECK(described.find(R"({"Key":"X-O","Value":"open","IsValueSecret":false})") != std::string::npos);
  CHECK(described.find(R"("BasicAuthParameters":{"Username":"ada"})") != std::string::npos);
  CHECK(h.call("createConnection",
               {{"Name", "one"},
                {"AuthorizationType", "API_KEY"},
                {"AuthParameters",
                 {{"ApiKeyAuthParameters", {{"ApiKeyName", "X"}, {"ApiKeyValue", "hidden"}}}}}})
            .starts_with("EventBridge.ResourceAlreadyExistsException: Connection one already exists."));
  struct stat info {};
  REQUIRE(::stat(h.home.path("connections.json").c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0600);
  // Part of it changes, the rest stays.
  CHECK(h.call("updateConnection",
               {{"Name", "one"}, {"AuthParameters", {{"BasicAuthParameters", {{"Username", "grace"}}}}}})
            .find("\"ConnectionState\":\"AUTHORIZED\"") != std::string::npos);
  CHECK(h.home.read("connections.json").find("hidden-password") != std::string::npos);
  CHECK(h.call("describeConnection", {{"Name", "one"}}).find("grace") != std::string::npos);
  CHECK(h.call("updateConnection", {{"Name", "one"}, {"AuthorizationType", "API_KEY"}})
            .find("ApiKeyAuthParameters is required") != std::string::npos);
  h.connect("two", "API_KEY", {{"ApiKeyAuthParameters", {{"ApiKeyName", "X-K"}, {"ApiKeyValue", "hidden"}}}});
  const Json page = Json::parse(h.call("listConnections", {{"Limit", 1}}));
  CHECK(page["Connections"].size() == 1);
  CHECK(page["Connections"][0]["Name"] == "one");
  const Json rest = Json::parse(h.call("listConnections", {{"NextToken", page["NextToken"]}}));
  CHECK(rest["Connections"][0]["Name"] == "two");
  CHECK_FALSE(rest.contains("NextToken"));
  CHECK(h.call("deleteConnection", {{"Name", "one"}}).find("DELETING") != std::string::npos);
  CHECK(h.call("describeConnection", {{"Name", "one"}})
            .starts_with("EventBridge.ResourceNotFoundException: Connection 'one' does not exist. (Service: "
                         "EventBridge"));
  CHECK(h.home.read("connections.json").find("hidden-password") == std::string::npos);
  const Json wrong[] = {
      {{"Name", "a b"}, {"AuthorizationType", "BASIC"}, {"AuthParameters", Json::object()}},
      {{"Name", "x"}, {"AuthorizationType", "BASIC"}},
      {{"Name", "x"}, {"AuthorizationType", "MAGIC"}, {"AuthParameters", Json::object()}},
      {{"Name", "x"},
       {"AuthorizationType", "API_KEY"},
       {"AuthParameters", {{"ApiKeyAuthParameters", {{"ApiKeyName", "a:b"}, {"ApiKeyValue", "v"}}}}}},
      {{"Name", "x"},
       {"AuthorizationType", "API_KEY"},
       {"AuthParameters", {{"ApiKeyAuthParameters", {{"ApiKeyName", "a"}, {"ApiKeyValue", "v\r\nX: y"}}}}}},
  };
  for (const Json& request : wrong) {
    CAPTURE(request.dump());
    CHECK(h.call("createConnection", request).starts_with("EventBridge.EventBridgeException: "));
  }
}

TEST_CASE("Connections: outlive the process") {
  TemporaryHome home;
  LocalServer server(echo);
  const std::string arn = [&] {
    TaskDriver driver(home.path());
    std::optional<Outcome> outcome;
    driver.runner->call("eventbridge", "createConnection",
                        Payload::literal(R"({"Name":"k","AuthorizationType":"API_KEY","AuthParameters":
                            {"ApiKeyAuthParameters":{"ApiKeyName":"X-K","ApiKeyValue":"v1"}}})"),
                        "test", [&](Outcome answer) { outcome = std::move(answer); });
    REQUIRE(driver.loop->run_until([&] { return outcome.has_value(); }));
    return std::string(Json::parse((*outcome)->text())["ConnectionArn"]);
  }();
  TaskDriver driver(home.path());
  driver.run("http:invoke", with_connection(server, arn).dump());
  CHECK(server.requests().at(0).header("X-K") == "v1");
  home.write("connections.json", "{\"Connections\": [");
  TaskDriver damaged(home.path());
  CHECK_FALSE(damaged.runner);
}
