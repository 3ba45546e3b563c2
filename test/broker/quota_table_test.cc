// Which quota counts for whom: the order of precedence, and who shares what.
#include "broker/quota_table.h"

#include <gtest/gtest.h>

#include "base/arena.h"
#include "message/client_quota_record.h"
#include "metadata/builder.h"
#include "metadata/record.h"

namespace kb::broker {
namespace {

class QuotaTableTest : public ::testing::Test {
 protected:
  static constexpr std::optional<std::string_view> kDefault = std::nullopt;
  using Name = std::optional<std::string_view>;

  void Set(std::vector<std::pair<std::string_view, Name>> entity, double value,
           std::string_view key = "producer_byte_rate") {
    Arena arena;
    message::ClientQuotaRecord record;
    for (const auto& [type, name] : entity) {
      auto& part = record.entity.Add(arena);
      part.entity_type = type;
      part.entity_name = name;
    }
    record.key = key;
    record.value = value;
    metadata::RecordList records;
    records.Add(record);
    ASSERT_TRUE(builder_.Replay(records[0], {Offset(0), LeaderEpoch(1), 0}).ok());
    table_ = QuotaTable(builder_.current());
  }
  double Bound(std::string_view user, std::string_view client, QuotaKind kind = QuotaKind::kProduce) const {
    std::optional<QuotaTable::Limit> limit = table_.Find(kind, user, client);
    return limit ? limit->bound : 0;
  }
  std::string Sharer(std::string_view user, std::string_view client) const {
    return table_.Find(QuotaKind::kProduce, user, client)->sharer;
  }

  metadata::ImageBuilder builder_{std::make_shared<const metadata::MetadataImage>()};
  QuotaTable table_;
};

TEST_F(QuotaTableTest, TheMostSpecificCounts) {
  EXPECT_FALSE(table_.any());
  Set({{"client-id", kDefault}}, 8);
  EXPECT_EQ(Bound("u", "c"), 8);
  Set({{"client-id", "c"}}, 7);
  EXPECT_EQ(Bound("u", "c"), 7);
  Set({{"user", kDefault}}, 6);
  EXPECT_EQ(Bound("u", "c"), 6);
  Set({{"user", kDefault}, {"client-id", kDefault}}, 5);
  EXPECT_EQ(Bound("u", "c"), 5);
  Set({{"user", kDefault}, {"client-id", "c"}}, 4);
  EXPECT_EQ(Bound("u", "c"), 4);
  Set({{"user", "u"}}, 3);
  EXPECT_EQ(Bound("u", "c"), 3);
  Set({{"user", "u"}, {"client-id", kDefault}}, 2);
  EXPECT_EQ(Bound("u", "c"), 2);
  Set({{"user", "u"}, {"client-id", "c"}}, 1);
  EXPECT_EQ(Bound("u", "c"), 1);
  EXPECT_EQ(Bound("u", "other"), 2);
  EXPECT_EQ(Bound("other", "c"), 4);
  EXPECT_EQ(Bound("other", "other"), 5);
  EXPECT_EQ(Bound("u", ""), 3) << "who has no client-id has no quota of one";
}

TEST_F(QuotaTableTest, AUsersQuotaIsSharedByHisClientsAndADefaultByNobody) {
  Set({{"user", "u"}}, 1);
  EXPECT_EQ(Sharer("u", "a"), Sharer("u", "b"));
  Set({{"user", kDefault}}, 1);
  EXPECT_NE(Sharer("v", "a"), Sharer("w", "a"));
  Set({{"user", "u"}, {"client-id", kDefault}}, 1);
  EXPECT_NE(Sharer("u", "a"), Sharer("u", "b"));
}

TEST_F(QuotaTableTest, AClientIdsQuotaIsSharedByAllUsers) {
  Set({{"client-id", "c"}}, 1);
  EXPECT_EQ(Sharer("u", "c"), Sharer("v", "c"));
  EXPECT_EQ(Bound("u", "*"), 0) << "a name is not a default";
}

TEST_F(QuotaTableTest, KindsAreApart) {
  Set({{"user", "u"}}, 1, "consumer_byte_rate");
  EXPECT_TRUE(table_.any());
  EXPECT_TRUE(table_.any(QuotaKind::kFetch));
  EXPECT_FALSE(table_.any(QuotaKind::kProduce));
  EXPECT_EQ(Bound("u", "c"), 0);
  EXPECT_EQ(Bound("u", "c", QuotaKind::kFetch), 1);
  Set({{"ip", "1.2.3.4"}}, 1, "connection_creation_rate");
  EXPECT_EQ(Bound("u", "c"), 0);
}

}  // namespace
}  // namespace kb::broker
