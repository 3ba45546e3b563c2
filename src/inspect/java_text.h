// Bytes and numbers as a Java program prints them. Pure functions.
#pragma once

#include <string>

#include "base/bytes.h"

namespace kb::inspect {

// UTF-8 with U+FFFD in the place of what is none, one for each longest piece that could have begun a character.
std::string JavaText(ByteView bytes);

// Double.toString: "1024.0", "1.0E7".
std::string JavaDouble(double value);

}  // namespace kb::inspect
