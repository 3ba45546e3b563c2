// Random: a small seeded generator (xoshiro256**), a parameter wherever chance is wanted, so that a run can be repeated
// from its seed. Reactor-affine: each reactor has its own.
#pragma once

#include <cstdint>

#include "base/uuid.h"

namespace kb {

class Random {
 public:
  explicit Random(uint64_t seed);
  uint64_t Next();
  // Uniform in [0, bound); bound > 0.
  uint64_t Below(uint64_t bound) { return Next() % bound; }
  // Version 4, not zero, not reserved, and its text does not start with '-' (Uuid.randomUuid: tools take such a text
  // for an option).
  Uuid NextUuid();

 private:
  uint64_t state_[4];
};

// A seed from the kernel's entropy.
uint64_t EntropySeed();

}  // namespace kb
