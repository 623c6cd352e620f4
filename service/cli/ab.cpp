// `millrace ab`: an endpoint's variants compared by their outcomes. Works beside a server on the same home.

#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "service/cli/command.h"
#include "service/home.h"
#include "tasks/deployment/ab_test.h"

namespace millrace::cli {
namespace {

namespace fs = std::filesystem;

struct AbOptions {
  std::string endpoint, control;
  double confidence = 0.95, margin = 0;
  bool missing_is_zero = false, lower = false;
};

std::string number_text(const char* form, double value) {
  char text[64];
  std::snprintf(text, sizeof text, form, value);
  return text;
}

std::string small_letters(std::string text) {
  for (char& c : text)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return text;
}

void print_variant(const tasks::AbVariant& variant, std::size_t name_width) {
  const std::string mean = variant.outcomes.n == 0 ? "-" : number_text("%.4g", variant.outcomes.mean());
  std::string difference, interval, p;
  if (variant.difference.known) {
    difference = number_text("%+.4g", variant.difference.value);
    interval =
        number_text("%+.4g", variant.difference.low) + " … " + number_text("%+.4g", variant.difference.high);
    p = number_text("%.2g", variant.difference.p);
  }
  const int pad = interval.empty() ? 22 : 24;  // "…" is one character of three bytes
  std::printf("  %-*s %9llu %9llu %10s %12s  %-*s %9s  %s\n", static_cast<int>(name_width),
              variant.name.c_str(), static_cast<unsigned long long>(variant.requests),
              static_cast<unsigned long long>(variant.outcomes.n), mean.c_str(), difference.c_str(), pad,
              interval.c_str(), p.c_str(), small_letters(variant.verdict).c_str());
}

void print_result(const tasks::AbResult& result) {
  std::size_t width = 7;
  for (const tasks::AbVariant& variant : result.variants) width = std::max(width, variant.name.size());
  std::printf("  %-*s %9s %9s %10s %12s  %-22s %9s  %s\n", static_cast<int>(width), "VARIANT", "REQUESTS",
              "OUTCOMES", "MEAN", "DIFFERENCE",
              number_text("%g %% INTERVAL", result.confidence * 100).c_str(), "P", "VERDICT");
  for (const tasks::AbVariant& variant : result.variants) print_variant(variant, width);
  if (!result.winner.empty())
    print_line(result.winner + " is better than " +
               (result.variants.size() == 2 ? "the other" : "each other") + ".");
  else if (result.verdict == "Equal")
    print_line("They differ by less than the margin.");
  else
    print_line("Not decided yet.");
}

Status compare_endpoint(const AbOptions& options, const Shared& shared) {
  const std::string home = service::home_path(shared.home);
  std::error_code error;
  if (!fs::exists(fs::path(home) / "tasks.db", error))
    return fail(ErrorCode::NotFound, "there is no home directory at " + home,
                "name it with --home or MILLRACE_HOME");
  MR_TRY(jobs, tasks::Jobs::open((fs::path(home) / "tasks.db").string()));
  const SystemClock clock;
  tasks::OutcomeStore outcomes((fs::path(home) / "outcomes.db").string(), clock, nullptr, {});
  tasks::AbSettings settings;
  settings.confidence = options.confidence;
  settings.margin = options.margin;
  settings.missing_is_zero = options.missing_is_zero;
  settings.lower_is_better = options.lower;
  settings.control = options.control;
  MR_TRY(result, tasks::ab_test(*jobs, outcomes, options.endpoint, settings));
  if (shared.json)
    print_json(to_json(result));
  else
    print_result(result);
  return {};
}

}  // namespace

void add_ab(CLI::App& app, const Shared& shared, int& exit_code) {
  CLI::App* command =
      app.add_subcommand("ab", "Compare an endpoint's variants by what became of their requests");
  command->fallthrough();
  auto options = std::make_shared<AbOptions>();
  command->add_option("ENDPOINT", options->endpoint, "the endpoint's name")->required();
  command->add_option("--control", options->control,
                      "the variant the others are compared with; default: the first");
  command->add_option("--confidence", options->confidence, "of all intervals together, at every moment")
      ->check(CLI::Range(0.5, 0.9999))
      ->capture_default_str();
  command->add_option("--margin", options->margin, "variants that surely differ by less count as equal")
      ->check(CLI::NonNegativeNumber);
  command->add_flag("--missing-is-zero", options->missing_is_zero,
                    "a request without an outcome counts as 0: where only conversions are reported");
  command->add_flag("--lower-is-better", options->lower, "outcomes are costs, errors, times");
  command->footer(
      "The intervals hold whenever one looks, so the test may be read after each outcome and ended when it "
      "is "
      "decided.\nExamples:\n  millrace ab checkout\n  millrace ab checkout --missing-is-zero --json");
  command->callback([options, &shared, &exit_code] {
    const auto done = compare_endpoint(*options, shared);
    if (!done) exit_code = report(done.error(), shared);
  });
}

}  // namespace millrace::cli
