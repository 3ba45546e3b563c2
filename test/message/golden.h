// The golden vectors: what Apache Kafka 4.3.1 wrote, one JSON object a line, in gzip files.
//
// They are read from the folder that the environment variable GOLDEN_DIR names, or else from the copy in
// test/golden/vectors.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"

namespace kb::golden {

// The folder, and whether it is our own copy, whose contents we know.
std::string Folder();
bool IsOurCopy();

// Calls back for each line of a .jsonl or .jsonl.gz file.
void ForEachLine(const std::string& path, const std::function<void(const nlohmann::json&)>& line);
// Paths of the vectors of single messages: AREA/NAME.jsonl[.gz].
std::vector<std::string> MessageFiles();

// Whether the folder has this file. Our own copy must.
bool Has(const std::string& name);

// What a .gz file unpacks to, or any other file as it is; empty when it cannot.
std::string Unzip(const std::string& path);

std::string FromHex(std::string_view hex);
std::string ToHex(ByteView bytes);
std::string FromBase64(std::string_view text);
// What Java makes of bytes that should have been UTF-8: U+FFFD for each ill-formed part.
std::string AsJavaReadsIt(std::string_view text);

}  // namespace kb::golden
