// BatchFile: the batches of a .log or .checkpoint file one after the other, whatever their checksums say.
//
//   for (std::optional<BatchFile::At> batch = file.Read(0); batch; batch = file.Read(batch->end())) … batch->view …
//
// Where no whole batch of magic 2 with a possible length begins, Read answers nullopt. Memory: one batch, which is in the
// file as it is. Reads only; blocks; one thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "io/file_system.h"
#include "record/batch.h"

namespace kb::inspect {

class BatchFile {
 public:
  struct At {
    uint64_t position = 0;
    record::BatchView view;  // until the next Read
    uint64_t end() const { return position + view.bytes().size(); }
  };

  static Result<BatchFile> Open(io::FileSystem& files, const std::string& path);

  // The batch that begins at `position` and ends at or before `limit`.
  std::optional<At> Read(uint64_t position, uint64_t limit = UINT64_MAX);
  // Only its header: what a walk needs that looks for an offset.
  std::optional<record::BatchHeader> ReadHeader(uint64_t position);
  uint64_t size() const { return size_; }
  const io::File& file() const { return *file_; }
  // Set when the file could not be read: the walk ended early.
  const std::optional<Error>& error() const { return error_; }

 private:
  explicit BatchFile(std::unique_ptr<io::File> file, uint64_t size) : file_(std::move(file)), size_(size) {}
  bool Fill(uint64_t position, size_t bytes);

  std::unique_ptr<io::File> file_;
  uint64_t size_;
  std::vector<uint8_t> buffer_;
  std::optional<Error> error_;
};

}  // namespace kb::inspect
