#include "io/permissions.h"

#include <sys/stat.h>

#include <cerrno>

namespace kb::io {

Status MakeReadOnly(const File& file) {
  if (file.descriptor() < 0) return {};
  if (::fchmod(file.descriptor(), S_IRUSR) != 0) return OsError(errno, "chmod " + file.path());
  return {};
}

}  // namespace kb::io
