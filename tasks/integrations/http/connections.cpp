#include "tasks/integrations/http/connections.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/encoding.h"
#include "base/random.h"
#include "tasks/arguments.h"
#include "tasks/artifacts/files.h"
#include "tasks/integrations/http/transfers.h"

namespace millrace::tasks {
namespace {

constexpr std::size_t kNameMax = 64, kTextMax = 512;
constexpr std::int64_t kPageMax = 100;

bool is_connection_name(std::string_view text) {
  return !text.empty() && text.size() <= kNameMax &&
         std::all_of(text.begin(), text.end(),
                     [](unsigned char c) { return std::isalnum(c) || c == '.' || c == '-' || c == '_'; });
}

// A token of HTTP: what a header's name is made of.
bool is_token(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return std::isalnum(c) ||
           std::string_view("!#$%&'*+-.^_`|~").find(static_cast<char>(c)) != std::string_view::npos;
  });
}

bool has_control(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c == 0x7F; });
}

// A secret's own text is never part of a message.
Status check_text(const Arguments& in, std::string_view key, bool required = true) {
  if (!required && !in.has(key)) return {};
  MR_TRY(text, in.text(key));
  if (text.size() > kTextMax)
    return in.wrong(key, "is longer than " + std::to_string(kTextMax) + " characters");
  if (has_control(text)) return in.wrong(key, "has a control character in it");
  return {};
}

struct ParameterGroup {
  std::string_view member;
  bool is_header;
};
constexpr ParameterGroup kGroups[] = {
    {"HeaderParameters", true}, {"QueryStringParameters", false}, {"BodyParameters", false}};

Status check_parameters(const Arguments& in) {
  for (const ParameterGroup& group : kGroups) {
    MR_TRY(parameters, in.list(group.member));
    for (const Arguments& parameter : parameters) {
      MR_TRY(key, parameter.text("Key"));
      MR_TRY(value, parameter.text_or("Value", ""));
      MR_TRY(secret, parameter.boolean_or("IsValueSecret", false));
      (void)secret;
      if (group.is_header && !is_token(key)) return parameter.wrong("Key", "is no name of a header");
      if (group.is_header && has_control(value))
        return parameter.wrong("Value", "has a control character in it");
    }
  }
  return {};
}

Status check_basic(const Arguments& parameters) {
  MR_TRY(basic, parameters.object("BasicAuthParameters"));
  MR_DO(check_text(basic, "Username"));
  return check_text(basic, "Password");
}

Status check_api_key(const Arguments& parameters) {
  MR_TRY(key, parameters.object("ApiKeyAuthParameters"));
  MR_DO(check_text(key, "ApiKeyName"));
  MR_TRY(name, key.text("ApiKeyName"));
  if (!is_token(name)) return key.wrong("ApiKeyName", "is no name of a header");
  return check_text(key, "ApiKeyValue");
}

Status check_oauth(const Arguments& parameters) {
  MR_TRY(oauth, parameters.object("OAuthParameters"));
  MR_TRY(client, oauth.object("ClientParameters"));
  MR_DO(check_text(client, "ClientID"));
  MR_DO(check_text(client, "ClientSecret"));
  MR_TRY(method, oauth.text("HttpMethod"));
  MR_DO(oauth.one_of("HttpMethod", method, "GET|POST|PUT"));
  MR_TRY(endpoint, oauth.text("AuthorizationEndpoint"));
  const auto url = parse_url(endpoint);
  if (!url) return oauth.wrong("AuthorizationEndpoint", url.error().message);
  MR_TRY(more, oauth.object_or_empty("OAuthHttpParameters"));
  return check_parameters(more);
}

constexpr std::pair<std::string_view, Status (*)(const Arguments&)> kAuthorizationTypes[] = {
    {"BASIC", check_basic}, {"API_KEY", check_api_key}, {"OAUTH_CLIENT_CREDENTIALS", check_oauth}};

// What a record says about how to authorize, as a whole.
Status check_record(const Json& record) {
  const Arguments in(record);
  MR_TRY(type, in.text("AuthorizationType"));
  MR_DO(in.one_of("AuthorizationType", type, "BASIC|API_KEY|OAUTH_CLIENT_CREDENTIALS"));
  MR_TRY(parameters, in.object("AuthParameters"));
  for (const auto& [name, check] : kAuthorizationTypes)
    if (name == type) MR_DO(check(parameters));
  MR_TRY(invocation, parameters.object_or_empty("InvocationHttpParameters"));
  if (parameters.has("ConnectivityParameters") || in.has("InvocationConnectivityParameters"))
    return in.wrong("InvocationConnectivityParameters",
                    "has no meaning here: requests go out as this machine can", "leave it out");
  return check_parameters(invocation);
}

// Members of `changes` over those of `base`, objects member by member.
void merge(Json& base, const Json& changes) {
  for (const auto& [key, value] : changes.items()) {
    if (value.is_object() && base.contains(key) && base[key].is_object())
      merge(base[key], value);
    else
      base[key] = value;
  }
}

constexpr std::string_view kSecretMembers[] = {"Password", "ClientSecret", "ApiKeyValue"};

