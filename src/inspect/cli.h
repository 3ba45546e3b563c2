// The subcommands of the binary that look at files and serve nobody.
#pragma once

#include <optional>
#include <ostream>
#include <string>

#include "io/file_system.h"

namespace kb::inspect {

// Runs the subcommand that argv[1] names; returns the exit code. nullopt: it names none.
std::optional<int> RunSubcommand(io::FileSystem& files, const std::string& working_directory, int argc,
                                 const char* const* argv, std::ostream& out, std::ostream& err);

}  // namespace kb::inspect
