#include "base/pool.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <thread>
#include <vector>

namespace kb {
namespace {

#if defined(__SANITIZE_ADDRESS__)
constexpr bool kKeeps = false;
#else
constexpr bool kKeeps = true;
#endif

TEST(PoolTest, WhatWasFreedIsUsedAgain) {
  for (size_t size :
       {size_t{1}, size_t{64}, size_t{65}, size_t{4096}, size_t{4097}, size_t{5000}, size_t{16500}, Pool::kLargest}) {
    void* first = Pool::Allocate(size);
    std::memset(first, 1, size);
    Pool::Free(first, size);
    void* second = Pool::Allocate(size);
    if (kKeeps) {
      EXPECT_EQ(first, second) << size;
    }
    Pool::Free(second, size);
  }
}

TEST(PoolTest, EverySizeHasRoomForItself) {
  std::vector<std::pair<void*, size_t>> pieces;
  for (size_t size = 1; size <= 2 * Pool::kLargest; size += size / 7 + 1) {
    auto* bytes = static_cast<unsigned char*>(Pool::Allocate(size));
    EXPECT_EQ(reinterpret_cast<uintptr_t>(bytes) % alignof(std::max_align_t), 0u);
    std::memset(bytes, static_cast<int>(size % 251), size);
    pieces.emplace_back(bytes, size);
  }
  for (auto [memory, size] : pieces) {
    const auto* bytes = static_cast<unsigned char*>(memory);
    for (size_t i = 0; i < size; ++i) ASSERT_EQ(bytes[i], size % 251);
    Pool::Free(memory, size);
  }
}

TEST(PoolTest, ResizeKeepsWhatThereIs) {
  for (size_t from : {size_t{10}, size_t{3000}, Pool::kLargest, 2 * Pool::kLargest}) {
    for (size_t to : {size_t{5}, size_t{64}, size_t{5000}, Pool::kLargest, 3 * Pool::kLargest}) {
      auto* bytes = static_cast<unsigned char*>(Pool::Resize(nullptr, 0, from));
      for (size_t i = 0; i < from; ++i) bytes[i] = static_cast<unsigned char>(i * 31);
      bytes = static_cast<unsigned char*>(Pool::Resize(bytes, from, to));
      for (size_t i = 0; i < std::min(from, to); ++i) ASSERT_EQ(bytes[i], static_cast<unsigned char>(i * 31));
      Pool::Free(bytes, to);
    }
  }
}

TEST(PoolTest, ABurstOfLargePiecesLeavesRoomForSmallOnes) {
  if (!kKeeps) GTEST_SKIP() << "under the address sanitizer nothing is kept";
  std::vector<void*> large;
  for (int i = 0; i < 100; ++i) large.push_back(Pool::Allocate(Pool::kLargest));
  for (void* piece : large) Pool::Free(piece, Pool::kLargest);
  void* small = Pool::Allocate(100);
  Pool::Free(small, 100);
  EXPECT_EQ(Pool::Allocate(100), small) << "it was kept";
  Pool::Free(small, 100);
}

// One thread only takes, others only give back.
TEST(PoolTest, PiecesThatWanderToAnotherThreadComeBack) {
  if (!kKeeps) GTEST_SKIP() << "under the address sanitizer nothing is kept";
  constexpr size_t kSize = 3000;
  for (int round = 0; round < 20; ++round) {
    std::vector<void*> pieces;
    for (int i = 0; i < 200; ++i) pieces.push_back(Pool::Allocate(kSize));
    std::thread other([&] {
      for (void* piece : pieces) Pool::Free(piece, kSize);  // of these, some are left for others
    });
    other.join();
    std::vector<void*> came_back;
    for (int i = 0; i < 32; ++i) came_back.push_back(Pool::Allocate(kSize));
    for (void* piece : came_back) EXPECT_EQ(std::count(pieces.begin(), pieces.end(), piece), 1) << "round " << round;
    for (void* piece : came_back) Pool::Free(piece, kSize);
  }
}

TEST(PoolTest, ContainersAndSharedPointersUseIt) {
  PoolVector<int> numbers;
  for (int i = 0; i < 1000; ++i) numbers.push_back(i);
  EXPECT_EQ(numbers[999], 999);
  auto shared = MakePooled<std::vector<int>>(3, 7);
  EXPECT_EQ(shared->size(), 3u);
  EXPECT_EQ(PoolString("a name that does not fit inside of a string object"),
            "a name that does not fit inside of a string object");
}

}  // namespace
}  // namespace kb
