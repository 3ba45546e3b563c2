// Result<T>: a value, or why there is none. For what the world does to us: disks, networks, files of others.
//
//   Result<uint64_t> size = file.Size();
//   if (!size.ok()) return size.error();
//
// What a peer did wrong is a protocol::ErrorCode in a response instead; what we did wrong is a KB_CHECK.
// No exceptions cross a room's border. Immutable values, usable from any thread.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "base/check.h"

namespace kb {

// What a caller can do about it. The message is for a person: what was attempted, on which file, at which offset.
enum class ErrorKind {
  kIo,           // the operating system refused; os_errno says how. The log directory goes offline.
  kNoSpace,      // ENOSPC or EDQUOT: worth trying again when there is room
  kCorrupt,      // bytes are there, and they are not what they must be
  kNotFound,     // no such file, key or element
  kInvalid,      // a value from outside (configuration, request) is not allowed
  kForeign,      // a file or directory of another cluster, node or newer version: not ours to touch
  kBusy,         // someone else holds it
  kUnsupported,  // known, and not built
};

struct Error {
  ErrorKind kind = ErrorKind::kIo;
  std::string message;
  int os_errno = 0;
};

// An Error of kind kIo (kNoSpace for ENOSPC and EDQUOT, kNotFound for ENOENT) whose message is "what: strerror".
Error OsError(int os_errno, std::string what);

template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}      // NOLINT: implicit on purpose
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT

  bool ok() const { return state_.index() == 0; }
  T& value() & {
    KB_CHECK(ok());
    return *std::get_if<0>(&state_);
  }
  const T& value() const& {
    KB_CHECK(ok());
    return *std::get_if<0>(&state_);
  }
  T&& value() && {
    KB_CHECK(ok());
    return std::move(*std::get_if<0>(&state_));
  }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }
  const Error& error() const {
    KB_CHECK(!ok());
    return *std::get_if<1>(&state_);
  }

 private:
  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)) {}  // NOLINT: implicit on purpose

  bool ok() const { return !error_.has_value(); }
  const Error& error() const {
    KB_CHECK(!ok());
    return *error_;
  }

 private:
  std::optional<Error> error_;
};

using Status = Result<void>;

}  // namespace kb

// Leaves the function with the error of an expression of type Status or Result.
#define KB_RETURN_IF_ERROR(expression)                      \
  do {                                                      \
    if (auto kb_status_ = (expression); !kb_status_.ok()) { \
      return kb_status_.error();                            \
    }                                                       \
  } while (0)
