#pragma once
// $fromMillis and $toMillis: times as milliseconds since 1970 (doubles, as everywhere in JSONata), written
// and read by pictures (definitions/jsonata/date_picture.h) or as ISO 8601. Pure: what time it is comes in.

#include <optional>
#include <string>
#include <string_view>

#include "definitions/jsonata/date_picture.h"
#include "definitions/jsonata/fault.h"

namespace millrace::definitions::jsonata {

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

}  // namespace millrace::definitions::jsonata
