// Topics: who gets what, how often it is tried, and what is kept.

#include <doctest/doctest.h>

#include <chrono>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/encoding.h"
#include "tasks/integrations/sns/deliverer.h"
#include "tasks/integrations/sns/filter_policy.h"
#include "tasks/integrations/sns/message.h"
#include "tasks/integrations/sns/topics.h"
#include "tests/tasks/integrations/local_server.h"
#include "tests/tasks/jobs/task_driver.h"
#include "tests/tasks/jobs/temporary_home.h"

using namespace millrace;
using namespace millrace::tasks;

namespace {

const std::string kTopic = "arn:aws:sns:us-east-1:123456789012:alerts";

struct SnsHome {
  TemporaryHome home;
  std::optional<TaskDriver> driver;
  explicit SnsHome(const Json& settings = {{"sns", {{"first_delay_seconds", 1}, {"attempts_max", 3}}}}) {
    home.write("integrations.json", settings.dump());
    driver.emplace(home.path());
    REQUIRE(driver->runner);
  }
  void restart() {
    driver.reset();
    driver.emplace(home.path());
    REQUIRE(driver->runner);
  }
  std::string call(const std::string& operation, const Json& arguments) {
    std::optional<Outcome> outcome;
    driver->runner->call("sns", operation, Payload::literal(arguments.dump()), "test",
                         [&](Outcome answer) { outcome = std::move(answer); });
    return driver->loop->run_until([&] { return outcome.has_value(); }) ? TaskDriver::text(*outcome)
                                                                        : "no outcome";
  }
  void topic() { CHECK(call("createTopic", {{"Name", "alerts"}}) == R"({"TopicArn":")" + kTopic + R"("})"); }
  std::string subscribe(const std::string& protocol, const std::string& endpoint,
                        const Json& attributes = Json::object()) {
    return call(
        "subscribe",
        {{"TopicArn", kTopic}, {"Protocol", protocol}, {"Endpoint", endpoint}, {"Attributes", attributes}});
  }
  std::string publish(Json request) {
    request["TopicArn"] = kTopic;
    return call("publish", request);
  }
  // The book, read beside the runner that keeps it.
  std::unique_ptr<Topics> book() {
    auto opened = Topics::open(home.path("topics.db"), {}, driver->clock);
    REQUIRE(opened);
    return std::move(*opened);
  }
  std::int64_t waiting() { return book()->waiting().value_or(-1); }
};

bool soon(const std::function<bool()>& condition, int seconds = 15) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > until) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return true;
}

// A mail server: takes one message a connection; a recipient that begins with "no" is refused for good.
class MailServer {
 public:
  MailServer() {
    socket_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ::bind(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address);
    socklen_t size = sizeof address;
    ::getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &size);
    port = ntohs(address.sin_port);
    ::listen(socket_, 16);
    thread_ = std::thread([this] {
      for (int client = 0; (client = ::accept4(socket_, nullptr, nullptr, SOCK_CLOEXEC)) >= 0;
           ::close(client))
        serve(client);
    });
  }
  ~MailServer() {
    ::shutdown(socket_, SHUT_RDWR);
    thread_.join();
    ::close(socket_);
  }
  std::vector<std::string> mails() {
    const std::lock_guard lock(mutex_);
    return mails_;
  }
  int port = 0;

 private:
  static void say(int client, const std::string& line) {
    (void)!::write(client, (line + "\r\n").data(), line.size() + 2);
  }
  void serve(int client) {
    std::string bytes, envelope;
    say(client, "220 here");
    bool data = false;
    char buffer[4096];
    for (ssize_t got = 0; (got = ::read(client, buffer, sizeof buffer)) > 0;) {
      bytes.append(buffer, static_cast<std::size_t>(got));
      for (;;) {
        const std::size_t end = data ? bytes.find("\r\n.\r\n") : bytes.find("\r\n");
        if (end == std::string::npos) break;
        const std::string part = bytes.substr(0, end);
        bytes.erase(0, end + (data ? 5 : 2));
        if (data) {
          const std::lock_guard lock(mutex_);
          mails_.push_back(envelope + part);
          data = false;
          say(client, "250 kept");
        } else if (part.starts_with("EHLO")) {
          say(client, "250-here\r\n250 AUTH PLAIN");
        } else if (part == "DATA") {
          data = true;
          say(client, "354 go on");
        } else if (part == "QUIT") {
          say(client, "221 bye");
        } else if (part.starts_with("RCPT TO:<no")) {
          say(client, "550 nobody of that name");
        } else {
          envelope += part + "\n";
          say(client, part.starts_with("AUTH") ? "235 welcome" : "250 fine");
        }
      }
    }
  }
  int socket_ = -1;
  std::thread thread_;
  std::mutex mutex_;
  std::vector<std::string> mails_;
};

}  // namespace