// AuthParameters without the secrets among them.
Json shown(const Json& value) {
  if (value.is_array()) {
    Json out = Json::array();
    for (const Json& element : value) out.push_back(shown(element));
    return out;
  }
  if (!value.is_object()) return value;
  Json out = Json::object();
  const bool secret = value.value("IsValueSecret", false);
  for (const auto& [key, member] : value.items()) {
    const bool hidden =
        std::find(std::begin(kSecretMembers), std::end(kSecretMembers), key) != std::end(kSecretMembers);
    if (!hidden && !(secret && key == "Value")) out[key] = shown(member);
  }
  return out;
}

constexpr std::string_view kSummary[] = {"ConnectionArn",     "Name",         "ConnectionState",
                                         "AuthorizationType", "CreationTime", "LastModifiedTime",
                                         "LastAuthorizedTime"};
constexpr std::string_view kAnswer[] = {"ConnectionArn", "ConnectionState", "CreationTime",
                                        "LastModifiedTime"};

template <std::size_t n>
Json pick(const Json& record, const std::string_view (&members)[n]) {
  Json out = Json::object();
  for (const std::string_view member : members)
    if (record.contains(member)) out[std::string(member)] = record[std::string(member)];
  return out;
}

ConnectionParameters parameters_of(const Json& json) {
  ConnectionParameters out;
  std::vector<ConnectionParameter>* lists[] = {&out.headers, &out.query, &out.body};
  for (std::size_t i = 0; i < std::size(kGroups); ++i) {
    const auto found = json.find(kGroups[i].member);
    if (found == json.end() || !found->is_array()) continue;
    for (const Json& one : *found)
      lists[i]->push_back(
          {text_at(one, {"Key"}), text_at(one, {"Value"}), one.value("IsValueSecret", false)});
  }
  return out;
}

Json member_or_empty(const Json& object, const char* key) {
  return object.is_object() && object.contains(key) ? object[key] : Json::object();
}

tl::unexpected<Error> no_connection(const std::string& name) {
  return fail(ErrorCode::NotFound, "Connection '" + name + "' does not exist.");
}

}  // namespace

Result<std::unique_ptr<Connections>> Connections::open(std::filesystem::path file, LambdaPlace place,
                                                       const Clock& clock, std::uint64_t seed) {
  std::unique_ptr<Connections> made(new Connections(std::move(file), std::move(place), clock, seed));
  const auto bytes = read_file(made->file_);
  if (!bytes && bytes.error().code == ErrorCode::NotFound) return made;
  if (!bytes) return fail(bytes.error());
  const Json document = Json::parse(*bytes, nullptr, false);
  if (!document.is_object() || !document.contains("Connections") || !document["Connections"].is_array())
    return fail(ErrorCode::DataLoss, made->file_.string() + " is damaged: it is not what Millrace wrote",
                "restore it from a backup, or remove it and create the connections again");
  for (const Json& record : document["Connections"]) made->records_[text_at(record, {"Name"})] = record;
  return made;
}

Status Connections::save(const std::map<std::string, Json>& records) const {
  Json list = Json::array();
  for (const auto& [name, record] : records) list.push_back(record);
  return replace_file(file_, to_payload(Json{{"Connections", std::move(list)}}).text(), 0600);
}

std::string Connections::next_id() {
  Random random(mix(mix(seed_, ++ids_), static_cast<std::uint64_t>(to_millis(clock_.now()))));
  return uuid_v4(random);
}

Result<Json> Connections::create(const Json& request) {
  const Arguments in(request);
  MR_TRY(name, in.text("Name"));
  if (!is_connection_name(name)) return in.wrong("Name", "must be 1 to 64 letters, digits, '.', '-' and '_'");
  MR_DO(check_record(request));
  const std::lock_guard lock(mutex_);
  if (records_.contains(name))
    return fail(ErrorCode::AlreadyExists, "Connection " + name + " already exists.");
  if (records_.size() >= kConnectionsMax)
    return fail(ErrorCode::LimitExceeded,
                "The account already has " + std::to_string(kConnectionsMax) + " connections.");
  const std::string id = next_id(), now = format_rfc3339(clock_.now());
  const std::string events = "arn:aws:events:" + place_.region + ":" + place_.account;
  Json record = {{"ConnectionArn", events + ":connection/" + name + "/" + id}, {"Name", name}};
  if (in.has("Description")) record["Description"] = request["Description"];
  record["ConnectionState"] = "AUTHORIZED";
  record["AuthorizationType"] = request["AuthorizationType"];
  record["SecretArn"] = "arn:aws:secretsmanager:" + place_.region + ":" + place_.account +
                        ":secret:events!connection/" + name + "/" + id;
  record["AuthParameters"] = request["AuthParameters"];
  record["CreationTime"] = record["LastModifiedTime"] = record["LastAuthorizedTime"] = now;
  record["Version"] = 1;
  auto records = records_;
  records[name] = record;
  MR_DO(save(records));
  records_ = std::move(records);
  return pick(record, kAnswer);
}

