#pragma once
// $fromMillis and $toMillis: times as milliseconds since 1970 (doubles, as everywhere in JSONata), written
// and read by pictures (definitions/jsonata/date_picture.h) or as ISO 8601. Pure: what time it is comes in.

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "definitions/jsonata/date_picture.h"
#include "definitions/jsonata/fault.h"

namespace millrace::definitions::jsonata {

class JsRegex;

// Without a picture `2018-03-23T10:33:36.617Z`. `zone`: "+0100"; none is UTC. Faults D3130 to D3135.
Checked<std::string> from_millis(double millis, std::optional<std::string_view> picture = {},
                                 std::optional<std::string_view> zone = {});

// The same in two steps, for a picture that is used again.
inline constexpr std::string_view kIsoPicture = "[Y0001]-[M01]-[D01]T[H01]:[m01]:[s01].[f001][Z01:01t]";
Checked<std::vector<DatePart>> date_picture(std::string_view picture);
Checked<std::string> format_millis(double millis, const std::vector<DatePart>& picture,
                                   std::optional<std::string_view> zone);

// Reads ISO 8601: a year, a year and month, a date, a date and time, with a fraction and an offset. D3110 for
// what does not look like that, NaN for what does and is no date, as JavaScript's Date.parse.
Checked<double> to_millis(std::string_view text);

// Reads by a picture. Nothing if the text is not like the picture. Parts of the time that are more
// significant than all that the picture names come from `now`. D3136: a part in between is missing; D3130 to
// D3135.
Checked<std::optional<double>> to_millis(std::string_view text, std::string_view picture, double now);

// The same in two steps, for a picture that is used again.
struct DateReader {
  std::vector<DatePart> parts;
  std::shared_ptr<const JsRegex> regex;  // a group a part
};
Checked<DateReader> date_reader(std::string_view picture);
Checked<std::optional<double>> to_millis(std::string_view text, const DateReader& reader, double now);

// Pictures that were read, by their text: a few at a time, the oldest leaves first. What is handed out lives
// until the next add().
template <class Read>
class KnownPictures {
 public:
  using Reading = Checked<Read> (*)(std::string_view picture);
  static constexpr std::size_t kMost = 8;

  const Checked<Read>* find(std::string_view picture) const {
    for (const Known& known : known_)
      if (known.picture == picture) return &known.read;
    return nullptr;
  }
  const Checked<Read>& add(std::string_view picture, Reading reading) {
    if (known_.size() >= kMost) known_.erase(known_.begin());
    return known_.emplace_back(Known{std::string(picture), reading(picture)}).read;
  }

 private:
  struct Known {
    std::string picture;
    Checked<Read> read;
  };
  std::vector<Known> known_;
};

}  // namespace millrace::definitions::jsonata
