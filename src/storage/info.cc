#include "storage/info.h"

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "controller/meta_properties.h"

namespace kb::storage {
namespace {

using controller::MetaProperties;

class Inspection {
 public:
  explicit Inspection(io::FileSystem& files) : files_(files) {}

  void Look(const std::string& dir) {
    Result<bool> exists = files_.Exists(dir);
    if (!exists.ok() || !*exists) {
      problems_.push_back(dir + " does not exist");
      return;
    }
    if (!files_.List(dir).ok()) {
      problems_.push_back(dir + " is not a directory");
      return;
    }
    found_.push_back(dir);
    const std::string path = dir + "/" + std::string(controller::kMetaPropertiesName);
    Result<std::string> text = io::ReadFile(files_, path);
    if (!text.ok() && text.error().kind == ErrorKind::kNotFound) {
      problems_.push_back(dir + " is not formatted.");
      return;
    }
    Result<MetaProperties> properties = text.ok() ? controller::ParseMetaProperties(*text, path) : text.error();
    if (!properties.ok()) {
      problems_.push_back("Error loading " + path + ": " + properties.error().message);
      return;
    }
    Compare(*properties);
  }

  int Print(std::ostream& out) {
    if (first_ && first_->version == 0) {
      problems_.push_back(
          "The kafka configuration file appears to be for a cluster in KRaft mode, but the directories are formatted "
          "for "
          "legacy mode.");
    }
    PrintList(found_, "Found log directory:", "Found log directories:", out);
    if (first_) out << "Found metadata: " << TextOf(*first_) << "\n\n";
    PrintList(problems_, "Found problem:", "Found problems:", out);
    return problems_.empty() ? 0 : 1;
  }

 private:
  // With the first that was read.
  void Compare(const MetaProperties& properties) {
    if (!first_) {
      first_ = properties;
    } else if (first_->cluster_id != properties.cluster_id) {
      problems_.push_back("Mismatched cluster IDs between storage directories.");
    } else if (first_->node_id != properties.node_id) {
      problems_.push_back("Mismatched node IDs between storage directories.");
    }
  }

  static std::string TextOf(const MetaProperties& properties) {
    std::map<std::string, std::string> sorted = {{"version", std::to_string(properties.version)}};
    if (!properties.cluster_id.empty()) sorted["cluster.id"] = properties.cluster_id;
    sorted[properties.version == 0 ? "broker.id" : "node.id"] = ToString(properties.node_id);
    if (properties.directory_id) sorted["directory.id"] = properties.directory_id->ToString();
    std::string text;
    for (const auto& [key, value] : sorted) text += (text.empty() ? "{" : ", ") + key + "=" + value;
    return text + "}";
  }

  static void PrintList(const std::vector<std::string>& lines, std::string_view one, std::string_view many,
                        std::ostream& out) {
    if (lines.empty()) return;
    out << (lines.size() == 1 ? one : many) << "\n";
    for (const std::string& line : lines) out << "  " << line << "\n";
    out << "\n";
  }

  io::FileSystem& files_;
  std::vector<std::string> found_, problems_;
  std::optional<MetaProperties> first_;
};

}  // namespace

int PrintInfo(io::FileSystem& files, const config::ServerConfig& config, std::ostream& out) {
  std::set<std::string> sorted(config.log_dirs.begin(), config.log_dirs.end());
  sorted.insert(config.metadata_log_dir);
  Inspection inspection(files);
  for (const std::string& dir : sorted) inspection.Look(dir);
  return inspection.Print(out);
}

}  // namespace kb::storage
