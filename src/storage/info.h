// info: what the directories of a configuration are. Reads only.
#pragma once

#include <ostream>

#include "config/server_config.h"
#include "io/file_system.h"

namespace kb::storage {

// Prints what kafka-storage.sh prints; 1 when something is wrong with a directory.
int PrintInfo(io::FileSystem& files, const config::ServerConfig& config, std::ostream& out);

}  // namespace kb::storage
