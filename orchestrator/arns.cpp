#include "orchestrator/arns.h"

#include "base/text.h"

#include <algorithm>
#include <cctype>
#include <vector>

namespace millrace::orchestrator {
namespace {

constexpr std::string_view kTypes[] = {"stateMachine", "execution", "express", "activity", "mapRun"};

tl::unexpected<Error> wrong(std::string_view what, std::string_view about) {
  return invalid("Invalid Arn: '" + std::string(what) + ": " + std::string(about) + "'",
                 "an ARN of this service is arn:aws:states:REGION:ACCOUNT:TYPE:NAME");
}

}  // namespace

bool StatesArn::is_version() const {
  return !qualifier.empty() && std::all_of(qualifier.begin(), qualifier.end(),
                                           [](unsigned char c) { return std::isdigit(c) != 0; });
}

std::string StatesArn::unqualified() const {
  return "arn:aws:states:" + region + ":" + account + ":" + type + ":" + name;
}

Result<StatesArn> parse_arn(std::string_view text) {
  if (!text.starts_with("arn:")) return wrong("Invalid ARN prefix", text);
  const std::vector<std::string_view> parts = split(text, ':');
  if (parts.size() < 6 || parts[1].empty()) return wrong("Invalid ARN", text);
  if (parts[2] != "states") return wrong("Invalid service in ARN", text);
  if (std::find(std::begin(kTypes), std::end(kTypes), parts[5]) == std::end(kTypes))
    return wrong("Resource type not valid in this context", parts[5]);
  if (parts.size() < 7 || parts[6].empty()) return wrong("Invalid ARN", text);
  StatesArn arn;
  arn.region = parts[3];
  arn.account = parts[4];
  arn.type = parts[5];
  arn.name = parts[6];
  if (parts.size() > 7) arn.qualifier = parts[7];
  if (parts.size() > 8) arn.id = parts[8];
  const std::size_t most = arn.type == "express" ? 9 : arn.type == "activity" ? 7 : 8;
  if (parts.size() > most) return wrong("Invalid ARN", text);
  return arn;
}

Result<StatesArn> parse_arn(std::string_view text, std::string_view type) {
  MR_TRY(arn, parse_arn(text));
  if (arn.type != type) return wrong("Resource type not valid in this context", arn.type);
  return arn;
}

}  // namespace millrace::orchestrator
