#include "controller/meta_properties.h"

#include "controller/support.h"

namespace kb::controller {
namespace {

TEST(MetaPropertiesTest, AsApacheKafkaWritesThem) {
  Result<MetaProperties> properties = ParseMetaProperties(kMetaPropertiesOfGolden, "p");
  ASSERT_TRUE(properties.ok()) << properties.error().message;
  EXPECT_EQ(properties->version, 1);
  EXPECT_EQ(properties->node_id, BrokerId(1));
  EXPECT_EQ(properties->cluster_id, "R29sZGVuRGlyQ2x1c3Rlcg");
  EXPECT_EQ(properties->directory_id->ToString(), "bV5lsX8QH6wA6InIeWWDdA");
}

TEST(MetaPropertiesTest, PaddedIdsEscapesBlanksAndWindowsLines) {
  Result<MetaProperties> properties = ParseMetaProperties(
      "version = 1\r\n  node.id: 7\r\n! a comment\r\ncluster.id=a\\=b\\:c\r\n"
      "directory.id=AAAAAAAAQACAAAAAAAAAAQ\\=\\=\r\nsomething.else=1\r\n",
      "p");
  ASSERT_TRUE(properties.ok()) << properties.error().message;
  EXPECT_EQ(properties->node_id, BrokerId(7));
  EXPECT_EQ(properties->cluster_id, "a=b:c");
  EXPECT_EQ(properties->directory_id->ToString(), "AAAAAAAAQACAAAAAAAAAAQ");
}

TEST(MetaPropertiesTest, DirectoriesFromBeforeIdsAndFromBeforeKRaft) {
  Result<MetaProperties> without = ParseMetaProperties("version=1\nnode.id=1\ncluster.id=c\n", "p");
  ASSERT_TRUE(without.ok());
  EXPECT_FALSE(without->directory_id.has_value());
  Result<MetaProperties> old = ParseMetaProperties("version=0\nbroker.id=3\n", "p");
  ASSERT_TRUE(old.ok());
  EXPECT_EQ(old->node_id, BrokerId(3));
}

TEST(MetaPropertiesTest, WhatIsWrongIsNamedWithItsFile) {
  struct Case {
    std::string_view text;
    ErrorKind kind;
    std::string_view says;
  };
  for (const Case& c : std::initializer_list<Case>{
           {"", ErrorKind::kCorrupt, "version is missing"},
           {"version=2\nnode.id=1\ncluster.id=c", ErrorKind::kForeign, "version=2"},
           {"version=x\nnode.id=1\ncluster.id=c", ErrorKind::kCorrupt, "version=x"},
           {"version=1\ncluster.id=c", ErrorKind::kCorrupt, "node.id is missing"},
           {"version=1\nnode.id=1 1\ncluster.id=c", ErrorKind::kCorrupt, "node.id=1 1"},
           {"version=1\nnode.id=1", ErrorKind::kCorrupt, "cluster.id is missing"},
           {"version=1\nnode.id=1\ncluster.id=c\ndirectory.id=short", ErrorKind::kCorrupt, "directory.id=short"},
           {"version=1\nnode.id=1\ncluster.id=c\ndirectory.id=AAAAAAAAAAAAAAAAAAAAAQ", ErrorKind::kCorrupt,
            "directory.id="},
       }) {
    Result<MetaProperties> properties = ParseMetaProperties(c.text, "/d/meta.properties");
    ASSERT_FALSE(properties.ok()) << c.text;
    EXPECT_EQ(properties.error().kind, c.kind) << c.text;
    EXPECT_THAT(properties.error().message, ::testing::HasSubstr(std::string(c.says)));
    EXPECT_THAT(properties.error().message, ::testing::HasSubstr("/d/meta.properties"));
  }
}

TEST(MetaPropertiesTest, WhatWeWriteWeRead) {
  MetaProperties properties{.cluster_id = "c", .node_id = BrokerId(4), .directory_id = Uuid(5, 6)};
  Result<MetaProperties> read = ParseMetaProperties(MetaPropertiesText(properties), "p");
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(read->cluster_id, "c");
  EXPECT_EQ(read->node_id, BrokerId(4));
  EXPECT_EQ(read->directory_id, Uuid(5, 6));
}

}  // namespace
}  // namespace kb::controller
