#include "tasks/integrations/sns/topics.h"

#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>

#include "base/encoding.h"
#include "base/random.h"
#include "tasks/approvals/approvals.h"
#include "tasks/arguments.h"
#include "tasks/integrations/sns/filter_policy.h"
#include "tasks/integrations/sns/message.h"

namespace millrace::tasks {
namespace {

constexpr std::int64_t kPage = 100;
constexpr std::size_t kBatchMax = 10, kBatchBytesMax = 262'144;
constexpr Millis kCleaning{60'000};

constexpr const char* kSchema =
    "CREATE TABLE IF NOT EXISTS topic (name TEXT PRIMARY KEY, attributes TEXT NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS subscription ("
    " arn TEXT PRIMARY KEY, topic TEXT NOT NULL REFERENCES topic (name) ON DELETE CASCADE, protocol TEXT NOT "
    "NULL,"
    " endpoint TEXT NOT NULL, attributes TEXT NOT NULL, UNIQUE (topic, protocol, endpoint)) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS message (number INTEGER PRIMARY KEY AUTOINCREMENT, document TEXT NOT NULL);"
    "CREATE TABLE IF NOT EXISTS delivery ("
    " number INTEGER PRIMARY KEY AUTOINCREMENT, message INTEGER NOT NULL REFERENCES message (number),"
    " subscription TEXT NOT NULL REFERENCES subscription (arn) ON DELETE CASCADE,"
    " attempts INTEGER NOT NULL, due INTEGER NOT NULL);"
    "CREATE INDEX IF NOT EXISTS delivery_due ON delivery (due);"
    "CREATE INDEX IF NOT EXISTS delivery_message ON delivery (message);"
    "CREATE INDEX IF NOT EXISTS delivery_subscription ON delivery (subscription);"
    "CREATE TABLE IF NOT EXISTS dead_letter ("
    " number INTEGER PRIMARY KEY AUTOINCREMENT, time INTEGER NOT NULL, subscription TEXT NOT NULL,"
    " protocol TEXT NOT NULL, endpoint TEXT NOT NULL, attempts INTEGER NOT NULL, why TEXT NOT NULL,"
    " document TEXT NOT NULL);"
    "CREATE TABLE IF NOT EXISTS request (name TEXT PRIMARY KEY, time INTEGER NOT NULL, answer TEXT NOT NULL)"
    " WITHOUT ROWID";

tl::unexpected<Error> wrong_parameter(std::string what) {
  return invalid("Invalid parameter: " + std::move(what));
}

bool is_topic_name(std::string_view name) {
  return !name.empty() && name.size() <= 256 && std::all_of(name.begin(), name.end(), [](unsigned char c) {
    return std::isalnum(c) || c == '-' || c == '_';
  });
}

// Attributes of a subscription that mean something here; others of SNS's are kept and shown.
Status check_attributes(const Json& attributes) {
  constexpr std::string_view kKnown =
      "FilterPolicy|FilterPolicyScope|RawMessageDelivery|DeliveryPolicy|RedrivePolicy|SubscriptionRoleArn";
  const Arguments in(attributes, "Attributes");
  for (const auto& [name, value] : attributes.items()) {
    if (!in.one_of(name, name, kKnown)) return wrong_parameter("AttributeName");
    if (!value.is_string()) return wrong_parameter(name);
  }
  const std::string scope = text_at(attributes, {"FilterPolicyScope"}),
                    raw = text_at(attributes, {"RawMessageDelivery"});
  if (!scope.empty() && scope != "MessageAttributes" && scope != "MessageBody")
    return wrong_parameter("FilterPolicyScope");
  if (!raw.empty() && raw != "true" && raw != "false") return wrong_parameter("RawMessageDelivery");
  const std::string policy = text_at(attributes, {"FilterPolicy"});
  if (policy.empty()) return {};
  const Json parsed = Json::parse(policy, nullptr, false);
  if (parsed.is_discarded()) return wrong_parameter("FilterPolicy: failed to parse JSON.");
  const auto checked = check_filter_policy(parsed, scope == "MessageBody");
  return checked ? Status() : Status(wrong_parameter("FilterPolicy: " + checked.error().message));
}

bool wants(const Json& attributes, const Json& message) {
  const std::string text = text_at(attributes, {"FilterPolicy"});
  if (text.empty()) return true;
  const Json policy = Json::parse(text, nullptr, false);
  if (!policy.is_object()) return true;
  if (text_at(attributes, {"FilterPolicyScope"}) == "MessageBody")
    return matches_body(policy, text_at(message, {"Message"}));
  return matches_attributes(policy, message.value("MessageAttributes", Json::object()));
}

Json parsed(std::string_view text) {
  return Json::parse(text, nullptr, false);
}

// Where a page goes on behind; the token is the last one's name.
Result<std::string> after_token(const Json& request) {
  const std::string token = text_at(request, {"NextToken"});
  const auto after = base64_decode(token);
  return after ? Result<std::string>(*after) : wrong_parameter("NextToken");
}

// Runs a statement without rows.
template <class... Values>
Status run(Database& database, std::string_view sql, const Values&... values) {
  MR_TRY(statement, database.prepare(sql));
  int index = 0;
  (statement.bind(++index, values), ...);
  return statement.run();
}

// The rows of a statement, each as `read` has it.
template <class Row, class Read, class... Values>
Result<std::vector<Row>> rows(Database& database, std::string_view sql, Read read, const Values&... values) {
  MR_TRY(statement, database.prepare(sql));
  int index = 0;
  (statement.bind(++index, values), ...);
  std::vector<Row> found;
  for (;;) {
    MR_TRY(more, statement.step());
    if (!more) return found;
    found.push_back(read(statement));
  }
}

std::string_view view(const std::string& text) {
  return text;
}

}  // namespace

Result<std::unique_ptr<Topics>> Topics::open(const std::string& path, Settings settings, const Clock& clock) {
  std::unique_ptr<Topics> topics(new Topics(std::move(settings), clock));
  MR_TRY(database, Database::open(path));
  topics->database_ = std::move(database);
  MR_DO(topics->database_.execute(kSchema));
  return topics;
}

std::string Topics::arn_of(const std::string& topic) const {
  return "arn:aws:sns:" + settings_.place.region + ":" + settings_.place.account + ":" + topic;
}

std::string Topics::next_id() {
  Random random(mix(mix(settings_.seed, ++ids_), static_cast<std::uint64_t>(to_millis(clock_.now()))));
  return uuid_v4(random);
}

// The topic an ARN names, whatever its region and account: definitions from elsewhere find theirs.
Result<std::string> Topics::topic_of(const Json& request, std::string_view member) {
  const std::string arn = text_at(request, {member});
  if (!arn.starts_with("arn:") || arn.find(":sns:") == std::string::npos)
    return wrong_parameter(std::string(member) + " Reason: An ARN must have at least 6 elements, not " +
                           std::to_string(1 + std::count(arn.begin(), arn.end(), ':')));
  std::string name = arn.substr(arn.rfind(':') + 1);
  MR_TRY(found,
         rows<int>(
             database_, "SELECT 1 FROM topic WHERE name = ?1", [](Statement&) { return 1; }, view(name)));
  if (found.empty())
    return fail(ErrorCode::NotFound, "Topic does not exist: " + arn_of(name),
                "create it: aws sns create-topic --name " + name);
  return name;
}

Result<Json> Topics::create_topic(const Json& request) {
  const std::string name = text_at(request, {"Name"});
  if (name.ends_with(".fifo"))
    return wrong_parameter(
        "Topic Name Reason: FIFO topics are not there; messages are delivered at least once, in any order");
  if (!is_topic_name(name)) return wrong_parameter("Topic Name");
  const Json attributes = request.value("Attributes", Json::object());
  const std::lock_guard lock(mutex_);
  MR_TRY(count, rows<std::int64_t>(database_, "SELECT count(*) FROM topic",
                                   [](Statement& s) { return s.integer(0); }));
  if (count[0] >= kTopicsMax) return fail(ErrorCode::LimitExceeded, "Topic limit exceeded");
  const std::string text(to_payload(attributes).text());
  MR_DO(run(database_, "INSERT INTO topic (name, attributes) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
            view(name), view(text)));
  return Json{{"TopicArn", arn_of(name)}};
}

Result<Json> Topics::delete_topic(const Json& request) {
  const std::string arn = text_at(request, {"TopicArn"});
  const std::string name = arn.substr(arn.rfind(':') + 1);
  if (!is_topic_name(name)) return wrong_parameter("TopicArn");
  const std::lock_guard lock(mutex_);
  MR_TRY(transaction, Transaction::begin(database_));
  MR_DO(run(database_, "DELETE FROM topic WHERE name = ?1", view(name)));
  MR_DO(run(database_, "DELETE FROM message WHERE number NOT IN (SELECT message FROM delivery)"));
  MR_DO(transaction.commit());
  return Json(Json::object());
}

Result<Json> Topics::list_topics(const Json& request) {
  MR_TRY(after, after_token(request));
  const std::lock_guard lock(mutex_);
  MR_TRY(names, rows<std::string>(
                    database_, "SELECT name FROM topic WHERE name > ?1 ORDER BY name LIMIT ?2",
                    [](Statement& s) { return std::string(s.text(0)); }, view(after), kPage + 1));
  Json topics = Json::array(), answer;
  const bool more = names.size() > static_cast<std::size_t>(kPage);
  if (more) names.pop_back();
  for (const std::string& name : names) topics.push_back({{"TopicArn", arn_of(name)}});
  answer["Topics"] = std::move(topics);
  if (more) answer["NextToken"] = base64_encode(names.back());
  return answer;
}

Result<Json> Topics::topic_attributes(const Json& request) {
  const std::lock_guard lock(mutex_);
  MR_TRY(topic, topic_of(request, "TopicArn"));
  MR_TRY(kept, rows<Json>(
                   database_, "SELECT attributes FROM topic WHERE name = ?1",
                   [](Statement& s) { return parsed(s.text(0)); }, view(topic)));
  MR_TRY(count, rows<std::int64_t>(
                    database_, "SELECT count(*) FROM subscription WHERE topic = ?1",
                    [](Statement& s) { return s.integer(0); }, view(topic)));
  Json attributes = kept[0];
  attributes["TopicArn"] = arn_of(topic);
  attributes["Owner"] = settings_.place.account;
  attributes["SubscriptionsConfirmed"] = std::to_string(count[0]);
  attributes["SubscriptionsPending"] = "0";
  attributes["SubscriptionsDeleted"] = "0";
  return Json{{"Attributes", std::move(attributes)}};
}

Result<Json> Topics::subscribe(const Json& request) {
  const Arguments in(request);
  const std::string protocol = text_at(request, {"Protocol"}), endpoint = text_at(request, {"Endpoint"});
  const Json attributes = request.value("Attributes", Json::object());
  MR_DO(check_attributes(attributes));
  if (const std::string why = settings_.refuse ? settings_.refuse(protocol, endpoint) : ""; !why.empty())
    return wrong_parameter(why);
  const std::lock_guard lock(mutex_);
  MR_TRY(topic, topic_of(request, "TopicArn"));
  MR_TRY(count, rows<std::int64_t>(
                    database_, "SELECT count(*) FROM subscription WHERE topic = ?1",
                    [](Statement& s) { return s.integer(0); }, view(topic)));
  if (count[0] >= kSubscriptionsMax) return fail(ErrorCode::LimitExceeded, "Subscription limit exceeded");
  const std::string arn = arn_of(topic) + ":" + next_id(), text(to_payload(attributes).text());
  MR_DO(
      run(database_,
          "INSERT INTO subscription (arn, topic, protocol, endpoint, attributes) VALUES (?1, ?2, ?3, ?4, ?5)"
          " ON CONFLICT (topic, protocol, endpoint) DO NOTHING",
          view(arn), view(topic), view(protocol), view(endpoint), view(text)));
  if (database_.changes() > 0) return Json{{"SubscriptionArn", arn}};
  MR_TRY(known,
         rows<Json>(
             database_,
             "SELECT arn, attributes FROM subscription WHERE topic = ?1 AND protocol = ?2 AND endpoint = ?3",
             [](Statement& s) {
               return Json{{"arn", s.text(0)}, {"attributes", parsed(s.text(1))}};
             },
             view(topic), view(protocol), view(endpoint)));
  if (!attributes.empty() && known.at(0)["attributes"] != attributes)
    return wrong_parameter("Attributes Reason: Subscription already exists with different attributes");
  return Json{{"SubscriptionArn", known.at(0)["arn"]}};
}

Result<Json> Topics::unsubscribe(const Json& request) {
  const std::string arn = text_at(request, {"SubscriptionArn"});
  if (!arn.starts_with("arn:")) return wrong_parameter("SubscriptionArn");
  const std::lock_guard lock(mutex_);
  MR_DO(run(database_, "DELETE FROM subscription WHERE arn = ?1", view(arn)));
  return Json(Json::object());
}

Result<Json> Topics::list_subscriptions(const Json& request) {
  MR_TRY(after, after_token(request));
  const std::lock_guard lock(mutex_);
  std::string topic;
  if (request.contains("TopicArn")) {
    MR_TRY(found, topic_of(request, "TopicArn"));
    topic = std::move(found);
  }
  const auto read = [&](Statement& s) {
    return Json{{"SubscriptionArn", s.text(0)},
                {"Owner", settings_.place.account},
                {"Protocol", s.text(1)},
                {"Endpoint", s.text(2)},
                {"TopicArn", arn_of(std::string(s.text(3)))}};
  };
  MR_TRY(list, rows<Json>(database_,
                          "SELECT arn, protocol, endpoint, topic FROM subscription"
                          " WHERE arn > ?1 AND (?2 = '' OR topic = ?2) ORDER BY arn LIMIT ?3",
                          read, view(after), view(topic), kPage + 1));
  Json answer;
  const bool more = list.size() > static_cast<std::size_t>(kPage);
  if (more) list.pop_back();
  answer["Subscriptions"] = list;
  if (more) answer["NextToken"] = base64_encode(text_at(list.back(), {"SubscriptionArn"}));
  return answer;
}

Result<Json> Topics::subscription_record(const std::string& arn) {
  const auto read = [](Statement& s) {
    return Json{{"topic", s.text(0)},
                {"protocol", s.text(1)},
                {"endpoint", s.text(2)},
                {"attributes", parsed(s.text(3))}};
  };
  MR_TRY(found, rows<Json>(database_,
                           "SELECT topic, protocol, endpoint, attributes FROM subscription WHERE arn = ?1",
                           read, view(arn)));
  if (found.empty()) return fail(ErrorCode::NotFound, "Subscription does not exist");
  return found[0];
}

Result<Json> Topics::subscription_attributes(const Json& request) {
  const std::string arn = text_at(request, {"SubscriptionArn"});
  const std::lock_guard lock(mutex_);
  MR_TRY(record, subscription_record(arn));
  Json attributes = record["attributes"];
  attributes["SubscriptionArn"] = arn;
  attributes["TopicArn"] = arn_of(text_at(record, {"topic"}));
  attributes["Protocol"] = record["protocol"];
  attributes["Endpoint"] = record["endpoint"];
  attributes["Owner"] = settings_.place.account;
  attributes["PendingConfirmation"] = "false";
  attributes["ConfirmationWasAuthenticated"] = "true";
  if (!attributes.contains("RawMessageDelivery")) attributes["RawMessageDelivery"] = "false";
  return Json{{"Attributes", std::move(attributes)}};
}

Result<Json> Topics::set_subscription_attributes(const Json& request) {
  const std::string arn = text_at(request, {"SubscriptionArn"}), name = text_at(request, {"AttributeName"});
  const std::lock_guard lock(mutex_);
  MR_TRY(record, subscription_record(arn));
  Json attributes = record["attributes"];
  const std::string value = text_at(request, {"AttributeValue"});
  attributes[name] = value;
  MR_DO(check_attributes(attributes));
  if (value.empty()) attributes.erase(name);
  const std::string text(to_payload(attributes).text());
  MR_DO(run(database_, "UPDATE subscription SET attributes = ?1 WHERE arn = ?2", view(text), view(arn)));
  return Json(Json::object());
}

// In a transaction: the message, and a delivery for each subscription that wants it.
Result<std::string> Topics::put_message(const std::string& topic, Json message) {
  const std::string id = next_id();
  const std::int64_t now = to_millis(clock_.now());
  Json document = {
      {"MessageId", id}, {"TopicArn", arn_of(topic)}, {"Timestamp", format_rfc3339(clock_.now())}};
  document.update(message);
  using Subscriber = std::pair<std::string, Json>;
  MR_TRY(all, rows<Subscriber>(
                  database_, "SELECT arn, attributes FROM subscription WHERE topic = ?1",
                  [](Statement& s) {
                    return Subscriber{s.text(0), parsed(s.text(1))};
                  },
                  view(topic)));
  std::erase_if(all, [&](const Subscriber& one) { return !wants(one.second, document); });
  if (all.empty()) return id;
  const std::string text(to_payload(document).text());
  MR_DO(run(database_, "INSERT INTO message (document) VALUES (?1)", view(text)));
  for (const Subscriber& one : all)
    MR_DO(run(database_,
              "INSERT INTO delivery (message, subscription, attempts, due)"
              " VALUES ((SELECT max(number) FROM message), ?1, 0, ?2)",
              view(one.first), now));
  return id;
}

// In one transaction; for a task that was carried out before, only its answer.
Result<Json> Topics::once(const std::string& task, const std::function<Result<Json>()>& work) {
  MR_TRY(transaction, Transaction::begin(database_));
  if (!task.empty()) {
    MR_TRY(known, rows<Json>(
                      database_, "SELECT answer FROM request WHERE name = ?1",
                      [](Statement& s) { return parsed(s.text(0)); }, view(task)));
    if (!known.empty()) return known[0];
  }
  MR_TRY(answer, work());
  if (!task.empty()) {
    const std::string text(to_payload(answer).text());
    MR_DO(run(database_, "INSERT INTO request (name, time, answer) VALUES (?1, ?2, ?3)", view(task),
              to_millis(clock_.now()), view(text)));
  }
  MR_DO(remove_old());
  MR_DO(transaction.commit());
  return answer;
}

Result<bool> Topics::has_attribute(const Json& request, std::string_view name, std::string_view value) {
  const std::string_view member = request.contains("TopicArn") ? "TopicArn" : "TargetArn";
  const std::lock_guard lock(mutex_);
  MR_TRY(topic, topic_of(request, member));
  MR_TRY(kept, rows<Json>(
                   database_, "SELECT attributes FROM topic WHERE name = ?1",
                   [](Statement& s) { return parsed(s.text(0)); }, view(topic)));
  return text_at(kept.at(0), {name}) == value;
}

Result<Json> Topics::publish(const Json& request, const std::string& task, const std::string& approval) {
  if (request.contains("PhoneNumber") && !request["PhoneNumber"].is_null())
    return wrong_parameter("PhoneNumber Reason: text messages can't be sent from here");
  const std::string_view member = request.contains("TopicArn") ? "TopicArn" : "TargetArn";
  MR_TRY(message, read_message(request));
  if (!approval.empty()) message[kApprovalOfMessage] = approval;
  Result<Json> answer = [&]() -> Result<Json> {
    const std::lock_guard lock(mutex_);
    return once(task, [&]() -> Result<Json> {
      MR_TRY(topic, topic_of(request, member));
      MR_TRY(id, put_message(topic, message));
      return Json{{"MessageId", id}};
    });
  }();
  if (answer && settings_.published) settings_.published();
  return answer;
}

Result<Json> Topics::publish_batch(const Json& request, const std::string& task) {
  const Arguments in(request);
  MR_TRY(entries, in.list("PublishBatchRequestEntries"));
  if (entries.empty() || entries.size() > kBatchMax)
    return wrong_parameter(
        "PublishBatchRequestEntries Reason: The batch request contains " +
        std::string(entries.empty() ? "no entries." : "more entries than permissible (10)."));
  std::set<std::string> ids;
  std::size_t bytes = 0;
  for (const Arguments& entry : entries) {
    MR_TRY(id, entry.text("Id"));
    if (!ids.insert(id).second)
      return wrong_parameter("PublishBatchRequestEntries Reason: Two or more batch entries have the same Id");
    bytes += to_payload(entry.json()).size();
  }
  if (bytes > kBatchBytesMax)
    return wrong_parameter("PublishBatchRequestEntries Reason: The length of all the messages is too long");
  Result<Json> answer = [&]() -> Result<Json> {
    const std::lock_guard lock(mutex_);
    return once(task, [&]() -> Result<Json> {
      MR_TRY(topic, topic_of(request, "TopicArn"));
      Json sent = Json::array(), failed = Json::array();
      for (const Arguments& entry : entries) {
        const std::string id = text_at(entry.json(), {"Id"});
        const auto message = read_message(entry.json());
        if (!message) {
          failed.push_back({{"Id", id},
                            {"Code", "InvalidParameter"},
                            {"Message", message.error().message},
                            {"SenderFault", true}});
          continue;
        }
        MR_TRY(message_id, put_message(topic, *message));
        sent.push_back({{"Id", id}, {"MessageId", message_id}});
      }
      return Json{{"Successful", std::move(sent)}, {"Failed", std::move(failed)}};
    });
  }();
  if (answer && settings_.published) settings_.published();
  return answer;
}

Result<std::vector<Delivery>> Topics::due(const std::set<std::int64_t>& under_way, std::size_t limit) {
  const auto read = [](Statement& s) {
    Delivery one;
    one.number = s.integer(0);
    one.attempts = static_cast<int>(s.integer(1));
    one.subscription = s.text(2);
    one.protocol = s.text(3);
    one.endpoint = s.text(4);
    one.raw = text_at(parsed(s.text(5)), {"RawMessageDelivery"}) == "true";
    one.message = parsed(s.text(6));
    return one;
  };
  const std::lock_guard lock(mutex_);
  MR_TRY(list,
         rows<Delivery>(
             database_,
             "SELECT d.number, d.attempts, s.arn, s.protocol, s.endpoint, s.attributes, m.document"
             " FROM delivery d JOIN subscription s ON s.arn = d.subscription"
             " JOIN message m ON m.number = d.message WHERE d.due <= ?1 ORDER BY d.due, d.number LIMIT ?2",
             read, to_millis(clock_.now()), static_cast<std::int64_t>(limit + under_way.size())));
  std::erase_if(list, [&](const Delivery& one) { return under_way.contains(one.number); });
  if (list.size() > limit) list.resize(limit);
  return list;
}

// In a transaction: the delivery goes, and its message with the last one of it.
Status Topics::forget(std::int64_t delivery) {
  MR_TRY(message, rows<std::int64_t>(
                      database_, "SELECT message FROM delivery WHERE number = ?1",
                      [](Statement& s) { return s.integer(0); }, delivery));
  MR_DO(run(database_, "DELETE FROM delivery WHERE number = ?1", delivery));
  if (message.empty()) return {};
  return run(
      database_,
      "DELETE FROM message WHERE number = ?1 AND NOT EXISTS (SELECT 1 FROM delivery WHERE message = ?1)",
      message[0]);
}

Status Topics::delivered(std::int64_t delivery) {
  const std::lock_guard lock(mutex_);
  MR_TRY(transaction, Transaction::begin(database_));
  MR_DO(forget(delivery));
  return transaction.commit();
}

Status Topics::postpone(std::int64_t delivery, Instant due) {
  const std::lock_guard lock(mutex_);
  return run(database_, "UPDATE delivery SET attempts = attempts + 1, due = ?1 WHERE number = ?2",
             to_millis(due), delivery);
}

Status Topics::give_up(std::int64_t delivery, const std::string& why) {
  const std::lock_guard lock(mutex_);
  MR_TRY(transaction, Transaction::begin(database_));
  MR_DO(run(database_,
            "INSERT INTO dead_letter (time, subscription, protocol, endpoint, attempts, why, document)"
            " SELECT ?1, s.arn, s.protocol, s.endpoint, d.attempts + 1, ?2, m.document FROM delivery d"
            " JOIN subscription s ON s.arn = d.subscription JOIN message m ON m.number = d.message"
            " WHERE d.number = ?3",
            to_millis(clock_.now()), view(why), delivery));
  MR_DO(forget(delivery));
  return transaction.commit();
}

Result<std::vector<Json>> Topics::dead_letters(const std::string& path, const std::string& topic,
                                               std::size_t limit) {
  auto database = Database::open_readonly(path);
  if (!database && database.error().code == ErrorCode::NotFound) return std::vector<Json>();
  if (!database) return fail(database.error());
  const auto read = [](Statement& s) {
    return Json{{"Time", format_rfc3339(from_millis(s.integer(0)))},
                {"SubscriptionArn", s.text(1)},
                {"Protocol", s.text(2)},
                {"Endpoint", s.text(3)},
                {"Attempts", s.integer(4)},
                {"Reason", s.text(5)},
                {"Message", parsed(s.text(6))}};
  };
  // The ARN of a subscription: arn:aws:sns:REGION:ACCOUNT:TOPIC:ID.
  return rows<Json>(*database,
                    "SELECT time, subscription, protocol, endpoint, attempts, why, document FROM dead_letter"
                    " WHERE ?2 = '' OR subscription GLOB 'arn:*:*:*:*:' || ?2 || ':*'"
                    " ORDER BY number DESC LIMIT ?1",
                    read, static_cast<std::int64_t>(limit), view(topic));
}

Result<std::int64_t> Topics::waiting() {
  const std::lock_guard lock(mutex_);
  MR_TRY(count, rows<std::int64_t>(database_, "SELECT count(*) FROM delivery",
                                   [](Statement& s) { return s.integer(0); }));
  return count[0];
}

// Now and then, in the transaction of a publication.
Status Topics::remove_old() {
  const Millis uptime = clock_.uptime();
  if (uptime - cleaned_ < kCleaning) return {};
  cleaned_ = uptime;
  const std::int64_t oldest = to_millis(clock_.now()) - settings_.dead_letter_days * 86'400'000;
  MR_DO(run(database_, "DELETE FROM dead_letter WHERE time < ?1", oldest));
  MR_DO(run(database_, "DELETE FROM message WHERE number NOT IN (SELECT message FROM delivery)"));
  return run(database_, "DELETE FROM request WHERE time < ?1", oldest);
}

}  // namespace millrace::tasks
