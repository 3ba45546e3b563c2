// LazyLibrary: a shared library that few need. It is loaded when something of it is called for the first time, so that who
// does not pays neither its time at the start nor its memory.
//
//   LazyLibrary library("libcrypto.so.3");
//   auto* digest = library.Find<decltype(EVP_Digest)>("EVP_Digest");   // nullptr: see error()
//
// Thread-safe. It stays loaded.
#pragma once

#include <dlfcn.h>

#include <string>

namespace kb {

class LazyLibrary {
 public:
  explicit LazyLibrary(const char* name) : name_(name) {}

  // Function: the type of a function, for example decltype(EVP_Digest).
  template <typename Function>
  Function* Find(const char* symbol) {
    void* handle = Handle();
    return handle == nullptr ? nullptr : reinterpret_cast<Function*>(dlsym(handle, symbol));
  }
  // Loads it, if need be. Empty: it is there.
  std::string WhyMissing() {
    if (Handle() != nullptr) return {};
    const char* error = dlerror();
    return error == nullptr ? std::string(name_) + " cannot be loaded" : std::string(error);
  }

 private:
  void* Handle() { return dlopen(name_, RTLD_NOW | RTLD_LOCAL); }  // a second time it only counts

  const char* const name_;
};

}  // namespace kb
