// IP addresses from text. Free functions without state; nothing is asked of the system or a name server.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace kb {

// 16 bytes in network order; an IPv4 address as IPv4-mapped IPv6.
using IpAddress = std::array<uint8_t, 16>;

// IPv4: one to four decimal numbers with dots between them, the last of which fills what is left ("127.1", as Java's
// InetAddress reads it); IPv6 in any of its forms, perhaps in brackets, without a zone. nullopt: anything else.
std::optional<IpAddress> ParseIpAddress(std::string_view text);

}  // namespace kb