TEST_CASE("Filter policies: a message meets one condition of each name") {
  const Json attributes = {{"kind", {{"DataType", "String"}, {"StringValue", "order"}}},
                           {"price", {{"DataType", "Number"}, {"StringValue", "12.50"}}},
                           {"tags", {{"DataType", "String.Array"}, {"StringValue", R"(["new","eu",3])"}}},
                           {"bytes", {{"DataType", "Binary"}, {"BinaryValue", "AAE="}}}};
  const std::pair<const char*, bool> kCases[] = {
      {R"({})", true},
      {R"({"kind": ["order"]})", true},
      {R"({"kind": ["refund", "order"]})", true},
      {R"({"kind": ["refund"]})", false},
      {R"({"kind": ["order"], "price": [12.5]})", true},
      {R"({"kind": ["order"], "price": [12]})", false},
      {R"({"kind": [{"prefix": "or"}]})", true},
      {R"({"kind": [{"suffix": "er"}]})", true},
      {R"({"kind": [{"prefix": "re"}]})", false},
      {R"({"kind": [{"equals-ignore-case": "ORDER"}]})", true},
      {R"({"kind": [{"anything-but": "order"}]})", false},
      {R"({"kind": [{"anything-but": ["refund", "x"]}]})", true},
      {R"({"kind": [{"anything-but": {"prefix": "or"}}]})", false},
      {R"({"kind": [{"anything-but": {"prefix": "re"}}]})", true},
      {R"({"price": [{"numeric": [">", 12]}]})", true},
      {R"({"price": [{"numeric": [">=", 12.5, "<", 13]}]})", true},
      {R"({"price": [{"numeric": [">", 12.5]}]})", false},
      {R"({"price": [{"numeric": ["=", 12.50]}]})", true},
      {R"({"kind": [{"numeric": ["<", 100]}]})", false},
      {R"({"tags": ["eu"]})", true},
      {R"({"tags": [3]})", true},
      {R"({"tags": ["us"]})", false},
      {R"({"bytes": [{"exists": true}]})", false},
      {R"({"kind": [{"exists": true}]})", true},
      {R"({"kind": [{"exists": false}]})", false},
      {R"({"colour": [{"exists": false}]})", true},
      {R"({"colour": [{"exists": true}]})", false},
      {R"({"colour": ["red", {"exists": false}]})", true},
      {R"({"colour": [{"anything-but": "red"}]})", false},
  };
  for (const auto& [text, expected] : kCases) {
    CAPTURE(text);
    const Json policy = Json::parse(text);
    CHECK(check_filter_policy(policy, false));
    CHECK(matches_attributes(policy, attributes) == expected);
  }
}

