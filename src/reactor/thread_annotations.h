// Annotations for clang's thread-safety analysis: "who holds this reactor" as a capability. g++ sees nothing.
//
//   Offset end_ KB_GUARDED_BY(home_);                      // touched only while home_ turns
//   void Append(...) KB_REQUIRES(home_);                   // callable only there
//   home_.AssertCurrent();                                 // from here on clang believes it, and the program checks it
#pragma once

#if defined(__clang__)
#define KB_THREAD_ANNOTATION(x) __attribute__((x))
#else
#define KB_THREAD_ANNOTATION(x)
#endif

#define KB_CAPABILITY(name) KB_THREAD_ANNOTATION(capability(name))
#define KB_GUARDED_BY(x) KB_THREAD_ANNOTATION(guarded_by(x))
#define KB_REQUIRES(...) KB_THREAD_ANNOTATION(requires_capability(__VA_ARGS__))
#define KB_ASSERT_CAPABILITY(...) KB_THREAD_ANNOTATION(assert_capability(__VA_ARGS__))
#define KB_NO_THREAD_SAFETY_ANALYSIS KB_THREAD_ANNOTATION(no_thread_safety_analysis)
