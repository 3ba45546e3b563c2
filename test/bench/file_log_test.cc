// The limit program's log finds what it was given, and takes nothing that is damaged.
#include "limit/file_log.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "stress/raw_client.h"

namespace kb::limit {
namespace {

class FileLogTest : public ::testing::Test {
 protected:
  int64_t Append(std::string batch) { return log_.Append({reinterpret_cast<uint8_t*>(batch.data()), batch.size()}); }
  // The offsets of all whole batches in the range.
  std::vector<int64_t> Read(int64_t offset, size_t most_bytes) {
    const FileLog::Range range = log_.Find(offset, most_bytes);
    std::string bytes(range.bytes, '\0');
    EXPECT_EQ(pread(log_.descriptor(), bytes.data(), bytes.size(), range.position), static_cast<ssize_t>(bytes.size()));
    std::vector<int64_t> offsets;
    raw::ForEachRecord(bytes, 0, [&](int64_t record, std::string_view) { offsets.push_back(record); });
    return offsets;
  }

  FileLog log_{::testing::TempDir()};
};

using Offsets = std::vector<int64_t>;

TEST_F(FileLogTest, BatchesGetTheOffsetsThatComeNext) {
  EXPECT_EQ(Append(raw::Batch({"a", "b", "c"})), 0);
  EXPECT_EQ(Append(raw::Batch({"d"})), 3);
  EXPECT_EQ(log_.end(), 4);
  EXPECT_EQ(Read(0, 1 << 20), (Offsets{0, 1, 2, 3}));
}

TEST_F(FileLogTest, AnOffsetWithinABatchGivesTheWholeBatch) {
  Append(raw::Batch({"a", "b", "c"}));
  Append(raw::Batch({"d", "e"}));
  EXPECT_EQ(Read(2, 1 << 20), (Offsets{0, 1, 2, 3, 4}));
  EXPECT_EQ(Read(3, 1 << 20), (Offsets{3, 4}));
  EXPECT_EQ(Read(4, 1), (Offsets{3, 4}));
}

TEST_F(FileLogTest, OneBatchIsGivenHoweverSmallTheWish) {
  Append(raw::Batch({"a"}));
  Append(raw::Batch({"b"}));
  EXPECT_EQ(Read(0, 0), (Offsets{0}));
  EXPECT_EQ(Read(0, 100), (Offsets{0}));  // and a torn second
}

TEST_F(FileLogTest, NothingIsWhereNothingWasAppended) {
  EXPECT_EQ(log_.Find(0, 100).bytes, 0u);
  Append(raw::Batch({"a"}));
  EXPECT_EQ(log_.Find(1, 100).bytes, 0u);
  EXPECT_EQ(log_.Find(-1, 100).bytes, 0u);
}

TEST_F(FileLogTest, ADamagedBatchIsNotTaken) {
  const std::string good = raw::Batch({"value"});
  for (size_t at = 8; at < good.size(); ++at) {
    if (at >= 12 && at < 17) continue;  // leader epoch and magic are not covered
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 1);
    EXPECT_EQ(Append(bad), -1) << at;
  }
  EXPECT_EQ(Append(good.substr(0, 60)), -1);
  EXPECT_EQ(Append(good + "x"), -1);
  EXPECT_EQ(log_.end(), 0);
}

}  // namespace
}  // namespace kb::limit
