// The corpus of test/fuzz/batch_fuzz.cc as a plain test: every golden batch, and each of them with single bytes
// changed.
#include <gtest/gtest.h>

#include "record/golden.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace kb::record {
namespace {

std::vector<std::vector<uint8_t>> Corpus() {
  std::vector<std::vector<uint8_t>> corpus;
  for (const char* file : {"valid", "control", "corrupt", "legacy", "clients"}) {
    for (const json& line : ReadGolden("vectors/batches/" + std::string(file) + ".jsonl.gz")) {
      corpus.push_back(FromHex(line["hex"].get<std::string>()));
    }
  }
  return corpus;
}

void Feed(uint8_t options, std::vector<uint8_t> bytes) {
  bytes.insert(bytes.begin(), options);
  LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
}

TEST(BatchFuzz, TheGoldenBatchesUnderEveryOption) {
  for (const std::vector<uint8_t>& bytes : Corpus()) {
    for (int options = 0; options < 48; ++options) {
      if (bytes.size() < 5000 || options % 8 == 0) Feed(static_cast<uint8_t>(options), bytes);
    }
  }
}

TEST(BatchFuzz, TheGoldenBatchesWithBytesChanged) {
  uint64_t state = 20240601;  // always the same changes
  auto random = [&state](size_t below) {
    state = state * 6364136223846793005 + 1442695040888963407;
    return static_cast<size_t>(state >> 33) % below;
  };
  for (const std::vector<uint8_t>& bytes : Corpus()) {
    if (bytes.empty() || bytes.size() > 5000) continue;
    for (int round = 0; round < 200; ++round) {
      std::vector<uint8_t> damaged = bytes;
      for (size_t changes = 1 + random(3); changes > 0; --changes) {
        damaged[random(damaged.size())] = static_cast<uint8_t>(random(256));
      }
      if (random(4) == 0) damaged.resize(random(damaged.size()) + 1);
      Feed(static_cast<uint8_t>(random(48) | 1), damaged);
    }
  }
}

}  // namespace
}  // namespace kb::record