TEST_CASE("Filter policies: of bodies, and wrong ones") {
  const std::string body =
      R"({"order": {"id": 7, "lines": [{"sku": "a"}, {"sku": "b"}]}, "tags": ["x", "y"], "n": null})";
  const std::pair<const char*, bool> kCases[] = {
      {R"({"order": {"id": [7]}})", true},
      {R"({"order": {"id": [8]}})", false},
      {R"({"order": {"lines": {"sku": ["b"]}}})", true},
      {R"({"order": {"lines": {"sku": ["c"]}}})", false},
      {R"({"tags": ["y"]})", true},
      {R"({"n": [null]})", true},
      {R"({"order": {"name": [{"exists": false}]}})", true},
  };
  for (const auto& [text, expected] : kCases) {
    CAPTURE(text);
    CHECK(check_filter_policy(Json::parse(text), true));
    CHECK(matches_body(Json::parse(text), body) == expected);
  }
  CHECK_FALSE(matches_body(Json::parse(R"({"a": ["b"]})"), "plain"));
  const char* kWrong[] = {R"([])",
                          R"({"a": "b"})",
                          R"({"a": []})",
                          R"({"a": {"b": ["c"]}})",
                          R"({"a": [["b"]]})",
                          R"({"a": [{"like": "b"}]})",
                          R"({"a": [{"prefix": 3}]})",
                          R"({"a": [{"prefix": "a", "suffix": "b"}]})",
                          R"({"a": [{}]})",
                          R"({"a": [{"numeric": ["~", 3]}]})",
                          R"({"a": [{"numeric": [">", "3"]}]})",
                          R"({"a": [{"numeric": [">"]}]})",
                          R"({"a": [{"exists": "yes"}]})",
                          R"({"a": [{"anything-but": {"near": "x"}}]})"};
  for (const char* text : kWrong) {
    CAPTURE(text);
    CHECK_FALSE(check_filter_policy(Json::parse(text), false));
  }
}

