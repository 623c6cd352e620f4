// `millrace doctor`: whether a home and its machine are fit for a server.

#include <CLI/CLI.hpp>
#include <cstdio>

#include "service/cli/command.h"
#include "service/cli/serve_options.h"
#include "service/ops/doctor.h"

namespace millrace::cli {
namespace {

using service::Finding;
using service::Health;

void print(const std::vector<Finding>& findings, const Shared& shared) {
  if (shared.json) {
    JsonWriter out;
    out.begin_object().key("health").string(name_of(service::worst(findings))).key("findings").begin_array();
    for (const Finding& finding : findings) {
      out.begin_object().key("health").string(name_of(finding.health)).key("check").string(finding.check);
      out.key("message").string(finding.message).key("remedy").string(finding.remedy).end_object();
    }
    out.end_array().end_object();
    return print_line(out.finish().text());
  }
  for (const Finding& finding : findings) {
    std::printf("%-4s  %-22s %s\n", std::string(name_of(finding.health)).c_str(), finding.check.c_str(),
                finding.message.c_str());
    if (!finding.remedy.empty()) std::printf("      %-22s → %s\n", "", finding.remedy.c_str());
  }
}

}  // namespace

void add_doctor(CLI::App& app, const Shared& shared, int& exit_code) {
  CLI::App* command = app.add_subcommand("doctor", "Examine a home and the machine it is on");
  command->fallthrough();
  auto flags = std::make_shared<ServeFlags>();
  auto quick = std::make_shared<bool>(false);
  add_serve_flags(*command, *flags);
  command->add_flag("--quick", *quick, "do not read every page of the databases");
  command->footer("Exit codes: 0 nothing failed (warnings may be there); 3 something did.");
  command->callback([flags, quick, &shared, &exit_code] {
    service::DoctorRequest request;
    request.sources = sources_of(*flags, shared);
    request.thorough = !*quick;
    const auto findings = service::examine(request);
    print(findings, shared);
    exit_code = service::worst(findings) == Health::Failed ? kEnvironment : kSucceeded;
  });
}

}  // namespace millrace::cli
