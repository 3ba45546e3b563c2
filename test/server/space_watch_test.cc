#include "server/space_watch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/sim_file_system.h"

namespace kb::server {
namespace {

using testing::HasSubstr;
using testing::SizeIs;

constexpr uint64_t kMiB = 1 << 20;

class SpaceWatchTest : public testing::Test {
 protected:
  SpaceWatchTest() { files_.set_capacity(100 * kMiB); }
  void Fill(uint64_t used_bytes) { files_.Put("/data/file", std::string(used_bytes, 'x')); }
  test::SimFileSystem files_{1};
};

TEST_F(SpaceWatchTest, IsShortBelowTheReserveUntilHalfAsMuchAgainIsFree) {
  SpaceWatch watch(files_, {"/data"}, 10 * kMiB);
  Fill(90 * kMiB);
  EXPECT_THAT(watch.Look(), SizeIs(0));
  Fill(91 * kMiB);
  std::vector<SpaceWatch::Change> changes = watch.Look();
  ASSERT_THAT(changes, SizeIs(1));
  EXPECT_TRUE(changes[0].is_short);
  EXPECT_EQ(changes[0].directory, "/data");
  EXPECT_THAT(changes[0].message, HasSubstr("/data has 9 MiB left, less than storage.min.free.bytes (10 MiB)"));
  EXPECT_THAT(watch.Look(), SizeIs(0)) << "it is said once";
  Fill(86 * kMiB);
  EXPECT_THAT(watch.Look(), SizeIs(0));
  Fill(85 * kMiB);
  changes = watch.Look();
  ASSERT_THAT(changes, SizeIs(1));
  EXPECT_FALSE(changes[0].is_short);
  EXPECT_THAT(changes[0].message, HasSubstr("15 MiB left"));
}

TEST_F(SpaceWatchTest, OfItselfKeepsAHundredthUpToABound) {
  SpaceWatch watch(files_, {"/data"}, SpaceWatch::kAutomatic);
  Fill(99 * kMiB);
  EXPECT_THAT(watch.Look(), SizeIs(0));
  Fill(99 * kMiB + 1);
  EXPECT_THAT(watch.Look(), SizeIs(1));
  files_.set_capacity(1000 * kMiB);
  EXPECT_THAT(watch.Look(), SizeIs(1)) << "room again";
  files_.set_capacity(uint64_t{1} << 50);
  EXPECT_THAT(watch.Look(), SizeIs(0));
}

TEST_F(SpaceWatchTest, ZeroMeansNever) {
  SpaceWatch watch(files_, {"/data"}, 0);
  Fill(100 * kMiB);
  EXPECT_THAT(watch.Look(), SizeIs(0));
}

}  // namespace
}  // namespace kb::server
