#include "controller/meta_properties.h"

#include <map>

#include "base/number.h"

namespace kb::controller {
namespace {

using Properties = std::map<std::string, std::string, std::less<>>;

bool IsBlank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\f'; }

std::string_view Trim(std::string_view text) {
  while (!text.empty() && IsBlank(text.front())) text.remove_prefix(1);
  while (!text.empty() && IsBlank(text.back())) text.remove_suffix(1);
  return text;
}

// java.util.Properties puts a backslash in front of ':', '=', '#', '!' and itself.
std::string Unescape(std::string_view text) {
  std::string plain;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 1 < text.size()) ++i;
    plain += text[i];
  }
  return plain;
}

Properties ParseProperties(std::string_view text) {
  Properties properties;
  while (!text.empty()) {
    size_t end = text.find('\n');
    std::string_view line = Trim(text.substr(0, end));
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
    if (line.empty() || line.front() == '#' || line.front() == '!') continue;
    size_t separator = line.find_first_of("=:");
    if (separator == std::string_view::npos) separator = line.size();
    std::string_view value = separator < line.size() ? line.substr(separator + 1) : std::string_view();
    properties[Unescape(Trim(line.substr(0, separator)))] = Unescape(Trim(value));
  }
  return properties;
}

// Reads single values, and words what is wrong with one.
class Values {
 public:
  Values(const Properties& properties, const std::string& path) : properties_(properties), path_(path) {}

  std::optional<std::string> Find(std::string_view key) const {
    auto found = properties_.find(key);
    return found == properties_.end() ? std::nullopt : std::optional(found->second);
  }
  Result<std::string> Get(std::string_view key) const {
    std::optional<std::string> value = Find(key);
    if (!value) return Wrong(std::string(key) + " is missing");
    return *value;
  }
  Result<int32_t> GetInt(std::string_view key) const {
    Result<std::string> text = Get(key);
    if (!text.ok()) return text.error();
    std::optional<int32_t> value = ParseNumber<int32_t>(*text);
    if (!value) return Wrong(std::string(key) + "=" + *text + " is not a number");
    return *value;
  }
  Error Wrong(const std::string& what) const { return Error{ErrorKind::kCorrupt, path_ + ": " + what}; }

 private:
  const Properties& properties_;
  const std::string& path_;
};

// Ids below 100 have meanings of their own (Uuid.RESERVED).
bool IsReserved(const Uuid& id) {
  return LoadBigEndian<uint64_t>(id.bytes().data()) == 0 && LoadBigEndian<uint64_t>(id.bytes().data() + 8) < 100;
}

}  // namespace

Result<MetaProperties> ParseMetaProperties(std::string_view text, const std::string& path) {
  Properties properties = ParseProperties(text);
  Values values(properties, path);
  MetaProperties result;
  Result<int32_t> version = values.GetInt("version");
  if (!version.ok()) return version.error();
  result.version = *version;
  if (result.version < 0 || result.version > 1) {
    return Error{ErrorKind::kForeign, path + ": version=" + std::to_string(result.version) +
                                          " is newer than this broker, which knows versions 0 and 1"};
  }
  Result<int32_t> node_id = values.GetInt(result.version == 0 ? "broker.id" : "node.id");
  if (!node_id.ok()) return node_id.error();
  result.node_id = BrokerId(*node_id);
  result.cluster_id = values.Find("cluster.id").value_or("");
  if (result.version == 1 && result.cluster_id.empty()) return values.Wrong("cluster.id is missing");
  if (std::optional<std::string> directory = values.Find("directory.id")) {
    result.directory_id = Uuid::Parse(*directory);
    if (!result.directory_id || IsReserved(*result.directory_id)) {
      return values.Wrong("directory.id=" + *directory + " is not the id of a directory");
    }
  }
  return result;
}

std::string MetaPropertiesText(const MetaProperties& properties) {
  std::string text = "version=1\n";
  text += "cluster.id=" + properties.cluster_id + "\n";
  text += "node.id=" + std::to_string(properties.node_id.value()) + "\n";
  if (properties.directory_id) text += "directory.id=" + properties.directory_id->ToString() + "\n";
  return text;
}

}  // namespace kb::controller
