// Values of configuration keys: from the text people write to what it means, and the other way round. Immutable, any
// thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "config/rows.h"

namespace kb::config {

// Checks a text against a row's type and rule and returns it the way DescribeConfigs shows it: trimmed, numbers in
// their plain form, lists without blanks and repetitions. kInvalid names key, value and what is allowed, in one line;
// the value of a password is not repeated.
Result<std::string> Canonical(const Row& row, std::string_view text);

// What a value of this row may be, as "an integer of at least 1".
std::string Allowed(const Row& row);

// What canonical texts mean. The text must have come from Canonical (or a row's default).
bool BooleanOf(std::string_view canonical);
int64_t IntegerOf(std::string_view canonical);
double DoubleOf(std::string_view canonical);
std::vector<std::string> ListOf(std::string_view canonical);

// Whether what was written means anything but the row's default. What is not allowed differs, too.
bool DiffersFromDefault(const Row& row, std::string_view written);

// Without blanks and control characters at both ends, as Java trims.
std::string_view Trimmed(std::string_view text);

// Error{kInvalid, "key: \"value\" is not allowed; it must be …"}.
Error NotAllowed(std::string_view key, std::string_view value, std::string_view allowed);

}  // namespace kb::config
