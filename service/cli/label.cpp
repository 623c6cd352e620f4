// `millrace label`: what is to be labelled, one object after the other, and a key for each answer.

#include <termios.h>
#include <unistd.h>
#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "service/cli/command.h"
#include "service/cli/connect.h"
#include "tasks/table/csv.h"

namespace millrace::cli {
namespace {

constexpr int kObjectsAtOnce = 20;
constexpr std::string_view kLabelKeys = "123456789abcdefghijklmnoprtuvwxyz";  // without q and s

struct LabelOptions {
  std::string task, worker, file;
  bool link = false;
  std::int64_t hours = 168;
};

Result<Json> ask_labels(client::Access& access, std::string_view operation, const Json& input) {
  MR_TRY(answer, access.call(client::kLabels, operation, to_payload(input)));
  return to_json(answer.view());
}

// One key at a time from a terminal; from anything else the first character of each line.
class Keys {
 public:
  Keys() {
    raw_ = ::isatty(STDIN_FILENO) == 1 && ::tcgetattr(STDIN_FILENO, &before_) == 0;
    if (!raw_) return;
    termios raw = before_;
    raw.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
    ::tcsetattr(STDIN_FILENO, TCSANOW, &raw);
  }
  ~Keys() {
    if (raw_) ::tcsetattr(STDIN_FILENO, TCSANOW, &before_);
  }
  Keys(const Keys&) = delete;
  Keys& operator=(const Keys&) = delete;
  // 'q' at the end of the input.
  char next() {
    const int c = std::getchar();
    if (c == EOF || c == 4) return 'q';
    if (!raw_)
      for (int rest = c; rest != '\n' && rest != EOF;) rest = std::getchar();
    return static_cast<char>(c);
  }

