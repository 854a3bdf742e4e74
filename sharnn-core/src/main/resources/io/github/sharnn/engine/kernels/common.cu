// Numbers of 16 bits, and the activations. Stands before the source of every kernel.

typedef unsigned short half_t;
typedef unsigned int u32;

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
