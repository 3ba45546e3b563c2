#include "base/crc32c.h"

#include <isa-l/crc.h>

namespace kb {

uint32_t Crc32c(ByteView bytes, uint32_t so_far) {
  // ISA-L counts in int and leaves the inversions at both ends to the caller.
  constexpr size_t kMost = size_t{1} << 30;
  uint32_t state = ~so_far;
  while (!bytes.empty()) {
    ByteView part = bytes.first(std::min(bytes.size(), kMost));
    state = crc32_iscsi(const_cast<unsigned char*>(part.data()), static_cast<int>(part.size()), state);
    bytes = bytes.subspan(part.size());
  }
  return ~state;
}

}  // namespace kb
