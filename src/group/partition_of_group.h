// Which partition of __consumer_offsets keeps a group.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace kb::group {

// Java's String.hashCode of a UTF-8 text: over its UTF-16 units, 32 bits, wrapping. A malformed sequence counts as
// U+FFFD, which is what a Java broker would have decoded it to.
int32_t JavaStringHash(std::string_view utf8);

// |hash| modulo partitions; |−2^31| counts as 0 (Utils.abs). partitions > 0.
int32_t PartitionOfGroup(std::string_view group_id, int32_t partitions);

// How long Java holds a text to be: its UTF-16 units.
size_t Utf16Length(std::string_view utf8);
std::u16string Utf16(std::string_view utf8);

}  // namespace kb::group
