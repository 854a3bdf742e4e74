// Numbers of 16 bits, activations, sums, tiles of products, and waiting. Stands before the source of every kernel.

// An unrolled loop over a number of times that the compiler knows
#define EACH(i, n) _Pragma("unroll") for (int i = 0; i < (n); i++)

typedef unsigned short half_t;
typedef unsigned int u32;
typedef unsigned long long u64;

__device__ __forceinline__ float to_float(half_t x) {
  float r;
  asm("cvt.f32.f16 %0, %1;" : "=f"(r) : "h"(x));
  return r;
}
__device__ __forceinline__ half_t to_half(float x) {
  half_t r;
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(r) : "f"(x));
  return r;
}
__device__ __forceinline__ float tanh_(float x) {
  float r;
  asm("tanh.approx.f32 %0, %1;" : "=f"(r) : "f"(x));
  return r;
}
__device__ __forceinline__ float sigmoid(float x) { return 0.5f * tanh_(0.5f * x) + 0.5f; }

// 16 bytes of an array
struct Eight {
  float x[8];
};

__device__ __forceinline__ Eight unpack(uint4 v) {
  u32 words[4] = {v.x, v.y, v.z, v.w};
  Eight e;
  EACH(i, 4) {
    e.x[2 * i] = to_float((half_t)(words[i] & 0xffff));
    e.x[2 * i + 1] = to_float((half_t)(words[i] >> 16));
  }
  return e;
}
__device__ __forceinline__ uint4 pack(Eight e) {
  u32 words[4];
  EACH(i, 4) words[i] = (u32)to_half(e.x[2 * i]) | (u32)to_half(e.x[2 * i + 1]) << 16;
  return make_uint4(words[0], words[1], words[2], words[3]);
}

__device__ __forceinline__ float warp_sum(float x) {
#pragma unroll
  for (int distance = 16; distance > 0; distance /= 2) x += __shfl_xor_sync(0xffffffff, x, distance);
  return x;
}

// Waits until a counter, which may overflow, has come to a count
__device__ __forceinline__ void wait_for(const u32* counter, u32 count) {
  u32 v;
  do {
    asm volatile("ld.acquire.gpu.global.u32 %0, [%1];" : "=r"(v) : "l"(counter) : "memory");
  } while ((int)(v - count) < 0);
}
__device__ __forceinline__ void arrive(u32* counter) {
  asm volatile("red.release.gpu.global.add.u32 [%0], 1;" ::"l"(counter) : "memory");
}
__device__ __forceinline__ void multiply(float* sum, u32 a0, u32 a1, u32 a2, u32 a3, u32 b0, u32 b1) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
      : "+f"(sum[0]), "+f"(sum[1]), "+f"(sum[2]), "+f"(sum[3])
      : "r"(a0), "r"(a1), "r"(a2), "r"(a3), "r"(b0), "r"(b1));
}
// The product of 16 x 32 by 32 x 8 in two halves. A thread's 16 bytes are 8 neighbours of the inner
// axis: the hardware's order of that axis is another one, but the same in both operands.
__device__ __forceinline__ void multiply_first(float* sum, uint4 low, uint4 high, uint4 b) {
  multiply(sum, low.x, high.x, low.y, high.y, b.x, b.y);
}
__device__ __forceinline__ void multiply_second(float* sum, uint4 low, uint4 high, uint4 b) {
  multiply(sum, low.z, high.z, low.w, high.w, b.z, b.w);
}
