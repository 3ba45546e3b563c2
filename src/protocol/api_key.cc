#include "protocol/api_key.h"

#include <algorithm>

namespace kb::protocol {

const ApiInfo* FindApi(int16_t key) {
  const ApiInfo* end = kApiTable + kApiCount;
  const ApiInfo* at = std::lower_bound(
      kApiTable, end, key, [](const ApiInfo& info, int16_t wanted) { return static_cast<int16_t>(info.key) < wanted; });
  return at != end && static_cast<int16_t>(at->key) == key ? at : nullptr;
}

}  // namespace kb::protocol
