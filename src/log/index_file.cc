#include "log/index_file.h"

namespace kb::log {

void OffsetIndexEntry::Encode(uint8_t* to) const {
  StoreBigEndian(to, relative_offset);
  StoreBigEndian(to + 4, position);
}
OffsetIndexEntry OffsetIndexEntry::Decode(const uint8_t* from) {
  return {LoadBigEndian<int32_t>(from), LoadBigEndian<int32_t>(from + 4)};
}

void TimeIndexEntry::Encode(uint8_t* to) const {
  StoreBigEndian(to, timestamp);
  StoreBigEndian(to + 8, relative_offset);
}
TimeIndexEntry TimeIndexEntry::Decode(const uint8_t* from) {
  return {LoadBigEndian<int64_t>(from), LoadBigEndian<int32_t>(from + 8)};
}

void TxnIndexEntry::Encode(uint8_t* to) const {
  StoreBigEndian<int16_t>(to, 0);
  StoreBigEndian(to + 2, transaction.producer_id.value());
  StoreBigEndian(to + 10, transaction.first_offset.value());
  StoreBigEndian(to + 18, transaction.last_offset.value());
  StoreBigEndian(to + 26, transaction.last_stable_offset.value());
}
TxnIndexEntry TxnIndexEntry::Decode(const uint8_t* from) {
  return {{ProducerId(LoadBigEndian<int64_t>(from + 2)), Offset(LoadBigEndian<int64_t>(from + 10)),
           Offset(LoadBigEndian<int64_t>(from + 18)), Offset(LoadBigEndian<int64_t>(from + 26))}};
}

template <typename Entry>
std::string EncodeIndex(const std::vector<Entry>& entries) {
  std::string bytes(entries.size() * Entry::kSize, '\0');
  uint8_t* to = reinterpret_cast<uint8_t*>(bytes.data());
  for (const Entry& entry : entries) {
    entry.Encode(to);
    to += Entry::kSize;
  }
  return bytes;
}

template <typename Entry>
Status IndexFile<Entry>::Spill(io::FileSystem& files, const std::string& path) {
  Result<std::unique_ptr<io::File>> file = files.Open(path, io::OpenMode::kCreate);
  if (!file.ok()) return file.error();
  if (tail_.empty()) return {};
  KB_RETURN_IF_ERROR((*file)->WriteAt(on_disk_ * Entry::kSize, AsBytes(EncodeIndex(tail_))));
  on_disk_ += tail_.size();
  tail_ = {};
  return {};
}

template <typename Entry>
Result<std::vector<Entry>> ReadIndex(io::FileSystem& files, const std::string& path, size_t most_bytes) {
  Result<std::string> content = io::ReadFile(files, path, most_bytes);
  if (!content.ok()) {
    if (content.error().kind == ErrorKind::kInvalid) return Error{ErrorKind::kCorrupt, content.error().message};
    return content.error();
  }
  std::vector<Entry> entries(content->size() / Entry::kSize);
  const uint8_t* from = reinterpret_cast<const uint8_t*>(content->data());
  for (Entry& entry : entries) {
    entry = Entry::Decode(from);
    from += Entry::kSize;
  }
  return entries;
}

#define KB_FOR_ENTRY(Entry)                                                                        \
  template class IndexFile<Entry>;                                                                 \
  template std::string EncodeIndex(const std::vector<Entry>&);                                     \
  template Result<std::vector<Entry>> ReadIndex(io::FileSystem&, const std::string&, size_t);
KB_FOR_ENTRY(OffsetIndexEntry)
KB_FOR_ENTRY(TimeIndexEntry)
KB_FOR_ENTRY(TxnIndexEntry)
#undef KB_FOR_ENTRY

}  // namespace kb::log
