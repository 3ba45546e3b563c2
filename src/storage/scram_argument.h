// --add-scram: a user of the cluster from its beginning.
//
//   SCRAM-SHA-256=[name=alice,password=alice-secret]                          salt and iterations are chosen
//   SCRAM-SHA-512=[name=alice,iterations=8192,salt="N3E=",saltedpassword="YCE="]    base64
//
// A comma separates wherever it stands. Pure function; takes milliseconds for a password.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/random.h"
#include "base/result.h"
#include "model/scram_mechanism.h"

namespace kb::storage {

struct ScramUser {
  std::string name;
  ScramMechanism mechanism = ScramMechanism::kSha256;
  std::string salt, stored_key, server_key;  // bytes
  int32_t iterations = 0;
};

// random: where the salt comes from if the argument has none. kInvalid: what is wrong, in one line.
Result<ScramUser> ParseScramArgument(std::string_view argument, Random& random);

}  // namespace kb::storage
