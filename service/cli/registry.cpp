// `millrace registry`: model package groups and their versions: look, approve, alias, compare, go back.

#include <CLI/CLI.hpp>
#include <cstdio>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "base/encoding.h"
#include "service/cli/command.h"
#include "service/cli/connect.h"
#include "service/cli/sagemaker.h"
#include "service/cli/show.h"

namespace millrace::cli {
namespace {

constexpr std::string_view kAliasKey = "millrace:alias:";

struct RegistryOptions {
  std::string group, package, because, alias = "champion", endpoint, version, html;
  std::vector<std::string> versions;
  bool remove = false, all = false;
};

std::string shown(const Json& object, const char* name) {
  const auto found = object.find(name);
  return found == object.end() || found->is_null() ? std::string() : cell_text(*found);
}

Json inside(const Json& object, const char* name) {
  const auto found = object.find(name);
  return found == object.end() ? Json() : *found;
}

// By version: "champion, fallback".
Result<std::map<std::string, std::string>> aliases_by_version(client::Access& access, const Json& group) {
  MR_TRY(tags, ask_sagemaker_all(access, "ListTags", {{"ResourceArn", inside(group, "ModelPackageGroupArn")}},
                                 "Tags"));
  std::map<std::string, std::string> aliases;
  for (const Json& tag : tags) {
    const std::string key = shown(tag, "Key");
    if (!key.starts_with(kAliasKey)) continue;
    std::string& names = aliases[shown(tag, "Value")];
    names += (names.empty() ? "" : ", ") + key.substr(kAliasKey.size());
  }
  return aliases;
}

Status list_groups(client::Access& access, const Shared& shared) {
  MR_TRY(groups,
         ask_sagemaker_all(access, "ListModelPackageGroups", Json::object(), "ModelPackageGroupSummaryList"));
  if (shared.json) {
    print_json(Json{{"ModelPackageGroupSummaryList", groups}});
    return {};
  }
  if (groups.empty()) {
    std::fputs("no model package groups\n", stderr);
    return {};
  }
  std::vector<std::vector<std::string>> rows = {
      {"GROUP", "VERSIONS", "LATEST", "LATEST APPROVED", "ALIASES"}};
  for (const Json& group : groups) {
    const std::string name = shown(group, "ModelPackageGroupName");
    MR_TRY(versions, ask_sagemaker_all(access, "ListModelPackages", {{"ModelPackageGroupName", name}},
                                       "ModelPackageSummaryList"));
    MR_TRY(aliases, aliases_by_version(access, group));
    std::string latest, approved, names;
    for (const Json& version : versions) {
      const std::string number = shown(version, "ModelPackageVersion");
      if (latest.empty()) latest = number;
      if (approved.empty() && shown(version, "ModelApprovalStatus") == "Approved") approved = number;
    }
    for (const auto& [version, alias] : aliases)
      names += (names.empty() ? "" : "; ") + alias + " → " + version;
    rows.push_back({name, std::to_string(versions.size()), latest, approved, names});
  }
  print_cells(rows);
  return {};
}

Status list_versions(client::Access& access, const std::string& name, const Shared& shared) {
  MR_TRY(group, ask_sagemaker(access, "DescribeModelPackageGroup", {{"ModelPackageGroupName", name}}));
  MR_TRY(versions, ask_sagemaker_all(access, "ListModelPackages", {{"ModelPackageGroupName", name}},
                                     "ModelPackageSummaryList"));
  MR_TRY(aliases, aliases_by_version(access, group));
  if (shared.json) {
    for (Json& version : versions) version["Aliases"] = aliases[shown(version, "ModelPackageVersion")];
    print_json(Json{{"ModelPackageSummaryList", versions}});
    return {};
  }
  std::vector<std::vector<std::string>> rows = {{"VERSION", "APPROVAL", "ALIASES", "CREATED", "DESCRIPTION"}};
  for (const Json& version : versions)
    rows.push_back({shown(version, "ModelPackageVersion"), shown(version, "ModelApprovalStatus"),
                    aliases[shown(version, "ModelPackageVersion")],
                    time_text(inside(version, "CreationTime")), shown(version, "ModelPackageDescription")});
  print_cells(rows);
  return {};
}

void print_package(const Json& package) {
  std::printf("%s version %s  %s\n", shown(package, "ModelPackageGroupName").c_str(),
              shown(package, "ModelPackageVersion").c_str(), shown(package, "ModelApprovalStatus").c_str());
  std::printf("  arn         %s\n", shown(package, "ModelPackageArn").c_str());
  std::printf("  created     %s\n", time_text(inside(package, "CreationTime")).c_str());
  const std::string description = shown(package, "ModelPackageDescription");
  if (!description.empty()) std::printf("  about       %s\n", description.c_str());
  const Json specification = inside(package, "InferenceSpecification");
  for (const Json& container : specification.is_object() ? inside(specification, "Containers") : Json())
    std::printf("  model       %s\n", shown(container, "ModelDataUrl").c_str());
  const char* title = "metadata";
  const Json metadata = inside(package, "CustomerMetadataProperties");
  for (const auto& [key, value] : metadata.items()) {
    std::printf("  %-11s %s = %s\n", title, key.c_str(), cell_text(value).c_str());
    title = "";
  }
  title = "approval";
  for (const Json& entry : inside(package, "ApprovalHistory")) {
    const std::string by = shown(entry, "By"), why = shown(entry, "Description");
    std::printf("  %-11s %s  %s%s%s\n", title, time_text(inside(entry, "Time")).c_str(),
                shown(entry, "Status").c_str(), by.empty() ? "" : (" by " + by).c_str(),
                why.empty() ? "" : (": " + why).c_str());
    title = "";
  }
}

Status show_package(client::Access& access, const RegistryOptions& options, const Shared& shared) {
  if (options.package.find_first_of("/@") == std::string::npos && !options.package.starts_with("arn:"))
    return list_versions(access, options.package, shared);
  MR_TRY(package, ask_sagemaker(access, "DescribeModelPackage", {{"ModelPackageName", options.package}}));
  shared.json ? print_json(package) : print_package(package);
  return {};
}

Status judge(client::Access& access, const RegistryOptions& options, const char* status,
             const Shared& shared) {
  Json input = {{"ModelPackageArn", options.package}, {"ModelApprovalStatus", status}};
  if (!options.because.empty()) input["ApprovalDescription"] = options.because;
  MR_TRY(answer, ask_sagemaker(access, "UpdateModelPackage", input));
  if (shared.json)
    print_json(answer);
  else
    print_line(options.package + " is " + status);
  return {};
}

Status move_alias(client::Access& access, const RegistryOptions& options, const Shared& shared) {
  MR_TRY(group,
         ask_sagemaker(access, "DescribeModelPackageGroup", {{"ModelPackageGroupName", options.group}}));
  const Json arn = inside(group, "ModelPackageGroupArn");
  const std::string key = std::string(kAliasKey) + options.alias;
  if (options.remove) {
    MR_TRY(gone, ask_sagemaker(access, "DeleteTags", {{"ResourceArn", arn}, {"TagKeys", {key}}}));
    shared.json ? print_json(gone) : print_line(options.group + "@" + options.alias + " is gone");
    return {};
  }
  if (options.version.empty()) return invalid("which version?", "millrace registry alias GROUP NAME VERSION");
  const Json tag = {{"Key", key}, {"Value", options.version}};
  MR_TRY(set, ask_sagemaker(access, "AddTags", {{"ResourceArn", arn}, {"Tags", Json::array({tag})}}));
  if (shared.json)
    print_json(set);
  else
    print_line(options.group + "@" + options.alias + " is version " + options.version);
  return {};
}

Status roll_back(client::Access& access, const RegistryOptions& options, const Shared& shared) {
  Json input = {{"ModelPackageGroupName", options.group}, {"Alias", options.alias}};
  if (!options.endpoint.empty()) input["EndpointName"] = options.endpoint;
  MR_TRY(answer, ask_sagemaker(access, "RollbackModelPackageGroup", input));
  if (shared.json) {
    print_json(answer);
    return {};
  }
  print_line(options.group + "@" + options.alias + " is version " + shown(answer, "ModelPackageVersion") +
             " again; it was " + shown(answer, "PreviousVersion"));
  if (answer.contains("EndpointArn")) print_line("endpoint " + options.endpoint + " is updated");
  return {};
}

std::string version_title(const Json& version) {
  std::string title = "version " + shown(version, "ModelPackageVersion");
  for (const Json& alias : inside(version, "Aliases")) title += " @" + cell_text(alias);
  return title;
}

// Rows of a table of the comparison; `all`: also what is the same for all.
std::vector<std::vector<std::string>> table_rows(const Json& answer, const char* table, bool all,
                                                 std::size_t& same) {
  std::vector<std::vector<std::string>> rows;
  same = 0;
  for (const Json& row : inside(answer, table)) {
    if (row.value("Same", false) && !all) {
      ++same;
      continue;
    }
    std::vector<std::string> cells = {shown(row, "Name")};
    for (const Json& value : inside(row, "Values")) {
      const std::string text = cell_text(value);
      const bool hash = cells.front().ends_with("sha256");
      cells.push_back(hash ? text.substr(0, 12) : text);
    }
    rows.push_back(std::move(cells));
  }
  return rows;
}

constexpr const char* kTables[] = {"Metrics", "Parameters", "Data"};

std::string comparison_page(const Json& answer) {
  std::string out =
      "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
      "content=\"width=device-width\"><title>" +
      escape_xml(shown(answer, "ModelPackageGroupName")) +
      "</title><style>body{font:15px system-ui,sans-serif;margin:2rem;color:#0f172a;background:#fff}"
      "table{border-collapse:collapse;margin:.5rem 0 2rem}th,td{padding:.3rem .8rem;border-bottom:1px solid "
      "#e2e8f0;"
      "text-align:left;max-width:24rem;overflow-wrap:anywhere}td+td,th+th{text-align:right;font-variant-"
      "numeric:tabular-nums}.same{color:#64748b}"
      "@media(prefers-color-scheme:dark){body{background:#0b1120;color:#e2e8f0}th,td{border-color:#334155}}"
      "</style></head><body><h1>" +
      escape_xml(shown(answer, "ModelPackageGroupName")) + "</h1>\n";
  const auto head = [&] {
    std::string cells = "<tr><th></th>";
    for (const Json& version : inside(answer, "Versions"))
      cells += "<th>" + escape_xml(version_title(version)) + "</th>";
    return cells + "</tr>\n";
  };
  out += "<table>" + head();
  for (const auto& [member, title] :
       {std::pair("ModelApprovalStatus", "approval"), std::pair("CreationTime", "created")}) {
    out += std::string("<tr><td>") + title + "</td>";
    for (const Json& version : inside(answer, "Versions"))
      out += "<td>" +
             escape_xml(member == std::string_view("CreationTime") ? time_text(inside(version, member))
                                                                   : shown(version, member)) +
             "</td>";
    out += "</tr>\n";
  }
  out += "</table>\n";
  for (const char* table : kTables) {
    out += std::string("<h2>") + table + "</h2><table>" + head();
    for (const Json& row : inside(answer, table)) {
      out += std::string("<tr") + (row.value("Same", false) ? " class=\"same\"" : "") + "><td>" +
             escape_xml(shown(row, "Name")) + "</td>";
      for (const Json& value : inside(row, "Values")) out += "<td>" + escape_xml(cell_text(value)) + "</td>";
      out += "</tr>\n";
    }
    out += "</table>\n";
  }
  return out + "</body></html>\n";
}

Status compare(client::Access& access, const RegistryOptions& options, const Shared& shared) {
  MR_TRY(answer, ask_sagemaker(access, "CompareModelPackages",
                               {{"ModelPackageGroupName", options.group}, {"Versions", options.versions}}));
  if (!options.html.empty()) {
    std::ofstream out(options.html, std::ios::binary);
    if (!(out << comparison_page(answer)) || !out.flush())
      return invalid("can't write " + options.html, "check the path and the disk");
  }
  if (shared.json) {
    print_json(answer);
    return {};
  }
  std::vector<std::string> head = {options.group};
  std::vector<std::string> approval = {"approval"};
  for (const Json& version : inside(answer, "Versions")) {
    head.push_back(version_title(version));
    approval.push_back(shown(version, "ModelApprovalStatus"));
  }
  std::vector<std::vector<std::string>> rows = {head, approval};
  for (const char* table : kTables) {
    std::size_t same = 0;
    const auto more = table_rows(answer, table, options.all, same);
    rows.push_back({});
    rows.push_back({std::string(table) + (same > 0 ? " (" + std::to_string(same) + " the same)" : "")});
    for (const auto& row : more) rows.push_back(row);
  }
  print_cells(rows);
  return {};
}

using RegistryAction = Status (*)(client::Access&, const RegistryOptions&, const Shared&);

}  // namespace

void add_registry(CLI::App& app, const Shared& shared, int& exit_code) {
  CLI::App* command =
      app.add_subcommand("registry", "Show, approve, alias, compare and roll back model versions");
  command->fallthrough();
  command->require_subcommand(1);
  auto options = std::make_shared<RegistryOptions>();
  const auto add = [&](const char* name, const char* help, client::Use use, RegistryAction action) {
    CLI::App* sub = command->add_subcommand(name, help);
    sub->fallthrough();
    sub->callback([options, &shared, &exit_code, use, action] {
      auto access = connect(shared, use);
      const Status done = access ? action(**access, *options, shared) : Status(fail(access.error()));
      exit_code = done ? kSucceeded : report(done.error(), shared);
    });
    return sub;
  };
  constexpr const char* kPackageHelp = "GROUP/VERSION, GROUP@ALIAS or an ARN";
  CLI::App* list = add("list", "List groups, or the versions of one", client::Use::Look,
                       [](client::Access& access, const RegistryOptions& o, const Shared& s) {
                         return o.group.empty() ? list_groups(access, s) : list_versions(access, o.group, s);
                       });
  list->add_option("GROUP", options->group, "a model package group");
  CLI::App* show = add("show", "Show a version with its approval history", client::Use::Look, show_package);
  show->add_option("PACKAGE", options->package, kPackageHelp)->required();
  CLI::App* approve = add("approve", "Approve a version", client::Use::Change,
                          [](client::Access& access, const RegistryOptions& o, const Shared& s) {
                            return judge(access, o, "Approved", s);
                          });
  CLI::App* reject = add("reject", "Reject a version", client::Use::Change,
                         [](client::Access& access, const RegistryOptions& o, const Shared& s) {
                           return judge(access, o, "Rejected", s);
                         });
  for (CLI::App* sub : {approve, reject}) {
    sub->add_option("PACKAGE", options->package, kPackageHelp)->required();
    sub->add_option("--because", options->because, "why; kept in the approval history");
  }
  CLI::App* alias = add("alias", "Let a name stand for a version", client::Use::Change, move_alias);
  alias->add_option("GROUP", options->group, "a model package group")->required();
  alias->add_option("NAME", options->alias, "the alias: champion, challenger, …")->required();
  alias->add_option("VERSION", options->version, "the version it stands for from now on");
  alias->add_flag("--delete", options->remove, "take the alias away");
  CLI::App* comparing =
      add("compare", "Compare versions: metrics, parameters, data", client::Use::Look, compare);
  comparing->add_option("GROUP", options->group, "a model package group")->required();
  comparing->add_option("VERSIONS", options->versions, "numbers or aliases")->required()->expected(2, 20);
  comparing->add_option("--html", options->html, "write a page, too: a file");
  comparing->add_flag("--all", options->all, "also what is the same");
  CLI::App* back = add("rollback", "Move an alias back to the approved version it had before",
                       client::Use::Change, roll_back);
  back->add_option("GROUP", options->group, "a model package group")->required();
  back->add_option("--alias", options->alias, "which alias")->capture_default_str();
  back->add_option("--endpoint", options->endpoint, "an endpoint that serves GROUP@ALIAS: it is updated");
  command->footer(
      "Examples:\n"
      "  millrace registry list fraud\n"
      "  millrace registry approve fraud/4 --because 'better on every slice'\n"
      "  millrace registry alias fraud champion 4\n"
      "  millrace registry compare fraud champion 3 --html compare.html\n"
      "  millrace registry rollback fraud --endpoint fraud-live");
}

}  // namespace millrace::cli
