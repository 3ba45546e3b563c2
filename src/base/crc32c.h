// CRC-32C (Castagnoli), as Kafka computes it over a record batch from its attributes to its end, and over snapshots.
#pragma once

#include <cstdint>

#include "base/bytes.h"

namespace kb {

// The checksum of bytes; with `so_far`, the checksum of what gave so_far followed by bytes.
uint32_t Crc32c(ByteView bytes, uint32_t so_far = 0);

}  // namespace kb
