// The two ways of the assignor `uniform` (assignor.h tells their rules).
//
// Both give every partition of the table an owner. turn: the input's members in the walk of Java's table.
#pragma once

#include <cstdint>
#include <span>

#include "group/assignor.h"
#include "group/owner_table.h"

namespace kb::group {

void FillHomogeneous(const AssignorInput& input, std::span<const uint32_t> turn, OwnerTable& table);
void FillHeterogeneous(const AssignorInput& input, std::span<const uint32_t> turn, OwnerTable& table);

}  // namespace kb::group
