// A response of any API and version, as another broker would send it.
#include <cstddef>
#include <cstdint>

#include "fuzz/codec.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  kb::fuzz::Chosen chosen = kb::fuzz::Choose(kb::fuzz::Family::kResponses, {data, size});
  if (chosen.info != nullptr) kb::fuzz::DecodeAndBack(*chosen.info, chosen.version, chosen.body);
  return 0;
}
