// What a file may be used for, where that is part of a format. Any thread.
#pragma once

#include "base/result.h"
#include "io/file_system.h"

namespace kb::io {

// From now on only its owner may read it, and nobody write it (mode 0400); what has it open may go on. Nothing happens to
// the files of a simulation, which have no modes.
Status MakeReadOnly(const File& file);

}  // namespace kb::io
