// What is written: made and packed once, before the start, so that a run costs sending and receiving only.
#pragma once

#include <string>
#include <vector>

#include "load/options.h"

namespace kb::load {

// Without keys one batch, with them 3,000 by turns: each record with one of so many keys and a value of random
// hexadecimal digits, which compresses to half. Values are such digits also without keys, if there is a codec.
std::vector<std::string> MakeBatches(const Options& options);

}  // namespace kb::load
