// From configuration to what each room is told: the only place that knows both. Pure functions.
#pragma once

#include <string>
#include <vector>

#include "broker/options.h"
#include "config/server_config.h"
#include "controller/metadata_log.h"
#include "group/config.h"
#include "metadata/image.h"
#include "net/acceptor.h"
#include "net/connection_set.h"
#include "partition/scrubber.h"

namespace kb::server {

broker::Options BrokerOptions(const config::ServerConfig& config);
std::vector<broker::Listener> BrokerListeners(const config::ServerConfig& config);
group::GroupConfig GroupOptions(const config::ServerConfig& config);
partition::Scrubber::Options ScrubOptions(const config::ServerConfig& config, size_t reactors);
net::ConnectionOptions ConnectionOptions(const config::ServerConfig& config, size_t reactors);
net::AcceptorOptions AcceptorOptions(const config::ServerConfig& config);
// Whether HTTP is answered, of each listener.
std::vector<bool> HttpListeners(const config::ServerConfig& config);
std::vector<net::ListenerOptions> ListenerOptions(const config::ServerConfig& config);
controller::MetadataLog::Options MetadataOptions(const config::ServerConfig& config);

// As Java makes it: behind the directory of the process, nothing resolved, no '/' at the end.
std::string AbsolutePath(const std::string& path);

// What is registered, and clients are told. ports: as bound, in the order of the listeners.
std::vector<metadata::Endpoint> Endpoints(const config::ServerConfig& config, const std::vector<uint16_t>& ports);

// "listening on PLAINTEXT://:9092, advertised as localhost:9092; …"
std::string DescribeListeners(const config::ServerConfig& config, const std::vector<uint16_t>& ports);

}  // namespace kb::server
