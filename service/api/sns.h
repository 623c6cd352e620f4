#pragma once
// SnsApi: the part of Amazon SNS's API that is here: topics, subscriptions, Publish and PublishBatch; Query
// protocol, XML answers. The operations are the task library's. Loop thread only. Source: Amazon SNS API
// reference, 2010-03-31; smithy.io "AWS Query protocol".

#include "base/json.h"
#include "base/random.h"
#include "base/result.h"
#include "service/http/server.h"
#include "tasks/runner.h"

namespace millrace::api {

class SnsApi {
 public:
  // `library` is borrowed. `seed`: of request ids.
  SnsApi(tasks::TaskLibraryRunner& library, std::uint64_t seed) : library_(library), random_(seed) {}

  // POST or GET / with Version=2010-03-31.
  static bool serves(const http::Request& request);
  void handle(http::ExchangePtr exchange);

 private:
  tasks::TaskLibraryRunner& library_;
  Random random_;
};

// A form of the Query protocol as a document: A.member.1=x is {"A": ["x"]}, A.entry.1.key=k&A.entry.1.value=v
// is
// {"A": {"k": "v"}} (Name and Value likewise). InvalidArgument for what is nested too deeply.
Result<Json> parse_query_form(std::string_view form);
// The members of an object as XML: arrays as <member>, the map Attributes as <entry>.
std::string query_xml(const Json& object);

}  // namespace millrace::api
