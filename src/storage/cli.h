// kafka-broker storage …: directories before a broker starts on them.
#pragma once

#include <cstdint>
#include <optional>
#include <ostream>

#include "base/random.h"
#include "io/file_system.h"

namespace kb::storage {

struct Surroundings {
  io::FileSystem& files;
  Random& random;  // of an unpredictable seed: ids and salts come from it
  int64_t now_ms;
  std::ostream& out;
  std::ostream& err;
};

// Runs what argv[1] == "storage" asks for; returns the exit code, 0 or 1. nullopt: it is something else.
std::optional<int> RunSubcommand(const Surroundings& surroundings, int argc, const char* const* argv);

}  // namespace kb::storage
