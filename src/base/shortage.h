// Which errors may pass by themselves: no room on the disk, no descriptor, no memory. What failed so may be tried again
// later, as it was. A pure function.
#pragma once

#include <cerrno>

#include "base/result.h"

namespace kb {

inline bool IsShortage(const Error& error) {
  if (error.kind == ErrorKind::kNoSpace) return true;
  return error.os_errno == EMFILE || error.os_errno == ENFILE || error.os_errno == ENOMEM;
}

}  // namespace kb
