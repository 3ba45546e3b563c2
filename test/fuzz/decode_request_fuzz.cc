// A frame from a client: header and body, as it comes from a socket once its size is taken off.
#include <cstddef>
#include <cstdint>

#include "fuzz/codec.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  kb::fuzz::DecodeRequest({data, size});
  return 0;
}
