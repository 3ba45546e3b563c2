#include "base/result.h"

#include <cerrno>
#include <system_error>

namespace kb {

Error OsError(int os_errno, std::string what) {
  ErrorKind kind = ErrorKind::kIo;
  if (os_errno == ENOSPC || os_errno == EDQUOT) kind = ErrorKind::kNoSpace;
  if (os_errno == ENOENT) kind = ErrorKind::kNotFound;
  return Error{kind, std::move(what) + ": " + std::generic_category().message(os_errno), os_errno};
}

}  // namespace kb
