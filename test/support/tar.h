// Reads a tar archive (ustar, as GNU tar writes it) from memory, for golden directories: regular files only.
#pragma once

#include <charconv>
#include <map>
#include <string>
#include <string_view>

namespace kb::test {

// Content by path. Long names ('L' entries) are understood; everything else that is no regular file is left out.
inline std::map<std::string, std::string> ReadTar(std::string_view archive) {
  constexpr size_t kBlock = 512;
  std::map<std::string, std::string> files;
  std::string long_name;
  auto text = [](std::string_view field) { return field.substr(0, field.find('\0')); };
  while (archive.size() >= kBlock && archive[0] != '\0') {
    std::string_view header = archive.substr(0, kBlock);
    std::string_view digits = text(header.substr(124, 12));
    size_t size = 0;
    std::from_chars(digits.data(), digits.data() + digits.size(), size, 8);
    std::string name(text(header.substr(0, 100)));
    std::string_view prefix = text(header.substr(345, 155));
    if (header.substr(257, 6) == std::string_view("ustar\0", 6) && !prefix.empty()) name = std::string(prefix) + "/" + name;
    if (!long_name.empty()) name = std::exchange(long_name, "");
    archive.remove_prefix(kBlock);
    std::string_view content = archive.substr(0, size);
    if (header[156] == 'L') long_name = text(content);
    if (header[156] == '0' || header[156] == '\0') files[name] = content;
    archive.remove_prefix(std::min(archive.size(), (size + kBlock - 1) / kBlock * kBlock));
  }
  return files;
}

}  // namespace kb::test
