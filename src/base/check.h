// CHECK: what must hold unless this program is wrong. It stops the process before nonsense is written; it is never used
// for what a peer or a disk may do (see base/result.h for that). On in every build: each check is a compare and a
// branch.
#pragma once

namespace kb {

// Writes "file:line: CHECK failed: expression" to stderr and aborts. Safe from any thread.
[[noreturn]] void CheckFailed(const char* file, int line, const char* expression);

}  // namespace kb

#define KB_CHECK(condition) \
  (__builtin_expect(!(condition), 0) ? ::kb::CheckFailed(__FILE__, __LINE__, #condition) : (void)0)
