// In which order Java walks its hash tables, and compares its texts and ids.
//
// Some decisions of Apache Kafka's assignors follow such an order: who is asked first, which partition goes first. None
// of it is chance: the hashes are specified, and a java.util.HashMap walks its bins by number and a bin by time of
// insertion. So whoever knows the elements in the order of their insertion knows the walk.
//
// What is modelled is OpenJDK's table as of Java 17. A bin of nine elements or more in a table of 64 or more becomes a
// tree, whose walk is not modelled: such a bin is walked by time of insertion here.
//
// Pure functions, any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/uuid.h"

namespace kb::group {

// Uuid.hashCode. That of a text is JavaStringHash (partition_of_group.h), that of an int is the int.
int32_t JavaHash(const Uuid& id);

// How a table got its size.
enum class TableSize {
  kGrown,  // from 16 on, as elements came: new HashMap(), Collectors.toMap
  kCopy,   // made to hold as many elements as another collection says it has: new HashSet(collection)
};

// The walk over a table into which elements with these hashes were put one after the other: indices into `hashes`.
// said: for kCopy, how many elements the collection said it has; less than there are counts as all of them.
std::vector<uint32_t> JavaWalk(std::span<const int32_t> hashes, TableSize size, size_t said = 0);

// The walk over a TimelineHashMap, Apache Kafka's own table that every member of a group stands in, if the elements
// were put into a new one in this order and none was taken out since.
std::vector<uint32_t> TimelineWalk(std::span<const int32_t> hashes);

// Whether a comes before b: String.compareTo goes by UTF-16 units, Uuid.compareTo by two signed numbers.
bool JavaLess(std::string_view a_utf8, std::string_view b_utf8);
bool JavaLess(const Uuid& a, const Uuid& b);

}  // namespace kb::group
