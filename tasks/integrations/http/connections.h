#pragma once
// Connections: EventBridge's records of how a request is authorized: the secret stays here, workflows name
// the connection's ARN. All of them stand in one file of the home, readable by its owner only, replaced as a
// whole with each change; none of the secrets is ever shown again. Any thread. Source: EventBridge API
// reference, Connections.

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/json.h"
#include "base/result.h"
#include "tasks/functions/lambda.h"

namespace millrace::tasks {

struct ConnectionParameter {
  std::string key, value;
  bool secret = false;
};
struct ConnectionParameters {
  std::vector<ConnectionParameter> headers, query, body;
};

// One connection with its secrets. Never written to a log, a history or an answer.
struct Connection {
  std::string arn, name;
  std::uint64_t version = 0;       // another one after each change
  std::string authorization_type;  // BASIC, API_KEY, OAUTH_CLIENT_CREDENTIALS
  std::string user, password;      // of BASIC; OAuth's client id and secret
  std::string key_name, key_value;
  std::string token_endpoint, token_method;
  ConnectionParameters token, invocation;
};

class Connections {
 public:
  static constexpr std::size_t kConnectionsMax = 3000;

  // `file`: HOME/connections.json; made with the first connection. DataLoss when it can't be read as JSON.
  static Result<std::unique_ptr<Connections>> open(std::filesystem::path file, LambdaPlace place,
                                                   const Clock& clock, std::uint64_t seed);

  // The operations of EventBridge's API on JSON requests, durable on return. Errors: InvalidArgument,
  // NotFound, AlreadyExists, LimitExceeded.
  Result<Json> create(const Json& request);
  Result<Json> update(const Json& request);
  Result<Json> remove(const Json& request);
  Result<Json> describe(const Json& request) const;
  Result<Json> list(const Json& request) const;

  // By ARN; NotFound. A name alone is taken too.
  Result<Connection> find(const std::string& arn) const;

 private:
  Connections(std::filesystem::path file, LambdaPlace place, const Clock& clock, std::uint64_t seed)
      : file_(std::move(file)), place_(std::move(place)), clock_(clock), seed_(seed) {}
  Status save(const std::map<std::string, Json>& records) const;
  std::string next_id();

  const std::filesystem::path file_;
  const LambdaPlace place_;
  const Clock& clock_;
  const std::uint64_t seed_;
  mutable std::mutex mutex_;  // over what follows
  std::uint64_t ids_ = 0;
  std::map<std::string, Json> records_;  // by name: the request's members and the record's own
};

}  // namespace millrace::tasks
