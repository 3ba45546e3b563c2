#include "inspect/batch_file.h"

#include <algorithm>

namespace kb::inspect {

Result<BatchFile> BatchFile::Open(io::FileSystem& files, const std::string& path) {
  Result<std::unique_ptr<io::File>> file = files.Open(path, io::OpenMode::kRead);
  if (!file.ok()) return file.error();
  Result<uint64_t> size = (*file)->Size();
  if (!size.ok()) return size.error();
  return BatchFile(std::move(file).value(), *size);
}

bool BatchFile::Fill(uint64_t position, size_t bytes) {
  buffer_.resize(bytes);
  Result<size_t> got = file_->ReadAt(position, buffer_);
  if (!got.ok()) error_ = got.error();
  return got.ok() && *got == bytes;
}

std::optional<record::BatchHeader> BatchFile::ReadHeader(uint64_t position) {
  if (position > size_ || size_ - position < record::kBatchHeaderBytes) return std::nullopt;
  if (!Fill(position, record::kBatchHeaderBytes)) return std::nullopt;
  record::BatchHeader header(buffer_);
  bool fits = header.length_is_sane() && static_cast<uint64_t>(header.size_bytes()) <= size_ - position;
  if (!fits || header.magic() != record::kMagic) return std::nullopt;
  return header;
}

std::optional<BatchFile::At> BatchFile::Read(uint64_t position, uint64_t limit) {
  std::optional<record::BatchHeader> header = ReadHeader(position);
  if (!header) return std::nullopt;
  auto bytes = static_cast<size_t>(header->size_bytes());
  limit = std::min(limit, size_);
  if (position > limit || bytes > limit - position || !Fill(position, bytes)) return std::nullopt;
  std::optional<record::BatchView> view = record::BatchView::First(buffer_);
  if (!view || view->bytes().size() != bytes) return std::nullopt;
  return At{position, *view};
}

}  // namespace kb::inspect
