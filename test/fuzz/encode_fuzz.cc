// The way out: a message with values that a decoder has found somewhere, encoded in every version of its schema.
#include <cstddef>
#include <cstdint>

#include "fuzz/codec.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  kb::fuzz::Chosen chosen = kb::fuzz::Choose(kb::fuzz::Family::kAll, {data, size});
  if (chosen.info != nullptr) kb::fuzz::DecodeAndEncodeInEveryVersion(*chosen.info, chosen.version, chosen.body);
  return 0;
}
