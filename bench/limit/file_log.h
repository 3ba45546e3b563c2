// The records of one partition: a file that only grows, and where its batches begin. No durability, no recovery, no
// retention: just the system calls that keeping and reading records takes. One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace kb::limit {

class FileLog {
 public:
  // Its file lies in `folder` without a name. Ends the program where it cannot be made.
  explicit FileLog(const std::string& folder);
  ~FileLog();
  FileLog(const FileLog&) = delete;
  FileLog& operator=(const FileLog&) = delete;

  // Checks the batch's checksum, writes its offset into it, and appends it with one write. Its base offset, or -1 where
  // it is no batch or its checksum is wrong.
  int64_t Append(std::span<uint8_t> batch);

  struct Range {
    off_t position = 0;
    size_t bytes = 0;
  };
  // From the batch that has `offset` on, at most most_bytes, but one whole batch at least. Nothing where there is none
  // yet.
  Range Find(int64_t offset, size_t most_bytes) const;

  int64_t end() const { return end_; }
  int descriptor() const { return descriptor_; }

 private:
  struct Batch {
    int64_t base_offset;
    off_t position;
  };

  const int descriptor_;
  std::vector<Batch> batches_;
  int64_t end_ = 0;
  off_t size_ = 0;
};

}  // namespace kb::limit
