// Uuid: 16 bytes as Kafka uses them for topics, directories and incarnations, and their text form: URL-safe base64
// without padding, 22 characters (org.apache.kafka.common.Uuid). Immutable value, any thread.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"

namespace kb {

class Uuid {
 public:
  static constexpr size_t kSize = 16;

  constexpr Uuid() = default;
  constexpr Uuid(uint64_t most_significant, uint64_t least_significant) {
    for (int i = 0; i < 8; ++i) {
      bytes_[i] = static_cast<uint8_t>(most_significant >> (56 - 8 * i));
      bytes_[8 + i] = static_cast<uint8_t>(least_significant >> (56 - 8 * i));
    }
  }
  // bytes: exactly kSize of them.
  static Uuid FromBytes(ByteView bytes);
  // Accepts the 22-character form, and the same with "==" behind it, which some tools write. nullopt for anything else.
  static std::optional<Uuid> Parse(std::string_view text);

  std::string ToString() const;
  ByteView bytes() const { return bytes_; }
  bool is_zero() const { return *this == Uuid(); }
  auto operator<=>(const Uuid&) const = default;

 private:
  std::array<uint8_t, kSize> bytes_{};
};

// Reserved in Kafka: never given to a topic or a directory (Uuid.RESERVED, DirectoryId).
inline constexpr Uuid kZeroUuid;
inline constexpr Uuid kMetadataTopicId{0, 1};      // "AAAAAAAAAAAAAAAAAAAAAQ"
inline constexpr Uuid kMigratingDirectory{0, 0};   // of a replica from before directories had ids
inline constexpr Uuid kUnassignedDirectory{0, 1};  // the broker has several and is to choose
inline constexpr Uuid kLostDirectory{0, 2};        // offline, and nobody knows which it was

}  // namespace kb

template <>
struct std::hash<kb::Uuid> {
  size_t operator()(const kb::Uuid& id) const noexcept {
    // Random ids: any eight of their bytes are a hash already.
    return kb::LoadBigEndian<uint64_t>(id.bytes().data()) ^ kb::LoadBigEndian<uint64_t>(id.bytes().data() + 8);
  }
};
