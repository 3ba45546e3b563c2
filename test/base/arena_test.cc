#include "base/arena.h"

#include <gtest/gtest.h>

namespace kb {
namespace {

TEST(Arena, GivesAlignedDistinctMemory) {
  Arena arena;
  uint8_t* last_end = nullptr;
  for (int i = 1; i < 2000; ++i) {
    auto* one = static_cast<uint8_t*>(arena.Allocate(static_cast<size_t>(i % 37 + 1), 8));
    EXPECT_EQ(reinterpret_cast<uintptr_t>(one) % 8, 0u);
    EXPECT_NE(one, last_end);
    std::memset(one, i, static_cast<size_t>(i % 37 + 1));
    last_end = one;
  }
}

TEST(Arena, AnOversizedRequestGetsABlockOfItsOwn) {
  Arena arena;
  arena.Allocate(10);
  auto* big = static_cast<uint8_t*>(arena.Allocate(3 * Arena::kMostBlock));
  std::memset(big, 1, 3 * Arena::kMostBlock);
  EXPECT_GE(arena.allocated_bytes(), 3 * Arena::kMostBlock);
}

TEST(Arena, ResetKeepsOneBlock) {
  Arena arena;
  for (int i = 0; i < 100; ++i) arena.Allocate(1000);
  size_t before = arena.allocated_bytes();
  arena.Reset();
  EXPECT_LT(arena.allocated_bytes(), before);
  EXPECT_GT(arena.allocated_bytes(), 0u);
}

TEST(Arena, CopiesOutliveTheirSource) {
  Arena arena;
  std::string text = "payload";
  std::string_view copy = arena.Copy(text);
  text = "changed";
  EXPECT_EQ(copy, "payload");
}

}  // namespace
}  // namespace kb