TEST_CASE("Messages: each kind of subscriber sees its own form") {
  Json message =
      *read_message({{"Message", R"({"default":"d","email":"for mail"})"},
                     {"MessageStructure", "json"},
                     {"Subject", "Grüße"},
                     {"MessageAttributes", {{"k", {{"DataType", "String"}, {"StringValue", "v"}}}}}});
  message["MessageId"] = "m-1";
  message["TopicArn"] = kTopic;
  message["Timestamp"] = "2026-11-21T10:00:00.000Z";
  CHECK(text_for(message, "email") == "for mail");
  CHECK(text_for(message, "sqs") == "d");
  CHECK(
      notification(message, "https").dump() ==
      R"({"Type":"Notification","MessageId":"m-1","TopicArn":")" + kTopic +
          R"(","Subject":"Grüße","Message":"d","Timestamp":"2026-11-21T10:00:00.000Z","MessageAttributes":{"k":{"Type":"String","Value":"v"}}})");
  CHECK(function_event(message, "sub")["Records"][0]["Sns"]["Message"] == "d");
  const Instant now = *parse_rfc3339("2026-11-21T10:00:00Z");
  CHECK(mail_text(message, "email", "me@here", "you@there", now) ==
        "From: me@here\r\nTo: you@there\r\nSubject: =?UTF-8?B?R3LDvMOfZQ==?=\r\nDate: Sat, 21 Nov 2026 "
        "10:00:00 +0000\r\n"
        "Message-ID: <m-1@here>\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=UTF-8\r\n"
        "Content-Transfer-Encoding: 7bit\r\n\r\nfor mail\r\n");
  const Json accents = {{"MessageId", "m"}, {"Message", "ä" + std::string(2000, 'x')}};
  const std::string mail = mail_text(accents, "email", "me@here", "you@there", now);
  CHECK(mail.find("Content-Transfer-Encoding: base64") != std::string::npos);
  for (std::size_t at = 0, end = 0; (end = mail.find("\r\n", at)) != std::string::npos; at = end + 2)
    CHECK(end - at <= 998);
  CHECK(read_message({{"Message", {{"a", 1.5}}}})->at("Message") == R"({"a":1.5})");
  const Json wrong[] = {
      Json::object(),
      {{"Message", ""}},
      {{"Message", std::string(262'145, 'x')}},
      {{"Message", "m"}, {"Subject", "a\nBcc: x@y"}},
      {{"Message", "m"}, {"Subject", std::string(101, 's')}},
      {{"Message", "m"}, {"MessageStructure", "xml"}},
      {{"Message", "m"}, {"MessageStructure", "json"}},
      {{"Message", "{\"email\":\"x\"}"}, {"MessageStructure", "json"}},
      {{"Message", "m"}, {"MessageAttributes", {{"k", {{"DataType", "Date"}, {"StringValue", "v"}}}}}},
      {{"Message", "m"}, {"MessageAttributes", {{"k", {{"DataType", "Number"}, {"StringValue", "v"}}}}}},
      {{"Message", "m"}, {"MessageAttributes", {{"k", {{"DataType", "String"}}}}}},
  };
  for (const Json& request : wrong) {
    CAPTURE(request.dump().substr(0, 100));
    CHECK_FALSE(read_message(request));
  }
  for (const char* good : {"a@b", "first.last+tag@sub.example.com"}) CHECK(is_mail_address(good));
  for (const char* bad : {"", "a", "@b", "a@", "a@b@c", "a b@c", "a@b>", "a@b\r\nRCPT TO:<x@y>", "<a@b>"})
    CHECK_FALSE(is_mail_address(bad));
}

TEST_CASE("Topics: come, are listed, described and go") {
  SnsHome h;
  h.topic();
  h.topic();
  CHECK(h.call("createTopic", {{"Name", "no blanks"}})
            .starts_with("Sns.InvalidParameterException: Invalid parameter: Topic Name"));
  CHECK(h.call("createTopic", {{"Name", "q.fifo"}}).find("FIFO topics are not there") != std::string::npos);
  CHECK(h.call("listTopics", Json::object()) == R"({"Topics":[{"TopicArn":")" + kTopic + R"("}]})");
  const std::string arn = Json::parse(h.subscribe("file", "log.jsonl"))["SubscriptionArn"];
  CHECK(arn.starts_with(kTopic + ":"));
  CHECK(Json::parse(h.subscribe("file", "log.jsonl"))["SubscriptionArn"] == arn);
  CHECK(h.subscribe("file", "log.jsonl", {{"RawMessageDelivery", "true"}})
            .find("already exists with different attributes") != std::string::npos);
  const Json list = Json::parse(h.call("listSubscriptionsByTopic", {{"TopicArn", kTopic}}));
  CHECK(list["Subscriptions"][0]["Endpoint"] == "log.jsonl");
  CHECK(Json::parse(h.call("listSubscriptions", Json::object())) == list);
  CHECK(Json::parse(h.call("getTopicAttributes",
                           {{"TopicArn", kTopic}}))["Attributes"]["SubscriptionsConfirmed"] == "1");
  CHECK(
      h.call("setSubscriptionAttributes",
             {{"SubscriptionArn", arn}, {"AttributeName", "FilterPolicy"}, {"AttributeValue", R"({"a": 1})"}})
          .starts_with(
              "Sns.InvalidParameterException: Invalid parameter: FilterPolicy: a: expected an array"));
  CHECK(h.call("setSubscriptionAttributes", {{"SubscriptionArn", arn},
                                             {"AttributeName", "FilterPolicy"},
                                             {"AttributeValue", R"({"a": [1]})"}}) == "{}");
  CHECK(Json::parse(h.call("getSubscriptionAttributes",
                           {{"SubscriptionArn", arn}}))["Attributes"]["FilterPolicy"] == R"({"a": [1]})");
  const std::pair<const char*, const char*> kRefused[] = {{"http", "https://x"},
                                                          {"http", "ftp://x"},
                                                          {"https", "not a url"},
                                                          {"email", "a@b"},
                                                          {"sms", "+491234"},
                                                          {"lambda", "f"},
                                                          {"sqs", "https://sqs.us-east-1.amazonaws.com/1/q"},
                                                          {"file", "../connections.json"},
                                                          {"file", "/etc/passwd"},
                                                          {"file", ".hidden"},
                                                          {"file", "a/../../b"},
                                                          {"file", ""},
                                                          {"file", "a/"}};
  for (const auto& [protocol, endpoint] : kRefused) {
    CAPTURE(protocol);
    CAPTURE(endpoint);
    CHECK(h.subscribe(protocol, endpoint).starts_with("Sns.InvalidParameterException: Invalid parameter: "));
  }
  CHECK(h.call("unsubscribe", {{"SubscriptionArn", arn}}) == "{}");
  CHECK(h.call("deleteTopic", {{"TopicArn", kTopic}}) == "{}");
  CHECK(h.publish({{"Message", "m"}})
            .starts_with("Sns.NotFoundException: Topic does not exist: " + kTopic +
                         "; create it: aws sns create-topic"));
  CHECK(h.driver->run("sns:publish", Json{{"TopicArn", kTopic}, {"Message", "m"}}.dump())
            .starts_with("SNS.NotFoundException: Topic does not exist"));
  CHECK(h.call("publish", {{"PhoneNumber", "+49"}, {"Message", "m"}}).find("text messages can't be sent") !=
        std::string::npos);
}

TEST_CASE("sns:publish: webhooks get the envelope, or the message alone; filters hold") {
  LocalServer server([](const LocalRequest&) { return LocalServer::answer(200, ""); });
  SnsHome h;
  h.topic();
  const std::string arn = Json::parse(h.subscribe("http", server.url("/all")))["SubscriptionArn"];
  h.subscribe("http", server.url("/raw"), {{"RawMessageDelivery", "true"}});
  h.subscribe("http", server.url("/none"), {{"FilterPolicy", R"({"kind": ["refund"]})"}});
  h.subscribe("http", server.url("/body"),
              {{"FilterPolicy", R"({"n": [{"numeric": [">", 5]}]})"}, {"FilterPolicyScope", "MessageBody"}});
  const Json answer = Json::parse(h.driver->run(
      "sns:publish",
      Json{{"TopicArn", "arn:aws:sns:eu-west-1:999999999999:alerts"},
           {"Message", {{"n", 7}}},
           {"MessageAttributes", {{"kind", {{"DataType", "String"}, {"StringValue", "order"}}}}}}
          .dump()));
  CHECK(answer["SdkHttpMetadata"]["HttpStatusCode"] == 200);
  REQUIRE(soon([&] { return server.requests().size() == 3 && h.waiting() == 0; }));
  std::map<std::string, LocalRequest> got;
  for (const LocalRequest& request : server.requests()) got[request.target] = request;
  REQUIRE(got.size() == 3);
  CHECK_FALSE(got.contains("/none"));
  const Json note = Json::parse(got["/all"].body);
  CHECK(note["Type"] == "Notification");
  CHECK(note["MessageId"] == answer["MessageId"]);
  CHECK(note["TopicArn"] == kTopic);
  CHECK(note["Message"] == R"({"n":7})");
  CHECK(note["MessageAttributes"]["kind"]["Value"] == "order");
  CHECK(got["/all"].header("x-amz-sns-message-type") == "Notification");
  CHECK(got["/all"].header("x-amz-sns-subscription-arn") == arn);
  CHECK(got["/raw"].body == R"({"n":7})");
  CHECK(got["/raw"].header("x-amz-sns-rawdelivery") == "true");
}

TEST_CASE(
    "sns:publish: what can't be delivered is tried again, also by the next process, then a dead letter") {
  std::atomic<int> asked{0};
  std::atomic<bool> up{false};
  LocalServer server([&](const LocalRequest& request) {
    if (request.target == "/gone") return LocalServer::answer(410, "");
    ++asked;
    return LocalServer::answer(up ? 200 : 503, "");
  });
  SnsHome h;
  h.topic();
  h.subscribe("http", server.url("/hook"));
  h.subscribe("http", server.url("/gone"));
  h.publish({{"Message", "one"}});
  REQUIRE(soon([&] { return asked >= 1 && h.waiting() == 1; }));
  auto letters = *Topics::dead_letters(h.home.path("topics.db"), "", 10);
  REQUIRE(letters.size() == 1);
  CHECK(letters[0]["Reason"] == "HTTP status 410");
  CHECK(letters[0]["Attempts"] == 1);
  CHECK(letters[0]["Message"]["Message"] == "one");
  const auto of_topic = [&](const std::string& topic) {
    return Topics::dead_letters(h.home.path("topics.db"), topic, 10)->size();
  };
  CHECK(of_topic("alerts") == 1);
  CHECK(of_topic("another") == 0);
  CHECK(Topics::dead_letters(h.home.path("nowhere.db"), "", 10)->empty());
  h.driver.reset();
  up = true;
  h.driver.emplace(h.home.path());
  REQUIRE(soon([&] { return h.waiting() == 0; }));
  CHECK(Json::parse(server.requests().back().body)["Message"] == "one");
  up = false;
  asked = 0;
  h.call("publish", {{"TopicArn", kTopic}, {"Message", "two"}});
  REQUIRE(soon([&] { return h.waiting() == 0; }));
  CHECK(asked == 3);  // attempts_max
  letters = *Topics::dead_letters(h.home.path("topics.db"), "", 10);
  CHECK(letters.size() == 3);
}

TEST_CASE("sns:publish: the same attempt of a task publishes once") {
  SnsHome h;
  h.topic();
  h.subscribe("file", "orders/log.jsonl");
  const std::string arguments = Json{{"TopicArn", kTopic}, {"Message", "m"}, {"Subject", "s"}}.dump();
  const auto key = TaskDriver::key(77);
  h.driver->start(key, "sns:publish.waitForTaskToken", arguments);
  REQUIRE(h.driver->wait(key));
  const std::string first = Json::parse((*h.driver->seen[key].outcome)->text())["MessageId"];
  REQUIRE(soon([&] { return h.waiting() == 0; }));
  h.restart();
  h.driver->start(key, "sns:publish.waitForTaskToken", arguments);
  REQUIRE(h.driver->wait(key));
  CHECK(Json::parse((*h.driver->seen[key].outcome)->text())["MessageId"] == first);
  REQUIRE(soon([&] { return h.waiting() == 0; }));
  const std::string text = h.home.read("notifications/orders/log.jsonl");
  CHECK(std::count(text.begin(), text.end(), '\n') == 1);
  CHECK(Json::parse(text)["MessageId"] == first);
  std::filesystem::create_directory_symlink("/tmp", h.home.path("notifications/link"));
  h.subscribe("file", "link/millrace-escaped.jsonl");
  h.publish({{"Message", "n"}});
  REQUIRE(soon([&] { return h.waiting() == 1; }));
  CHECK_FALSE(std::filesystem::exists("/tmp/millrace-escaped.jsonl"));
}

TEST_CASE("PublishBatch: wrong entries fail alone, wrong batches whole") {
  SnsHome h;
  h.topic();
  const Json good = {{"Id", "a"}, {"Message", "m"}}, bad = {{"Id", "b"}, {"Message", ""}};
  const Json answer = Json::parse(h.call(
      "publishBatch", {{"TopicArn", kTopic}, {"PublishBatchRequestEntries", Json::array({good, bad})}}));
  CHECK(answer["Successful"][0]["Id"] == "a");
  CHECK(answer["Failed"][0]["Id"] == "b");
  CHECK(answer["Failed"][0]["SenderFault"] == true);
  const auto refused = [&](const Json& entries) {
    return h.call("publishBatch", {{"TopicArn", kTopic}, {"PublishBatchRequestEntries", entries}})
        .starts_with("Sns.InvalidParameterException: ");
  };
  CHECK(refused(Json::array()));
  CHECK(refused(Json::array({good, good})));
  CHECK(refused(Json(std::vector<Json>(11, good))));
}

TEST_CASE("sns:publish: mail goes through the server of the settings") {
  MailServer mail;
  SnsHome h({{"sns", {{"attempts_max", 2}}},
             {"smtp",
              {{"host", "127.0.0.1"},
               {"port", mail.port},
               {"user", "mailer"},
               {"password", "hidden"},
               {"from", "millrace@example.com"},
               {"tls", "none"}}}});
  h.topic();
  CHECK(h.subscribe("email", "ada@example.com\r\nRCPT TO:<eve@x>")
            .starts_with("Sns.InvalidParameterException"));
  h.subscribe("email", "ada@example.com");
  h.subscribe("email", "nobody@example.com");
  h.publish({{"Message", "line one\n.\nline three"}, {"Subject", "Order 7"}});
  REQUIRE(soon([&] { return h.waiting() == 0; }));
  const auto mails = mail.mails();
  REQUIRE(mails.size() == 1);
  CHECK(mails[0].find("MAIL FROM:<millrace@example.com>") != std::string::npos);
  CHECK(mails[0].find("RCPT TO:<ada@example.com>") != std::string::npos);
  CHECK(mails[0].find("\r\nSubject: Order 7\r\n") != std::string::npos);
  CHECK(mails[0].find("\r\n\r\nline one\r\n..\r\nline three") != std::string::npos);
  CHECK(mails[0].find(base64_encode(std::string("\0mailer\0hidden", 14))) != std::string::npos);
  const auto letters = *Topics::dead_letters(h.home.path("topics.db"), "", 10);
  REQUIRE(letters.size() == 1);
  CHECK(letters[0]["Endpoint"] == "nobody@example.com");
  CHECK(letters[0]["Reason"].get<std::string>().find("550") != std::string::npos);
  CHECK(letters[0].dump().find("hidden") == std::string::npos);
}

TEST_CASE("sns:publish: functions get SNS's event") {
  if (std::system("command -v python3 >/dev/null 2>&1") != 0) {
    MESSAGE("skipped: python3 is not there");
    return;
  }
  SnsHome h;
  h.home.write("functions/keep/handler.py", "import json, os\ndef handler(event, context):\n    open('" +
                                                h.home.path("seen.json") +
                                                "', 'w').write(json.dumps(event))\n");
  h.home.write("functions/keep/function.json", "{}");
  h.topic();
  const std::string function = "arn:aws:lambda:us-east-1:123456789012:function:";
  h.subscribe("lambda", function + "keep");
  h.subscribe("lambda", function + "absent");
  h.publish({{"Message", "m"}, {"Subject", "s"}});
  REQUIRE(soon([&] { return h.waiting() == 0; }));
  const Json event = Json::parse(h.home.read("seen.json"));
  CHECK(event["Records"][0]["EventSource"] == "aws:sns");
  CHECK(event["Records"][0]["Sns"]["Message"] == "m");
  CHECK(event["Records"][0]["Sns"]["Subject"] == "s");
  const auto letters = *Topics::dead_letters(h.home.path("topics.db"), "", 10);
  REQUIRE(letters.size() == 1);
  CHECK(letters[0]["Reason"] == "there is no such function");
}

TEST_CASE("sns:publish: queues of the home get the envelope, or the message with its attributes") {
  SnsHome h;
  h.topic();
  const auto queue = [&](const std::string& operation, const std::string& arguments) {
    return Json::parse(h.driver->run("aws-sdk:sqs:" + operation, arguments));
  };
  for (const char* name : {"all", "raw"}) queue("createQueue", Json{{"QueueName", name}}.dump());
  h.subscribe("sqs", "arn:aws:sqs:us-east-1:123456789012:all");
  h.subscribe("sqs", "arn:aws:sqs:us-east-1:123456789012:raw", {{"RawMessageDelivery", "true"}});
  h.publish(
      {{"Message", "m"}, {"MessageAttributes", {{"k", {{"DataType", "String"}, {"StringValue", "v"}}}}}});
  REQUIRE(soon([&] { return h.waiting() == 0; }));
  const auto receive = [&](const std::string& name) {
    return queue("receiveMessage",
                 Json{{"QueueUrl", name}, {"MessageAttributeNames", {"All"}}}.dump())["Messages"][0];
  };
  CHECK(Json::parse(receive("all")["Body"].get<std::string>())["Message"] == "m");
  const Json raw = receive("raw");
  CHECK(raw["Body"] == "m");
  CHECK(raw["MessageAttributes"]["k"]["StringValue"] == "v");
  CHECK((*Topics::dead_letters(h.home.path("topics.db"), "", 1)).empty());
}
