// A message carries its due time through a log that gives it another offset, beside the messages of others.
#include "load/timed_message.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/bytes.h"
#include "stress/raw_client.h"

namespace kb::load {
namespace {

using ::testing::ElementsAre;

constexpr int64_t kMark = 0x0102030405060708;

// The batch of a request, as a log keeps it.
std::string Stored(TimedRequest* request, int64_t due_ns, int64_t offset) {
  const std::string_view bytes = request->Patch(1, 2, due_ns);
  std::string batch(bytes.substr(bytes.size() - static_cast<size_t>(request->batch_bytes())));
  StoreBigEndian<int64_t>(reinterpret_cast<uint8_t*>(batch.data()), offset);
  return batch;
}

std::vector<int64_t> Due(std::string_view records, int64_t from, int64_t* next) {
  std::vector<int64_t> due;
  *next = ForEachDue(records, from, kMark, [&](int64_t due_ns) { due.push_back(due_ns); });
  return due;
}

TEST(TimedMessageTest, EveryMessageOfThisRunIsFoundOnce) {
  TimedRequest ours("t", 1, 16, kMark), theirs("t", 1, 1024, kMark + 1);
  const std::string log = Stored(&ours, 11, 5) + Stored(&theirs, 12, 6) + raw::Batch({"short"}) + Stored(&ours, 13, 7);
  int64_t next = 0;
  EXPECT_THAT(Due(log, 0, &next), ElementsAre(11, 13));
  EXPECT_EQ(next, 8);
  EXPECT_THAT(Due(log, 6, &next), ElementsAre(13));
}

TEST(TimedMessageTest, ATornBatchIsLeftForTheNextFetch) {
  TimedRequest ours("t", 1, 100, kMark);
  const std::string log = Stored(&ours, 11, 5) + Stored(&ours, 12, 6);
  int64_t next = 0;
  for (size_t cut = 1; cut < log.size() / 2; ++cut) {
    EXPECT_THAT(Due(std::string_view(log).substr(0, log.size() - cut), 5, &next), ElementsAre(11));
    EXPECT_EQ(next, 6);
  }
}

TEST(TimedMessageTest, TheChecksumIsOfWhatIsSent) {
  TimedRequest ours("t", 1, 1024, kMark);
  for (const int64_t due_ns : {int64_t{1}, int64_t{1} << 60}) {
    int found = 0;
    raw::ForEachRecord(Stored(&ours, due_ns, 9), 0, [&](int64_t offset, std::string_view value) {
      EXPECT_EQ(offset, 9);
      EXPECT_EQ(value.size(), 1024u);
      ++found;
    });
    EXPECT_EQ(found, 1);
  }
}

}  // namespace
}  // namespace kb::load
