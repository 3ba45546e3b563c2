#include "io/file_system.h"

namespace kb::io {
namespace {

std::string ParentOf(const std::string& path) {
  size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

Status WriteDurably(FileSystem& files, const std::string& path, std::string_view content) {
  Result<std::unique_ptr<File>> file = files.Open(path, OpenMode::kTruncate);
  if (!file.ok()) return file.error();
  KB_RETURN_IF_ERROR((*file)->WriteAt(0, AsBytes(content)));
  return (*file)->Sync();
}

}  // namespace

Result<std::string> ReadFile(FileSystem& files, const std::string& path, size_t most_bytes) {
  Result<std::unique_ptr<File>> file = files.Open(path, OpenMode::kRead);
  if (!file.ok()) return file.error();
  Result<uint64_t> size = (*file)->Size();
  if (!size.ok()) return size.error();
  if (*size > most_bytes) {
    return Error{ErrorKind::kInvalid, path + " has " + std::to_string(*size) + " bytes, more than the " +
                                          std::to_string(most_bytes) + " it may have"};
  }
  std::string content(static_cast<size_t>(*size), '\0');
  Result<size_t> got =
      (*file)->ReadAt(0, MutableByteView(reinterpret_cast<uint8_t*>(content.data()), content.size()));
  if (!got.ok()) return got.error();
  content.resize(*got);
  return content;
}

Status ReplaceFile(FileSystem& files, const std::string& path, std::string_view content) {
  const std::string temporary = path + ".tmp";
  Status status = WriteDurably(files, temporary, content);
  if (status.ok()) status = files.Rename(temporary, path);
  if (!status.ok()) (void)files.Remove(temporary);
  return status;
}

Status WriteFileAtomically(FileSystem& files, const std::string& path, std::string_view content) {
  KB_RETURN_IF_ERROR(ReplaceFile(files, path, content));
  return files.SyncDirectory(ParentOf(path));
}

}  // namespace kb::io
