#pragma once
// Doctor: whether a home and the machine it is on are fit for a server: what is right, what may become a
// problem, what is wrong, each with its remedy. Reads only, but for a probe file in the home that is removed
// again. Works beside a server that has the home open.

#include <string>
#include <vector>

#include "service/ops/configuration.h"

namespace millrace::service {

enum class Health { Ok, Warning, Failed };
std::string_view name_of(Health health);  // "ok", "warn", "fail"

struct Finding {
  Health health = Health::Ok;
  std::string check;  // "disk", "database millrace.db", …
  std::string message;
  std::string remedy = {};
};

struct DoctorRequest {
  Sources sources;
  bool thorough = true;  // reads every page of the databases
};
std::vector<Finding> examine(const DoctorRequest& request);
Health worst(const std::vector<Finding>& findings);

}  // namespace millrace::service
