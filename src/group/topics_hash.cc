#include "group/topics_hash.h"

#include <xxhash.h>

#include <algorithm>
#include <bit>
#include <concepts>
#include <memory>

#include "base/bytes.h"
#include "base/check.h"
#include "group/partition_of_group.h"

namespace kb::group {
namespace {

static_assert(std::endian::native == std::endian::little);

class Hasher {
 public:
  Hasher() : state_(XXH3_createState(), &XXH3_freeState) {
    KB_CHECK(state_ != nullptr && XXH3_64bits_reset(state_.get()) == XXH_OK);
  }

  template <std::integral Number>
  void Put(Number number) {
    KB_CHECK(XXH3_64bits_update(state_.get(), &number, sizeof number) == XXH_OK);
  }
  // Names of topics and racks are ASCII for all that matters; other text is hashed as Java's UTF-16.
  void Put(std::string_view text) {
    std::u16string units = Utf16(text);
    KB_CHECK(XXH3_64bits_update(state_.get(), units.data(), units.size() * sizeof(char16_t)) == XXH_OK);
    Put(static_cast<int32_t>(units.size()));
  }
  int64_t Digest() const { return static_cast<int64_t>(XXH3_64bits_digest(state_.get())); }

 private:
  std::unique_ptr<XXH3_state_t, decltype(&XXH3_freeState)> state_;
};

}  // namespace

int64_t HashOfTopic(const TopicToHash& topic) {
  Hasher hasher;
  hasher.Put(static_cast<uint8_t>(0));
  hasher.Put(LoadBigEndian<uint64_t>(topic.id.bytes().data()));
  hasher.Put(LoadBigEndian<uint64_t>(topic.id.bytes().data() + 8));
  hasher.Put(topic.name);
  hasher.Put(topic.partitions);
  for (int32_t partition = 0; partition < topic.partitions; ++partition) {
    hasher.Put(partition);
    std::vector<std::string> racks = topic.racks_of(partition);
    std::sort(racks.begin(), racks.end());
    for (const std::string& rack : racks) {
      hasher.Put(static_cast<int32_t>(Utf16(rack).size()));
      hasher.Put(rack);
    }
  }
  return hasher.Digest();
}

int64_t HashOfGroup(const std::vector<int64_t>& topic_hashes) {
  if (topic_hashes.empty()) return 0;
  Hasher hasher;
  for (int64_t hash : topic_hashes) hasher.Put(hash);
  return hasher.Digest();
}

}  // namespace kb::group
