#include "service/bus/schedule_settings.h"

namespace millrace::bus {
namespace {

constexpr std::string_view kMark = "[millrace ";
constexpr std::string_view kMissedNames[] = {"run-once", "skip", "catch-up"};
constexpr std::string_view kOverlapNames[] = {"allow", "skip", "queue", "cancel"};

template <class Choice, std::size_t N>
Status read_choice(std::string_view setting, std::string_view value, const std::string_view (&names)[N],
                   Choice& choice) {
  std::string known;
  for (std::size_t i = 0; i < N; ++i) {
    if (names[i] == value) {
      choice = static_cast<Choice>(i);
      return {};
    }
    known += (i ? ", " : "") + std::string(names[i]);
  }
  return invalid("Description: " + std::string(setting) + "=" + std::string(value) +
                 " is not known; there are " + known);
}

}  // namespace

std::string_view name_of(MissedRuns missed) {
  return kMissedNames[static_cast<std::size_t>(missed)];
}
std::string_view name_of(Overlap overlap) {
  return kOverlapNames[static_cast<std::size_t>(overlap)];
}

Result<ScheduleSettings> read_schedule_settings(std::string_view description) {
  ScheduleSettings settings;
  const std::size_t begin = description.find(kMark);
  if (begin == std::string_view::npos) return settings;
  std::string_view rest = description.substr(begin + kMark.size());
  const std::size_t end = rest.find(']');
  if (end == std::string_view::npos) return invalid("Description: '[millrace' has no ']' behind it");
  rest = rest.substr(0, end);
  while (!rest.empty()) {
    const std::string_view word = rest.substr(0, rest.find(' '));
    rest.remove_prefix(std::min(rest.size(), word.size() + 1));
    if (word.empty()) continue;
    const std::size_t equals = word.find('=');
    const std::string_view name = word.substr(0, equals);
    const std::string_view value =
        equals == std::string_view::npos ? std::string_view() : word.substr(equals + 1);
    if (name == "missed")
      MR_DO(read_choice(name, value, kMissedNames, settings.missed));
    else if (name == "overlap")
      MR_DO(read_choice(name, value, kOverlapNames, settings.overlap));
    else
      return invalid("Description: '" + std::string(word) +
                     "' is not known; there are missed=… and overlap=…");
  }
  return settings;
}

}  // namespace millrace::bus
