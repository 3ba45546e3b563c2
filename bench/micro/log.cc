// Finding a batch by its offset: one lookup in the index on the disk (here in the page cache), then batch headers.
#include <benchmark/benchmark.h>
#include <stdlib.h>

#include <string>
#include <vector>

#include "io/file_system.h"
#include "log/segment.h"
#include "record/builder.h"

namespace kb::log {
namespace {

// A segment in a directory of its own that goes with it.
class SegmentOnDisk {
 public:
  SegmentOnDisk() {
    char name[] = "/tmp/kafka-broker-micro-XXXXXX";
    const char* made = mkdtemp(name);
    KB_CHECK(made != nullptr);
    directory_ = made;
  }
  ~SegmentOnDisk() {
    Status removed = files_.RemoveRecursively(directory_);
    (void)removed;
  }

  // `batches` of 16 records of 100 bytes.
  Status Fill(int batches) {
    segment_ = std::make_unique<Segment>(directory_, Offset(0), SegmentState());
    std::string value(100, 'v');
    for (int i = 0; i < batches; ++i) {
      record::BatchBuilder builder({.base_offset = Offset(int64_t{i} * kRecords)});
      for (int r = 0; r < kRecords; ++r) builder.Append(1'700'000'000'000 + i, std::nullopt, AsBytes(value));
      std::vector<uint8_t> batch = builder.Build();
      auto position = static_cast<uint32_t>(segment_->size_bytes());
      Status written = segment_->Write(files_, ByteView(batch));
      if (!written.ok()) return written;
      segment_->Account(record::BatchHeader(ByteView(batch)), position, config_);
    }
    return segment_->Seal(files_);
  }

  Lookup Find(Offset offset) const { return segment_->Find(offset, Blocking::kAllowed, files_); }
  static constexpr int kRecords = 16;

 private:
  io::FileSystem& files_ = io::RealFileSystem();
  std::string directory_;
  const LogConfig config_;
  std::unique_ptr<Segment> segment_;
};

// Argument: batches in the segment.
void FindOffset(benchmark::State& state) {
  SegmentOnDisk segment;
  Status filled = segment.Fill(static_cast<int>(state.range(0)));
  if (!filled.ok()) return state.SkipWithError(filled.error().message.c_str());
  int64_t offset = 0;
  const int64_t end = state.range(0) * SegmentOnDisk::kRecords;
  for (auto _ : state) {
    offset = (offset + 7'919) % end;
    Lookup found = segment.Find(Offset(offset));
    if (found.outcome != Lookup::kFound) return state.SkipWithError("not found");
    benchmark::DoNotOptimize(found);
  }
}
BENCHMARK(FindOffset)->Arg(1'000)->Arg(50'000);

}  // namespace
}  // namespace kb::log
