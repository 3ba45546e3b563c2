// What happens to every produced byte: the checksum, the check of a batch, the walk over its records.
#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "base/crc32c.h"
#include "record/builder.h"
#include "record/compression.h"
#include "record/iterate.h"
#include "record/validate.h"

namespace kb::record {
namespace {

constexpr int64_t kNowMs = 1'700'000'000'000;

std::vector<uint8_t> Batch(int records, size_t value_bytes, Codec codec) {
  BatchBuilder builder({.codec = codec});
  std::string value;
  for (size_t i = 0; i < value_bytes; ++i) value += static_cast<char>('a' + (i * i) % 23);
  for (int i = 0; i < records; ++i) builder.Append(kNowMs, std::nullopt, AsBytes(value));
  return builder.Build();
}

void Checksum(benchmark::State& state) {
  std::string bytes(static_cast<size_t>(state.range(0)), 'c');
  for (auto _ : state) benchmark::DoNotOptimize(Crc32c(AsBytes(bytes)));
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(Checksum)->Arg(170)->Arg(16 << 10)->Arg(1 << 20);

// Arguments: records, bytes of each, codec.
void Validate(benchmark::State& state) {
  std::vector<uint8_t> batch =
      Batch(static_cast<int>(state.range(0)), static_cast<size_t>(state.range(1)), static_cast<Codec>(state.range(2)));
  Decompressor decompressor;
  ValidateOptions options{.now_ms = kNowMs};
  for (auto _ : state) {
    FoundBatch found = FindBatch(MutableByteView(batch), 13);
    ValidatedBatch validated = ValidateBatch(found.bytes, options, decompressor);
    if (validated.error != BatchError::kNone) return state.SkipWithError("refused");
    benchmark::DoNotOptimize(validated);
  }
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * batch.size()));
}
BENCHMARK(Validate)
    ->Args({1, 100, 0})
    ->Args({16, 1024, 0})
    ->Args({160, 100, 0})
    ->Args({900, 1024, 0})
    ->Args({16, 1024, 3});

void Iterate(benchmark::State& state) {
  std::vector<uint8_t> batch = Batch(static_cast<int>(state.range(0)), 100, static_cast<Codec>(state.range(1)));
  Decompressor decompressor;
  for (auto _ : state) {
    RecordIterator records(BatchView(ByteView(batch)), decompressor);
    RecordView record;
    int count = 0;
    while (records.Next(&record) == RecordIterator::kRecord) ++count;
    if (count != state.range(0)) return state.SkipWithError("not all records");
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(Iterate)->Args({160, 0})->Args({160, 1})->Args({160, 2})->Args({160, 3})->Args({160, 4});

}  // namespace
}  // namespace kb::record
