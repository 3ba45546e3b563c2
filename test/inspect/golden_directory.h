// The data directory that Apache Kafka 4.3.1 wrote, on a disk in memory below /golden.
#pragma once

#include <string>

#include "support/golden_archive.h"
#include "support/sim_file_system.h"

namespace kb::inspect {

inline void PutGoldenDirectory(const std::string& archive, test::SimFileSystem& files) {
  for (auto& [path, content] : test::ReadGoldenArchive("storage/" + archive)) {
    files.Put("/golden/" + path.substr(path.find('/') + 1), content);
  }
  files.Cut(test::PowerLoss::kNothing);
}

}  // namespace kb::inspect