 private:
  termios before_{};
  bool raw_ = false;
};

std::string told(const Json& object, const char* name) {
  const auto found = object.find(name);
  if (found == object.end() || found->is_null()) return {};
  return found->is_string() ? found->get<std::string>() : found->dump();
}

void print_object(const Json& item, std::int64_t remaining) {
  const Json& object = item["Object"];
  std::printf("\n%lld to go\n", static_cast<long long>(remaining));
  for (const auto& [key, value] : object.items()) {
    if (key == "source" || key == "columns") continue;  // the columns are in the source
    std::printf("  %s: %s\n", key.c_str(),
                value.is_string() ? value.get<std::string>().c_str() : value.dump().c_str());
  }
  if (object.contains("source")) std::printf("\n  %s\n\n", told(object, "source").c_str());
}

void print_choices(const Json& labels) {
  std::string line;
  for (std::size_t i = 0; i < labels.size() && i < kLabelKeys.size(); ++i)
    line += std::string(1, kLabelKeys[i]) + " " + labels[i].get<std::string>() + "   ";
  std::printf("%ss skip   q quit > ", line.c_str());
  std::fflush(stdout);
}

// The label that is meant; empty: skip. Nothing: quit.
std::optional<std::string> choose_label(Keys& keys, const Json& labels) {
  for (;;) {
    print_choices(labels);
    const char key = keys.next();
    std::printf("%c\n", key >= ' ' ? key : ' ');
    if (key == 'q') return std::nullopt;
    if (key == 's') return std::string();
    const std::size_t place = kLabelKeys.find(key);
    if (place < labels.size()) return labels[place].get<std::string>();
  }
}

Result<int> list_tasks(client::Access& access, const Shared& shared) {
  MR_TRY(answer, ask_labels(access, "ListLabelTasks", Json::object()));
  if (shared.json) {
    print_json(answer);
    return kSucceeded;
  }
  for (const Json& task : answer["Tasks"])
    std::printf("%-40s %s of %s labelled  %s\n", told(task, "Task").c_str(), told(task, "Labelled").c_str(),
                told(task, "Total").c_str(), told(task, "Title").c_str());
  if (answer["Tasks"].empty())
    std::fprintf(stderr, "nothing waits to be labelled in %s\n", access.where().c_str());
  return kSucceeded;
}

Result<Json> put_label(client::Access& access, const LabelOptions& options, const Json& labels) {
  return ask_labels(access, "PutLabels",
                    {{"Task", options.task}, {"Worker", options.worker}, {"Labels", labels}});
}

Result<int> put_file(client::Access& access, const LabelOptions& options, const Shared& shared) {
  MR_TRY(text, read_input(options.file));
  tasks::CsvOptions csv;
  csv.keep_spelling = true;
  MR_TRY(table, tasks::parse_csv(text, options.file, csv));
  const tasks::Column *id = table.find("id"), *label = table.find("label");
  if (!id || !label || id->type != tasks::Column::Type::Number)
    return invalid(options.file + ": expected the columns id (numbers) and label");
  std::int64_t accepted = 0;
  Json last = Json::object();
  for (std::size_t first = 0; first < table.rows; first += 1000) {
    Json labels = Json::array();
    for (std::size_t row = first; row < std::min(first + 1000, table.rows); ++row)
      labels.push_back({{"Id", static_cast<std::int64_t>(id->numbers[row])}, {"Label", label->texts[row]}});
    MR_TRY(answer, put_label(access, options, labels));
    accepted += answer.value("Accepted", std::int64_t{0});
    last = std::move(answer);
  }
  if (shared.json)
    print_json(Json{{"Accepted", accepted}, {"Remaining", last.value("Remaining", Json())}});
  else
    print_line(std::to_string(accepted) + " labels, " + told(last, "Remaining") + " to go");
  return kSucceeded;
}

Result<int> label_by_hand(client::Access& access, const LabelOptions& options) {
  Keys keys;
  Json request = {{"Task", options.task}, {"Worker", options.worker}, {"Limit", kObjectsAtOnce}};
  std::int64_t labelled = 0, skipped = 0;
  bool begun = false;
  for (;;) {
    request["Limit"] = std::min<std::int64_t>(kObjectsAtOnce + skipped, 1000);
    MR_TRY(page, ask_labels(access, "GetLabelItems", request));
    if (!begun) std::printf("%s\n%s\n", told(page, "Title").c_str(), told(page, "Description").c_str());
    begun = true;
    std::int64_t remaining = page.value("Remaining", std::int64_t{0}), left = skipped;
    bool any = false;
    for (const Json& item : page["Items"]) {
      if (left-- > 0) continue;  // what was skipped comes first again
      any = true;
      print_object(item, remaining);
      const auto label = choose_label(keys, page["Labels"]);
      if (!label) {
        std::printf("%lld labelled, %lld to go\n", static_cast<long long>(labelled),
                    static_cast<long long>(remaining));
        return kSucceeded;
      }
      if (label->empty()) {
        ++skipped;
        continue;
      }
      MR_DO(put_label(access, options, Json::array({{{"Id", item["Id"]}, {"Label", *label}}})));
      ++labelled, --remaining;
    }
    if (any) continue;
    std::printf("%lld labelled; nothing more for %s\n", static_cast<long long>(labelled),
                options.worker.c_str());
    return kSucceeded;
  }
}

Result<int> make_link(client::Access& access, const LabelOptions& options, const Shared& shared) {
  Json input = {{"Task", options.task}, {"Hours", options.hours}};
  if (!options.worker.empty()) input["Worker"] = options.worker;
  MR_TRY(answer, ask_labels(access, "CreateLabelLink", input));
  if (shared.json)
    print_json(answer);
  else
    print_line(told(answer, "Url"));
  return kSucceeded;
}

Result<int> label_objects(LabelOptions options, const Shared& shared) {
  MR_TRY(access, connect_existing(shared));
  if (options.task.empty()) return list_tasks(*access, shared);
  if (options.link) return make_link(*access, options, shared);
  if (options.worker.empty()) {
    const char* user = std::getenv("USER");
    options.worker = user && *user ? user : "me";
  }
  return options.file.empty() ? label_by_hand(*access, options) : put_file(*access, options, shared);
}

}  // namespace

void add_label(CLI::App& app, const Shared& shared, int& exit_code) {
  CLI::App* command = app.add_subcommand("label", "Label what a workflow asks people about");
  command->fallthrough();
  auto options = std::make_shared<LabelOptions>();
  command->add_option("TASK", options->task, "a labelling job; without it what waits is shown");
  command->add_option("--worker", options->worker, "who labels; the user's name");
  command->add_option("--file", options->file,
                      "labels from a CSV file with the columns id and label instead");
  command->add_flag(
      "--link", options->link,
      "print a link to a page on which people label, of a server that runs; without --worker the "
      "page asks for a name");
  command->add_option("--hours", options->hours, "how long the link works")->capture_default_str();
  command->footer(
      "Shows an object and asks for a key. Each answer is kept at once; when the last one is given the "
      "workflow goes "
      "on.\n"
      "Examples:\n"
      "  millrace label\n"
      "  millrace label sms-round-1 --worker ann\n"
      "  millrace label sms-round-1 --file labels.csv\n"
      "  millrace label sms-round-1 --link --worker ann@example.com");
  command->callback([options, &shared, &exit_code] {
    const auto code = label_objects(*options, shared);
    exit_code = code ? *code : report(code.error(), shared);
  });
}

}  // namespace millrace::cli
