#include "security/scram.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/check.h"
#include "base/lazy_library.h"

namespace kb::security {
namespace {

constexpr std::string_view kSha256Name = "SCRAM-SHA-256";
constexpr std::string_view kSha512Name = "SCRAM-SHA-512";

LazyLibrary& OpenSsl() {
  static LazyLibrary library("libcrypto.so.3");
  return library;
}

// One of its functions. WhyNoScram() has said that they are there.
template <typename Function>
Function* FromOpenSsl(const char* name) {
  auto* found = OpenSsl().Find<Function>(name);
  KB_CHECK(found != nullptr);
  return found;
}
#define KB_OPENSSL(function) (*FromOpenSsl<decltype(function)>(#function))

const EVP_MD* HashOf(ScramMechanism mechanism) {
  return mechanism == ScramMechanism::kSha256 ? KB_OPENSSL(EVP_sha256)() : KB_OPENSSL(EVP_sha512)();
}

size_t HashSize(ScramMechanism mechanism) {
  return mechanism == ScramMechanism::kSha256 ? 32 : 64;
}

uint8_t* BytesOf(std::string& text) {
  return reinterpret_cast<uint8_t*>(text.data());
}

std::string Hmac(ScramMechanism mechanism, ByteView key, std::string_view message) {
  std::string out(HashSize(mechanism), '\0');
  ByteView bytes = AsBytes(message);
  unsigned size = 0;
  // OpenSSL takes a null key for "the key of before".
  static constexpr uint8_t kNoKey = 0;
  const uint8_t* data = key.empty() ? &kNoKey : key.data();
  const void* done = KB_OPENSSL(HMAC)(HashOf(mechanism), data, static_cast<int>(key.size()), bytes.data(), bytes.size(),
                                      BytesOf(out), &size);
  KB_CHECK(done != nullptr);
  KB_CHECK(size == out.size());
  return out;
}

std::string Hash(ScramMechanism mechanism, std::string_view message) {
  std::string out(HashSize(mechanism), '\0');
  unsigned size = 0;
  const int done =
      KB_OPENSSL(EVP_Digest)(message.data(), message.size(), BytesOf(out), &size, HashOf(mechanism), nullptr);
  KB_CHECK(done == 1);
  KB_CHECK(size == out.size());
  return out;
}

}  // namespace

std::string WhyNoScram() { return OpenSsl().WhyMissing(); }

std::optional<ScramMechanism> ParseScramMechanism(std::string_view name) {
  if (name == kSha256Name) return ScramMechanism::kSha256;
  if (name == kSha512Name) return ScramMechanism::kSha512;
  return std::nullopt;
}

std::string_view ScramMechanismName(ScramMechanism mechanism) {
  return mechanism == ScramMechanism::kSha256 ? kSha256Name : kSha512Name;
}

std::string SaltPassword(ScramMechanism mechanism, std::string_view password, ByteView salt, int32_t iterations) {
  KB_CHECK(iterations > 0);
  std::string out(HashSize(mechanism), '\0');
  const int done = KB_OPENSSL(PKCS5_PBKDF2_HMAC)(password.data(), static_cast<int>(password.size()), salt.data(),
                                                 static_cast<int>(salt.size()), iterations, HashOf(mechanism),
                                                 static_cast<int>(out.size()), BytesOf(out));
  KB_CHECK(done == 1);
  return out;
}

ScramKeys ScramKeysOf(ScramMechanism mechanism, ByteView salted_password) {
  return {.stored_key = Hash(mechanism, Hmac(mechanism, salted_password, "Client Key")),
          .server_key = Hmac(mechanism, salted_password, "Server Key")};
}

}  // namespace kb::security
