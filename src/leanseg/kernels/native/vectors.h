/* Sixteen numbers at a time, in whatever registers the processor has. */

#ifndef LEANSEG_VECTORS_H
#define LEANSEG_VECTORS_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#define LANES 16
#define HALF 8

typedef float Floats __attribute__((vector_size(64), may_alias));
typedef int32_t Integers __attribute__((vector_size(64), may_alias));
typedef float HalfFloats __attribute__((vector_size(32), may_alias));
typedef int32_t HalfIntegers __attribute__((vector_size(32), may_alias));
typedef uint8_t Bytes __attribute__((vector_size(16), may_alias));

/* All that a kernel calls is compiled with it, so that it becomes code for the same processor. */
#define INLINE static inline __attribute__((always_inline))

/* One version of a kernel per kind of processor, chosen as the library is loaded. LEANSEG_ONE_PROCESSOR leaves that out
   for compilers and C libraries that cannot. */
#if defined(__x86_64__) && !defined(LEANSEG_ONE_PROCESSOR)
#define FOR_EACH_PROCESSOR __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define FOR_EACH_PROCESSOR
#endif

INLINE int64_t padded(int64_t count) { return (count + LANES - 1) / LANES * LANES; }

INLINE Floats all_lanes(float value) { return value - (Floats){0}; }

/* Lane by lane `yes` where the comparison `where` holds, else `no`. */
INLINE Floats chosen(Integers where, Floats yes, Floats no)
{
    return (Floats)((where & (Integers)yes) | (~where & (Integers)no));
}

/* Whether any lane of a comparison is true. */
INLINE int any(Integers where)
{
    const Bytes narrow = __builtin_convertvector(where, Bytes);
    uint64_t parts[2];
    memcpy(parts, &narrow, sizeof parts);
    return (parts[0] | parts[1]) != 0;
}

/* values[lanes], where all lanes are below HALF and that many values can be read. */
INLINE HalfFloats picked(const float *values, HalfIntegers lanes)
{
#if defined(__GNUC__) && !defined(__clang__)
    HalfFloats source;
    memcpy(&source, values, sizeof source);
    return __builtin_shuffle(source, lanes);
#else
    HalfFloats result;
    for (int i = 0; i < HALF; i++)
        result[i] = values[lanes[i]];
    return result;
#endif
}

/* IEEE half floats are floats with a shorter exponent: shifted into place they are 2^112 times too small. */
INLINE float float_of_half(uint16_t half)
{
    const uint32_t magnitude = (uint32_t)(half & 0x7fff) << 13;
    float value;
    memcpy(&value, &magnitude, sizeof value);
    value = magnitude >= (uint32_t)0x7c00 << 13 ? NAN : value * 0x1p112f;
    return half & 0x8000 ? -value : value;
}

#endif
