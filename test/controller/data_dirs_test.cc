// Which directories are ours, and that nothing changes in those that are not.
#include "controller/data_dirs.h"

#include "controller/support.h"

namespace kb::controller {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class DataDirsTest : public ::testing::Test {
 protected:
  void Put(const std::string& dir, std::string_view cluster, int node, std::string_view directory) {
    files_.Put(dir + "/meta.properties", "version=1\ncluster.id=" + std::string(cluster) +
                                             "\nnode.id=" + std::to_string(node) +
                                             (directory.empty() ? "" : "\ndirectory.id=" + std::string(directory)) + "\n");
  }
  Result<DataDirs> Inspect() { return InspectDataDirs(files_, query_, random_); }

  test::SimFileSystem files_;
  Random random_{1};
  DataDirsQuery query_{{"/a", "/b"}, "/a", BrokerId(1)};
  static constexpr std::string_view kIdA = "MfFX5J7yoz74QBR9lo5eWw";
  static constexpr std::string_view kIdB = "bV5lsX8QH6wA6InIeWWDdA";
};

TEST_F(DataDirsTest, FormattedDirectoriesAreOursAndEachHasItsOwnId) {
  EXPECT_TRUE(*IsUnformatted(files_, query_));
  EXPECT_EQ(Inspect().error().kind, ErrorKind::kNotFound);
  ASSERT_TRUE(FormatDataDirs(files_, {query_.dirs, "/a", BrokerId(1), "cluster"}, random_, 5).ok());
  EXPECT_FALSE(*IsUnformatted(files_, query_));
  Result<DataDirs> dirs = Inspect();
  ASSERT_TRUE(dirs.ok()) << dirs.error().message;
  EXPECT_EQ(dirs->cluster_id, "cluster");
  ASSERT_EQ(dirs->dirs.size(), 2u);
  EXPECT_NE(dirs->dirs[0].id, dirs->dirs[1].id);
  EXPECT_FALSE(dirs->dirs[0].id_must_be_written);
  EXPECT_FALSE(files_.Get("/a/bootstrap.checkpoint").empty());
  EXPECT_FALSE(files_.Get("/b/bootstrap.checkpoint").empty());
}

TEST_F(DataDirsTest, FormattingLeavesAFormattedDirectoryAsItIs) {
  Put("/a", "c", 1, kIdA);
  std::string before = files_.Get("/a/meta.properties");
  ASSERT_TRUE(FormatDataDirs(files_, {query_.dirs, "/a", BrokerId(1), "c"}, random_, 5).ok());
  EXPECT_EQ(files_.Get("/a/meta.properties"), before);
  EXPECT_EQ(files_.Get("/a/bootstrap.checkpoint"), "");
}

TEST_F(DataDirsTest, AnotherClusterOrNodeIsForeignAndNothingIsTouched) {
  Put("/a", "c", 1, kIdA);
  Put("/b", "d", 1, kIdB);
  auto before = files_.Contents();
  Result<DataDirs> dirs = Inspect();
  ASSERT_FALSE(dirs.ok());
  EXPECT_EQ(dirs.error().kind, ErrorKind::kForeign);
  EXPECT_THAT(dirs.error().message, AllOf(HasSubstr("/b/meta.properties"), HasSubstr("cluster.id=d"), HasSubstr("is c")));

  Put("/b", "c", 2, kIdB);
  dirs = Inspect();
  ASSERT_FALSE(dirs.ok());
  EXPECT_EQ(dirs.error().kind, ErrorKind::kForeign);
  EXPECT_THAT(dirs.error().message, AllOf(HasSubstr("/b/meta.properties"), HasSubstr("node.id=2"), HasSubstr("as 1")));

  Put("/b", "c", 1, kIdB);
  query_.cluster_id = "other";
  EXPECT_EQ(Inspect().error().kind, ErrorKind::kForeign);
  EXPECT_EQ(files_.Contents().size(), before.size());
}

TEST_F(DataDirsTest, OneIdTwiceIsACopy) {
  Put("/a", "c", 1, kIdA);
  Put("/b", "c", 1, kIdA);
  EXPECT_THAT(Inspect().error().message, AllOf(HasSubstr("/b/meta.properties"), HasSubstr("/a")));
}

TEST_F(DataDirsTest, ANewDirectoryAndOneWithoutAnIdGetOne) {
  Put("/a", "c", 1, "");
  Result<DataDirs> dirs = Inspect();
  ASSERT_TRUE(dirs.ok()) << dirs.error().message;
  EXPECT_TRUE(dirs->dirs[0].id_must_be_written);
  EXPECT_TRUE(dirs->dirs[1].id_must_be_written);
  ASSERT_TRUE(WriteDirectoryIds(files_, *dirs, BrokerId(1)).ok());
  Result<DataDirs> again = Inspect();
  ASSERT_TRUE(again.ok());
  EXPECT_FALSE(again->dirs[0].id_must_be_written);
  EXPECT_EQ(again->dirs[0].id, dirs->dirs[0].id);
  EXPECT_EQ(again->dirs[1].id, dirs->dirs[1].id);
}

TEST_F(DataDirsTest, ADirectoryForTheMetadataLogAloneTakesNoReplicas) {
  query_.metadata_dir = "/m";
  ASSERT_TRUE(FormatDataDirs(files_, {query_.dirs, "/m", BrokerId(1), "cluster"}, random_, 5).ok());
  Result<DataDirs> dirs = Inspect();
  ASSERT_TRUE(dirs.ok()) << dirs.error().message;
  EXPECT_EQ(dirs->dirs.size(), 2u);
  ASSERT_TRUE(dirs->metadata_only.has_value());
  EXPECT_EQ(dirs->metadata_only->path, "/m");
}

TEST_F(DataDirsTest, ASecondDirectoryThatCannotBeReadIsOfflineAndTheFirstIsNot) {
  Put("/a", "c", 1, kIdA);
  Put("/b", "c", 1, kIdB);
  files_.FailNth(test::IoCall::kOpen, 2, EIO);
  Result<DataDirs> dirs = Inspect();
  ASSERT_TRUE(dirs.ok()) << dirs.error().message;
  EXPECT_EQ(dirs->dirs.size(), 1u);
  ASSERT_EQ(dirs->offline.size(), 1u);
  EXPECT_THAT(dirs->offline[0], HasSubstr("/b/meta.properties"));
  files_.FailNth(test::IoCall::kOpen, 1, EIO);
  EXPECT_EQ(Inspect().error().kind, ErrorKind::kIo);
}

TEST_F(DataDirsTest, ACrashWhileFormattingLeavesDirectoriesThatAreFormattedOrNot) {
  for (uint64_t at = 1; at < 40; ++at) {
    test::SimFileSystem files(at);
    Random random(at);
    FormatOptions options{{"/a", "/b"}, "/a", BrokerId(1), "cluster"};
    ASSERT_TRUE(files.CreateDirectories("/a").ok());  // by who locked it, and not durably
    files.CutAt(at, test::PowerLoss::kSomething);
    bool done = FormatDataDirs(files, options, random, 5).ok();
    files.Cut(test::PowerLoss::kSomething);
    files.PowerOn();
    ASSERT_TRUE(FormatDataDirs(files, options, random, 5).ok()) << at;
    Result<DataDirs> dirs = InspectDataDirs(files, query_, random);
    ASSERT_TRUE(dirs.ok()) << at << " " << dirs.error().message;
    EXPECT_EQ(dirs->dirs.size(), 2u);
    EXPECT_FALSE(files.Get("/a/bootstrap.checkpoint").empty()) << at;
    if (done) break;
  }
}

}  // namespace
}  // namespace kb::controller
