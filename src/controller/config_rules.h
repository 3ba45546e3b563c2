// ConfigRules: what the controller has to know about the keys of configuration. An interface, so that the decisions can
// be tested without a table of keys.
//
// Reactor-affine, as the controller that asks.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "metadata/image.h"
#include "protocol/error_code.h"

namespace kb::controller {

// Why not. kNone: nothing is wrong. The message is for the client and names the culprit.
struct ConfigRefusal {
  ErrorCode code = ErrorCode::kNone;
  std::string message;
  explicit operator bool() const { return code != ErrorCode::kNone; }
};

class ConfigRules {
 public:
  virtual ~ConfigRules() = default;

  virtual int32_t node_id() const = 0;

  // The default of a key whose value is a list, "" where it has none; nullopt for every other key.
  virtual std::optional<std::string> ListDefault(metadata::ConfigResourceType type, std::string_view key) const = 0;

  // Whether `next` may be all that is set for a resource of this image. A broker's resource is this node or "".
  virtual ConfigRefusal Check(const metadata::MetadataImage& image, const metadata::ConfigResource& resource,
                              const metadata::ConfigValues& next) const = 0;
};

}  // namespace kb::controller
