// Numbers of 16 bits, and the activations. Stands before the source of every kernel.

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
#pragma unroll
  for (int i = 0; i < 4; i++) {
    e.x[2 * i] = to_float((half_t)(words[i] & 0xffff));
    e.x[2 * i + 1] = to_float((half_t)(words[i] >> 16));
  }
  return e;
}
__device__ __forceinline__ uint4 pack(Eight e) {
  u32 words[4];
#pragma unroll
  for (int i = 0; i < 4; i++) words[i] = (u32)to_half(e.x[2 * i]) | (u32)to_half(e.x[2 * i + 1]) << 16;
  return make_uint4(words[0], words[1], words[2], words[3]);
}
