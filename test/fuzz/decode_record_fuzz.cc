// A message that is stored: records of the metadata log and of the coordinators, headers, and what stands inside other
// things.
#include <cstddef>
#include <cstdint>

#include "fuzz/codec.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  kb::fuzz::Chosen chosen = kb::fuzz::Choose(kb::fuzz::Family::kStored, {data, size});
  if (chosen.info != nullptr) kb::fuzz::DecodeAndBack(*chosen.info, chosen.version, chosen.body);
  return 0;
}
