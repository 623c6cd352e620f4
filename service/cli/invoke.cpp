// `millrace invoke`: a deployed model's score for rows. `millrace objects`: the home's object store.

#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "service/cli/command.h"
#include "service/home.h"
#include "tasks/deployment/invoke.h"

namespace millrace::cli {
namespace {

namespace fs = std::filesystem;

struct InvokeOptions {
  std::string endpoint, body, content_type = "text/csv", accept;
};

Result<std::string> home_with_tasks(const Shared& shared) {
  const std::string home = service::home_path(shared.home);
  std::error_code error;
  if (!fs::exists(fs::path(home) / "tasks.db", error)) {
    return fail(ErrorCode::NotFound, "there is no home directory at " + home,
                "run a workflow first, or name the directory with --home");
  }
  return home;
}

Status invoke(const InvokeOptions& options, const Shared& shared) {
  MR_TRY(home, home_with_tasks(shared));
  std::string body = options.body;
  if (body == "-" || body.starts_with("@")) {
    MR_TRY(bytes, read_input(body == "-" ? body : body.substr(1)));
    body = std::move(bytes);
  }
  MR_TRY(jobs, tasks::Jobs::open((fs::path(home) / "tasks.db").string()));
  const tasks::ObjectStore objects(fs::path(home) / "objects");
  MR_TRY(answer, tasks::invoke_endpoint(*jobs, objects, options.endpoint, options.content_type, body,
                                        options.accept));
  if (shared.json) {
    print_json(Json{{"Body", answer.body},
                    {"ContentType", answer.content_type},
                    {"InvokedProductionVariant", answer.variant}});
  } else {
    std::fputs(answer.body.c_str(), stdout);
    if (!answer.body.ends_with('\n')) std::fputc('\n', stdout);
  }
  return {};
}

tasks::ObjectStore objects_of(const Shared& shared) {
  return tasks::ObjectStore(fs::path(service::home_path(shared.home)) / "objects");
}

Status list_objects(const std::string& uri, const Shared& shared) {
  MR_TRY(parsed, tasks::parse_s3_uri(uri));
  MR_TRY(found, objects_of(shared).list(uri, true));
  Json rows = Json::array();
  for (const tasks::ObjectInfo& object : found) {
    const std::string name = "s3://" + parsed.bucket + "/" + object.key;
    if (shared.json)
      rows.push_back({{"Key", object.key}, {"Uri", name}, {"Size", object.bytes}});
    else
      std::printf("%12llu  %s\n", static_cast<unsigned long long>(object.bytes), name.c_str());
  }
  if (shared.json) print_json(Json{{"Contents", std::move(rows)}});
  return {};
}

Status get_object(const std::string& uri, const std::string& file, const Shared& shared) {
  MR_TRY(bytes, objects_of(shared).read(uri));
  if (file == "-") {
    std::fwrite(bytes.data(), 1, bytes.size(), stdout);
    return {};
  }
  std::ofstream out(file, std::ios::binary);
  if (!(out << bytes) || !out.flush()) return invalid("can't write " + file, "check the path and the disk");
  return {};
}

Status put_object(const std::string& file, const std::string& uri, const Shared& shared) {
  MR_TRY(bytes, read_input(file));
  return objects_of(shared).write(uri, bytes);
}

}  // namespace

void add_invoke(CLI::App& app, const Shared& shared, int& exit_code) {
  CLI::App* command = app.add_subcommand("invoke", "Ask a deployed model for scores");
  command->fallthrough();
  auto options = std::make_shared<InvokeOptions>();
  command->add_option("ENDPOINT", options->endpoint, "the endpoint's name")->required();
  command->add_option("-b,--body", options->body, "rows: text, @FILE, or '-'")->required();
  command
      ->add_option("--content-type", options->content_type,
                   "text/csv, application/json or application/jsonlines")
      ->capture_default_str();
  command->add_option("--accept", options->accept, "the answer's type; default: as the request's");
  command->footer(
      "Examples:\n  millrace invoke fraud-live --body '42.5,grocery,web,13,120,2'\n  millrace invoke "
      "fraud-live --body @rows.csv --json");
  command->callback([options, &shared, &exit_code] {
    const auto done = invoke(*options, shared);
    if (!done) exit_code = report(done.error(), shared);
  });
}

void add_objects(CLI::App& app, const Shared& shared, int& exit_code) {
  CLI::App* objects =
      app.add_subcommand("objects", "The home's object store: s3://bucket/key is HOME/objects/bucket/key");
  objects->require_subcommand(1);
  auto uri = std::make_shared<std::string>();
  auto file = std::make_shared<std::string>("-");
  const auto finish = [&shared, &exit_code](const Status& done) {
    if (!done) exit_code = report(done.error(), shared);
  };
  CLI::App* ls = objects->add_subcommand("ls", "List objects by prefix");
  ls->fallthrough();
  ls->add_option("URI", *uri, "s3://bucket/prefix")->required();
  ls->callback([=, &shared] { finish(list_objects(*uri, shared)); });
  CLI::App* cat = objects->add_subcommand("cat", "Print an object");
  cat->fallthrough();
  cat->add_option("URI", *uri, "s3://bucket/key")->required();
  cat->callback([=, &shared] { finish(get_object(*uri, "-", shared)); });
  CLI::App* get = objects->add_subcommand("get", "Copy an object to a file");
  get->fallthrough();
  get->add_option("URI", *uri, "s3://bucket/key")->required();
  get->add_option("FILE", *file, "where to")->required();
  get->callback([=, &shared] { finish(get_object(*uri, *file, shared)); });
  CLI::App* put = objects->add_subcommand("put", "Make an object of a file");
  put->fallthrough();
  put->add_option("FILE", *file, "the file; '-' is standard input")->required();
  put->add_option("URI", *uri, "s3://bucket/key")->required();
  put->callback([=, &shared] { finish(put_object(*file, *uri, shared)); });
}

}  // namespace millrace::cli