Result<Json> Connections::update(const Json& request) {
  const Arguments in(request);
  MR_TRY(name, in.text("Name"));
  const std::lock_guard lock(mutex_);
  const auto found = records_.find(name);
  if (found == records_.end()) return no_connection(name);
  Json record = found->second;
  const bool other_type =
      in.has("AuthorizationType") && request["AuthorizationType"] != record["AuthorizationType"];
  if (in.has("AuthorizationType")) record["AuthorizationType"] = request["AuthorizationType"];
  if (in.has("Description")) record["Description"] = request["Description"];
  if (other_type) record["AuthParameters"] = Json::object();
  MR_TRY(parameters, in.object_or_empty("AuthParameters"));
  if (in.has("AuthParameters")) merge(record["AuthParameters"], parameters.json());
  MR_DO(check_record(record));
  record["LastModifiedTime"] = record["LastAuthorizedTime"] = format_rfc3339(clock_.now());
  record["Version"] = record.value("Version", 1) + 1;
  auto records = records_;
  records[name] = record;
  MR_DO(save(records));
  records_ = std::move(records);
  return pick(record, kSummary);
}

Result<Json> Connections::remove(const Json& request) {
  MR_TRY(name, Arguments(request).text("Name"));
  const std::lock_guard lock(mutex_);
  const auto found = records_.find(name);
  if (found == records_.end()) return no_connection(name);
  Json answer = pick(found->second, kSummary);
  answer.erase("Name");
  answer.erase("AuthorizationType");
  answer["ConnectionState"] = "DELETING";
  auto records = records_;
  records.erase(name);
  MR_DO(save(records));
  records_ = std::move(records);
  return answer;
}

Result<Json> Connections::describe(const Json& request) const {
  MR_TRY(name, Arguments(request).text("Name"));
  const std::lock_guard lock(mutex_);
  const auto found = records_.find(name);
  if (found == records_.end()) return no_connection(name);
  Json answer = found->second;
  answer.erase("Version");
  answer["AuthParameters"] = shown(answer["AuthParameters"]);
  return answer;
}

Result<Json> Connections::list(const Json& request) const {
  const Arguments in(request);
  MR_TRY(prefix, in.text_or("NamePrefix", ""));
  MR_TRY(state, in.text_or("ConnectionState", ""));
  MR_TRY(token, in.text_or("NextToken", ""));
  MR_TRY(limit, in.integer_or("Limit", kPageMax));
  if (limit < 1 || limit > kPageMax) return in.wrong("Limit", "must be between 1 and 100");
  const auto after = token.empty() ? std::optional<std::string>("") : base64_decode(token);
  if (!after) return in.wrong("NextToken", "is not one of ListConnections");
  const std::lock_guard lock(mutex_);
  Json page = Json::array(), answer;
  std::string last;
  for (auto it = records_.upper_bound(*after); it != records_.end(); ++it) {
    if (!it->first.starts_with(prefix)) continue;
    if (!state.empty() && text_at(it->second, {"ConnectionState"}) != state) continue;
    if (static_cast<std::int64_t>(page.size()) == limit) {
      answer["NextToken"] = base64_encode(last);
      break;
    }
    page.push_back(pick(it->second, kSummary));
    last = it->first;
  }
  answer["Connections"] = std::move(page);
  return answer;
}

Result<Connection> Connections::find(const std::string& arn) const {
  const std::lock_guard lock(mutex_);
  const auto found = std::find_if(records_.begin(), records_.end(), [&](const auto& entry) {
    return entry.first == arn || text_at(entry.second, {"ConnectionArn"}) == arn;
  });
  if (found == records_.end()) return no_connection(arn);
  const Json& record = found->second;
  const Json parameters = member_or_empty(record, "AuthParameters");
  const Json oauth = member_or_empty(parameters, "OAuthParameters");
  Connection connection;
  connection.arn = text_at(record, {"ConnectionArn"});
  connection.name = found->first;
  connection.version = record.value("Version", std::uint64_t{1});
  connection.authorization_type = text_at(record, {"AuthorizationType"});
  const bool by_client = connection.authorization_type == "OAUTH_CLIENT_CREDENTIALS";
  connection.user = by_client ? text_at(oauth, {"ClientParameters", "ClientID"})
                              : text_at(parameters, {"BasicAuthParameters", "Username"});
  connection.password = by_client ? text_at(oauth, {"ClientParameters", "ClientSecret"})
                                  : text_at(parameters, {"BasicAuthParameters", "Password"});
  connection.key_name = text_at(parameters, {"ApiKeyAuthParameters", "ApiKeyName"});
  connection.key_value = text_at(parameters, {"ApiKeyAuthParameters", "ApiKeyValue"});
  connection.token_endpoint = text_at(oauth, {"AuthorizationEndpoint"});
  connection.token_method = text_at(oauth, {"HttpMethod"});
  connection.token = parameters_of(member_or_empty(oauth, "OAuthHttpParameters"));
  connection.invocation = parameters_of(member_or_empty(parameters, "InvocationHttpParameters"));
  return connection;
}

}  // namespace millrace::tasks
