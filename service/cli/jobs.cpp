// `millrace jobs`: the machine-learning jobs of a home: a list, one in full, and why it ran or did not.

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <set>

#include "service/cli/command.h"
#include "service/cli/connect.h"
#include "service/cli/sagemaker.h"
#include "service/cli/show.h"

namespace millrace::cli {
namespace {

struct JobOptions {
  std::string name, kind, status, contains;
  std::size_t limit = 50;
};

std::string member_text(const Json& object, const char* name) {
  const auto found = object.find(name);
  return found == object.end() || found->is_null() ? std::string() : cell_text(*found);
}

Json part_of(const Json& object, const char* name) {
  const auto found = object.find(name);
  return found == object.end() ? Json() : *found;
}

std::string took(const Json& summary) {
  const Json begun = part_of(summary, "StartTime"), ended = part_of(summary, "EndTime");
  if (!begun.is_number() || !ended.is_number()) return {};
  return format_duration(time_of(ended) - time_of(begun));
}

// "TrainingJob" of what people write: training, TrainingJob. The library knows which kinds there are.
std::string job_kind(const std::string& text) {
  const std::pair<std::string_view, const char*> kinds[] = {{"", "any"},
                                                            {"training", "TrainingJob"},
                                                            {"processing", "ProcessingJob"},
                                                            {"transform", "TransformJob"},
                                                            {"tuning", "HyperParameterTuningJob"},
                                                            {"automl", "AutoMLJob"}};
  for (const auto& [word, kind] : kinds)
    if (text == word) return kind;
  return text;
}

Status list_jobs(const JobOptions& options, const Shared& shared) {
  MR_TRY(access, connect(shared, client::Use::Look));
  Json input = {{"JobKind", job_kind(options.kind)}};
  if (!options.status.empty()) input["StatusEquals"] = options.status;
  if (!options.contains.empty()) input["NameContains"] = options.contains;
  MR_TRY(jobs, ask_sagemaker_all(*access, "ListJobRecords", input, "JobSummaries", options.limit));
  if (shared.json) {
    print_json(Json{{"JobSummaries", jobs}});
    return {};
  }
  if (jobs.empty()) {
    std::fputs("no jobs\n", stderr);
    return {};
  }
  std::vector<std::vector<std::string>> rows = {
      {"NAME", "KIND", "STATUS", "STARTED", "TOOK", "CACHE", "COST"}};
  for (const Json& job : jobs) {
    const Json usage = part_of(job, "Usage");
    rows.push_back({member_text(job, "JobName"), member_text(job, "JobKind"), member_text(job, "JobStatus"),
                    time_text(part_of(job, "StartTime")), took(job), member_text(job, "Cache"),
                    usage.is_object() ? member_text(usage, "EstimatedCost") : ""});
  }
  print_cells(rows);
  return {};
}

std::string place_line(const Json& place) {
  const auto count = part_of(place, "Objects").get<std::int64_t>();
  return member_text(place, "Name") + "  " + member_text(place, "Uri") + "  " + std::to_string(count) +
         (count == 1 ? " file, " : " files, ") + bytes_text(part_of(place, "Bytes").get<double>()) +
         ", sha256 " + member_text(place, "Sha256").substr(0, 12);
}

void print_field(const char* name, const std::string& text) {
  if (!text.empty()) std::printf("  %-11s %s\n", name, text.c_str());
}

void print_used(const Json& usage) {
  std::string text = member_text(usage, "CpuSeconds") + " s of processor time, at most " +
                     bytes_text(part_of(usage, "MemoryPeakBytes").get<double>()) + " of memory, " +
                     bytes_text(part_of(usage, "BytesRead").get<double>()) + " read";
  if (usage.contains("EstimatedCost"))
    text += "; estimated cost " + member_text(usage, "EstimatedCost") + " at " +
            cell_text(Json(part_of(usage, "CentsPerHour").get<double>() / 100)) + " an hour";
  print_field("used", text);
}

// "hit", "miss" or "off", and the reasons.
void print_cache(const Json& cache, const char* first) {
  const std::string result = member_text(cache, "Result");
  print_field(first, result == "hit"    ? "did not run: an earlier result was taken over"
                     : result == "miss" ? "ran: no earlier result could be used"
                                        : "ran");
  for (const Json& line : part_of(cache, "Why")) print_field("", cell_text(line));
}

// "▁▃▅▇██": from the least to the most, in at most so many columns.
std::string sparkline(const std::vector<double>& values) {
  constexpr std::size_t kColumns = 40;
  constexpr const char* kBlocks[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  if (values.size() < 2) return {};
  const auto [least, most] = std::minmax_element(values.begin(), values.end());
  const double range = *most - *least;
  const std::size_t columns = std::min(kColumns, values.size());
  std::string line;
  for (std::size_t i = 0; i < columns; ++i) {
    const double value = values[i * (values.size() - 1) / std::max<std::size_t>(1, columns - 1)];
    const double level = range > 0 ? (value - *least) / range * 7.999 : 0;
    line += kBlocks[std::isfinite(level) ? static_cast<std::size_t>(level) : 0];
  }
  return line;
}

// The last values, and of those that were reported over time their course.
void print_metrics(const Json& last, const Json& course) {
  std::set<std::string> shown;
  const char* title = "metrics";
  const auto print_one = [&](const std::string& name, const std::string& value) {
    std::vector<double> values;
    const Json series = course.is_object() ? part_of(course, name.c_str()) : Json();
    if (series.is_object())
      for (const Json& point : part_of(series, "Values"))
        if (point.is_number()) values.push_back(point.get<double>());
    const std::string line = sparkline(values);
    if (value.empty() && line.empty()) return;
    print_field(title, name + (value.empty() ? "" : " = " + value) +
                           (line.empty() ? ""
                                         : "  " + cell_text(Json(values.front())) + " " + line + " " +
                                               cell_text(Json(values.back()))));
    title = "";
  };
  for (const Json& metric : last) {
    shown.insert(member_text(metric, "MetricName"));
    print_one(member_text(metric, "MetricName"), member_text(metric, "Value"));
  }
  if (course.is_object())
    for (const auto& [name, series] : course.items())
      if (!shown.contains(name)) print_one(name, "");
}

void print_job(const Json& answer) {
  const Json summary = part_of(answer, "Overview"), job = part_of(answer, "Job"),
             step = part_of(answer, "Step");
  const std::string time = took(summary);
  std::printf("%s %s %s%s\n", member_text(answer, "JobKind").c_str(), member_text(answer, "JobName").c_str(),
              member_text(summary, "JobStatus").c_str(), time.empty() ? "" : (" in " + time).c_str());
  print_field("arn", member_text(summary, "JobArn"));
  print_field("started", time_text(part_of(summary, "StartTime")));
  print_field("failure", member_text(summary, "FailureReason"));
  print_field("by", member_text(answer, "Caller"));
  print_field("execution", member_text(answer, "ExecutionArn"));
  if (step.is_object()) {
    const std::string interpreter = member_text(step, "Interpreter");
    print_field("image", member_text(step, "Image") + "  (" + member_text(step, "Version") +
                             (interpreter.empty() ? "" : ", " + interpreter) + ")");
    if (step.contains("Code")) print_field("code", place_line(step["Code"]));
    const char* title = "parameters";
    const Json parameters = part_of(step, "Parameters");
    for (const auto& [name, value] : parameters.items()) {
      print_field(title, name + " = " + cell_text(value));
      title = "";
    }
    for (const auto& [member, name] : {std::pair("Inputs", "inputs"), std::pair("Outputs", "outputs")}) {
      title = name;
      for (const Json& place : part_of(step, member)) {
        print_field(title, place_line(place));
        title = "";
      }
    }
  }
  print_metrics(part_of(job, "FinalMetricDataList"), part_of(answer, "Course"));
  const Json model = part_of(job, "ModelArtifacts");
  if (model.is_object()) print_field("model", member_text(model, "S3ModelArtifacts"));
  if (step.is_object() && step.contains("Usage")) print_used(step["Usage"]);
  if (step.is_object() && step.contains("Cache")) print_cache(step["Cache"], "cache");
  print_field("log", member_text(answer, "LogFile"));
}

Status show_job(const JobOptions& options, bool why, const Shared& shared) {
  MR_TRY(access, connect(shared, client::Use::Look));
  const Json input = {{"JobName", options.name}, {"JobKind", job_kind(options.kind)}};
  MR_TRY(answer, ask_sagemaker(*access, "DescribeJobRecord", input));
  const Json step = part_of(answer, "Step");
  const Json cache = step.is_object() ? part_of(step, "Cache") : Json();
  if (!why) {
    shared.json ? print_json(answer) : print_job(answer);
  } else if (shared.json) {
    print_json(Json{{"JobName", member_text(answer, "JobName")}, {"Cache", cache}});
  } else if (cache.is_null()) {
    print_line(options.name + " " + member_text(part_of(answer, "Overview"), "JobStatus") +
               ": nothing is known of why it ran; jobs record it when they end");
  } else {
    print_line(member_text(answer, "JobKind") + " " + member_text(answer, "JobName"));
    print_cache(cache, "why");
  }
  return {};
}

}  // namespace

void add_jobs(CLI::App& app, const Shared& shared, int& exit_code) {
  CLI::App* command = app.add_subcommand("jobs", "Show training, processing, transform and tuning jobs");
  command->fallthrough();
  command->require_subcommand(1);
  auto options = std::make_shared<JobOptions>();
  const auto run = [&shared, &exit_code](const Status& done) {
    exit_code = done ? kSucceeded : report(done.error(), shared);
  };
  const auto add_kind = [options](CLI::App* to) {
    to->fallthrough();
    to->add_option("--kind", options->kind, "training, processing, transform, tuning; or TrainingJob, …");
  };
  CLI::App* list = command->add_subcommand("list", "List jobs of all kinds, the newest first");
  add_kind(list);
  list->add_option("--status", options->status, "InProgress, Completed, Failed, Stopping or Stopped");
  list->add_option("--name", options->contains, "part of the name");
  list->add_option("--limit", options->limit, "at most so many")->capture_default_str();
  list->callback([options, &shared, run] { run(list_jobs(*options, shared)); });
  CLI::App* describe = command->add_subcommand(
      "describe", "Show a job: inputs with their hashes, parameters, code, use, cost");
  add_kind(describe);
  describe->add_option("NAME", options->name, "the job's name or ARN")->required();
  describe->callback([options, &shared, run] { run(show_job(*options, false, shared)); });
  CLI::App* why =
      command->add_subcommand("why", "Say why a job ran, or why an earlier result was taken over");
  add_kind(why);
  why->add_option("NAME", options->name, "the job's name or ARN")->required();
  why->callback([options, &shared, run] { run(show_job(*options, true, shared)); });
  command->footer(
      "Examples:\n"
      "  millrace jobs list --status Failed\n"
      "  millrace jobs describe fraud-train-3\n"
      "  millrace jobs why fraud-train-3");
}

}  // namespace millrace::cli
