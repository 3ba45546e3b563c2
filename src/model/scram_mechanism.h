// ScramMechanism: the ways of SCRAM, by the numbers that records and requests have for them. Immutable value, any thread.
#pragma once

#include <cstdint>

namespace kb {

enum class ScramMechanism : int8_t { kSha256 = 1, kSha512 = 2 };

}  // namespace kb
