#pragma once
// Which of the three builds of a kernel runs: each is compiled for the baseline, AVX2 and AVX-512, and the
// processor decides at run time. The results are the same bits on each: no contraction to fused operations
// (CMakeLists.txt), no library function that differs, sums in a fixed order. Source: psABI x86-64 levels.
//
// MR_KERNEL(name, (parameters), (arguments)) defines `name` and its three builds from name##_body, which must
// be MR_BODY: inlined into each.

namespace millrace::tasks {

enum class Isa { Baseline, Avx2, Avx512 };

// The best this processor has, or less after limit_isa (for tests).
Isa isa();
void limit_isa(Isa most);

}  // namespace millrace::tasks

#define MR_BODY [[gnu::always_inline]] static inline

#if defined(__x86_64__)
#define MR_AVX512_FEATURES "avx512f,avx512bw,avx512dq,avx512vl,avx512cd,avx2,bmi,bmi2,lzcnt,popcnt"
#if defined(__clang__)  // which knows no preferred width here
#define MR_AVX512 [[gnu::target(MR_AVX512_FEATURES)]]
#else
#define MR_AVX512 [[gnu::target(MR_AVX512_FEATURES ",prefer-vector-width=512")]]
#endif
#define MR_AVX2 [[gnu::target("avx2,bmi,bmi2,lzcnt,popcnt")]]
#define MR_KERNEL(name, parameters, arguments)     \
  MR_AVX512 static void name##_avx512 parameters { \
    name##_body arguments;                         \
  }                                                \
  MR_AVX2 static void name##_avx2 parameters {     \
    name##_body arguments;                         \
  }                                                \
  static void name##_plain parameters {            \
    name##_body arguments;                         \
  }                                                \
  void name parameters {                           \
    switch (isa()) {                               \
      case Isa::Avx512:                            \
        return name##_avx512 arguments;            \
      case Isa::Avx2:                              \
        return name##_avx2 arguments;              \
      case Isa::Baseline:                          \
        return name##_plain arguments;             \
    }                                              \
  }
#else
#define MR_KERNEL(name, parameters, arguments) \
  void name parameters {                       \
    name##_body arguments;                     \
  }
#endif
