// SCRAM (RFC 5802, RFC 7677): what a server keeps of a password, and how it comes about.
//
//   salted password := PBKDF2-HMAC(password, salt, iterations)
//   client key      := HMAC(salted password, "Client Key")       stored key := H(client key)
//   server key      := HMAC(salted password, "Server Key")
//
// Salt, iterations, stored key and server key are the credential (UserScramCredentialRecord). Pure functions, any
// thread; SaltPassword takes milliseconds.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "model/scram_mechanism.h"

namespace kb::security {

inline constexpr int32_t kLeastScramIterations = 4'096;
inline constexpr int32_t kMostScramIterations = 16'384;

// "SCRAM-SHA-256", "SCRAM-SHA-512"; nullopt for any other name.
std::optional<ScramMechanism> ParseScramMechanism(std::string_view name);
std::string_view ScramMechanismName(ScramMechanism mechanism);

// OpenSSL's library is loaded when somebody asks for the first time. Empty: it is there. Otherwise the functions below must not
// be called.
std::string WhyNoScram();

// password: its bytes as they are. iterations > 0.
std::string SaltPassword(ScramMechanism mechanism, std::string_view password, ByteView salt, int32_t iterations);

struct ScramKeys {
  std::string stored_key, server_key;  // bytes
};
ScramKeys ScramKeysOf(ScramMechanism mechanism, ByteView salted_password);

}  // namespace kb::security
