#pragma once
// Reading hyperparameters by an algorithm's rules. A value is what the job gave, else the rule's default; all
// have been checked against their rule before anything is read, so that reading cannot fail. Numbers may also
// be one of the rule's `choices` ("auto"). Immutable; borrows rules and parameters.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "tasks/training/estimator.h"

namespace millrace::tasks {

// Names, types, ranges and required ones. InvalidArgument: "hyperparameter 'max_dept' is not one of
// xgboost's: did you mean 'max_depth'?", "hyperparameter 'eta' is '3': expected a number from 0 to 1".
Status check_against_rules(std::string_view algorithm, std::span<const HyperParameterRule> rules,
                           const HyperParameters& parameters);

// The name among `names` that needs the fewest edits to become `name`; empty when none is near.
std::string_view nearest_name(std::string_view name, std::span<const std::string_view> names);

// A whole text as a number; nothing when there is anything else in it, or it is not finite.
std::optional<double> parse_real(std::string_view text);

// A list of names as SageMaker writes it, ["msd","ssd"], each one of `choices` ("msd|ssd") and none twice.
Result<std::vector<std::string>> parse_names(std::string_view name, std::string_view text,
                                             std::string_view choices);

class ParameterReader {
 public:
  ParameterReader(std::span<const HyperParameterRule> rules, const HyperParameters& parameters)
      : rules_(rules), parameters_(&parameters) {}

  bool given(std::string_view name) const { return parameters_->contains(std::string(name)); }
  std::string_view text(std::string_view name) const;
  bool is_auto(std::string_view name) const { return text(name) == "auto"; }
  double real(std::string_view name) const;           // not for one that is "auto" or has no value
  std::int64_t integer(std::string_view name) const;  // the same
  bool boolean(std::string_view name) const;          // "auto" is true, as in SageMaker
  double real_or(std::string_view name,
                 double otherwise) const;  // `otherwise` when it is "auto" or has no value
  std::int64_t integer_or(std::string_view name, std::int64_t otherwise) const;

 private:
  std::span<const HyperParameterRule> rules_;
  const HyperParameters* parameters_;
};

}  // namespace millrace::tasks
