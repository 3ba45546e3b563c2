// The corpus of test/fuzz/replay_group_fuzz.cc as a plain test: every golden log of groups, and copies of them with
// records left out, repeated, in another order, and damaged.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/random.h"
#include "record/batch.h"
#include "record/compression.h"
#include "record/iterate.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace kb::group {
namespace {

using Records = std::vector<std::pair<std::string, std::optional<std::string>>>;

Records RecordsOf(const std::string& log) {
  Records all;
  record::Decompressor decompressor;
  for (ByteView rest = AsBytes(log); !rest.empty();) {
    record::BatchHeader header(rest);
    const auto size = static_cast<size_t>(header.size_bytes());
    record::BatchView batch(rest.first(size));
    rest = rest.subspan(size);
    record::RecordIterator records(batch, decompressor);
    record::RecordView view;
    while (records.Next(&view) == record::RecordIterator::kRecord) {
      auto& [key, value] = all.emplace_back();
      key = AsText(*view.key);
      if (view.value.has_value()) value = std::string(AsText(*view.value));
    }
  }
  return all;
}

void Put16(size_t number, std::string& out) {
  out += static_cast<char>(number >> 8);
  out += static_cast<char>(number);
}

void RunLog(const Records& records) {
  std::string input;
  for (const auto& [key, value] : records) {
    Put16(key.size(), input);
    Put16(value.has_value() ? value->size() : 65'535, input);
    input += key + value.value_or("");
  }
  LLVMFuzzerTestOneInput(AsBytes(input).data(), input.size());
}

void Damage(Records& records, Random& random) {
  const size_t at = random.Below(records.size());
  auto& [key, value] = records[at];
  switch (random.Below(6)) {
    case 0:
      records.erase(records.begin() + static_cast<std::ptrdiff_t>(at));
      return;
    case 1:
      return std::swap(records[at], records[random.Below(records.size())]);
    case 2:
      return records.push_back(records[at]);
    case 3:
      return value.reset();
    case 4:
      key[random.Below(key.size())] = static_cast<char>(random.Next());
      return;
    default:
      if (value.has_value() && !value->empty())
        (*value)[random.Below(value->size())] = static_cast<char>(random.Next());
  }
}

TEST(GroupFuzzCorpusTest, DamagedLogsDoNoHarm) {
  Random random(3);
  int logs = 0;
  for (const auto& entry : std::filesystem::directory_iterator(GOLDEN_SOURCE_DIR "/groups")) {
    std::ifstream file(entry.path(), std::ios::binary);
    std::ostringstream bytes;
    bytes << file.rdbuf();
    const Records records = RecordsOf(bytes.str());
    ASSERT_FALSE(records.empty()) << entry.path();
    RunLog(records);
    ++logs;
    for (int round = 0; round < 1'000; ++round) {
      Records damaged = records;
      for (uint64_t changes = 1 + random.Below(8); changes > 0 && !damaged.empty(); --changes) Damage(damaged, random);
      RunLog(damaged);
    }
  }
  EXPECT_GE(logs, 3);
}

}  // namespace
}  // namespace kb::group
