// The Boom between its two ends: activation, dropout and the sum of the chunks, 8 columns a thread.
// gelu(x) = x * sigmoid(1.702 x). Constants: C, H (a multiple of C; both multiples of 8).

#define SLOPE 1.702f
#define CHUNKS (H / C)

__device__ __forceinline__ float logistic(float x) { return __fdividef(1.0f, 1.0f + __expf(-x)); }

// 64 random bits for 4 elements: the finalizer of MurmurHash3 over a counter
__device__ __forceinline__ u64 draw(u64 seed, u64 counter) {
  u64 z = seed + counter * 0x9e3779b97f4a7c15ull;
  z = (z ^ (z >> 33)) * 0xff51afd7ed558ccdull;
  z = (z ^ (z >> 33)) * 0xc4ceb9fe1a85ec53ull;
  return z ^ (z >> 33);
}
// 0 or the scale for each of 8 elements: threshold / 65536 of them are dropped
__device__ __forceinline__ Eight mask(u64 seed, u64 at, u32 threshold) {
  Eight e;
  float scale = 65536.0f / (65536 - threshold);
  EACH(half, 2) {
    u64 bits = draw(seed, 2 * at + half);
    EACH(i, 4) e.x[4 * half + i] = (u32)(bits >> (16 * i) & 0xffff) < threshold ? 0 : scale;
  }
  return e;
}

// u [N][H] -> out [N][C]; count = N * C / 8
extern "C" __global__ void boom_forward(const uint4* u, uint4* out, u64 count, u32 threshold, u64 seed) {
  u64 i = (u64)blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= count) return;
  u64 first = i / (C / 8) * (H / 8) + i % (C / 8);
  Eight sum = {};
  EACH(chunk, CHUNKS) {
    u64 at = first + chunk * (C / 8);
    Eight x = unpack(u[at]), m;
    if (threshold > 0) m = mask(seed, at, threshold);
    EACH(k, 8) {
      float y = x.x[k] * logistic(SLOPE * x.x[k]);
      sum.x[k] += threshold > 0 ? y * m.x[k] : y;
    }
  }
  out[i] = pack(sum);
}

// replaces u by its gradient, given the output's gradient [N][C]
extern "C" __global__ void boom_backward(uint4* u, const uint4* gradient, u64 count, u32 threshold, u64 seed) {
  u64 i = (u64)blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= count) return;
  u64 first = i / (C / 8) * (H / 8) + i % (C / 8);
  Eight d = unpack(gradient[i]);
  EACH(chunk, CHUNKS) {
    u64 at = first + chunk * (C / 8);
    Eight x = unpack(u[at]), m;
    if (threshold > 0) m = mask(seed, at, threshold);
    EACH(k, 8) {
      float s = logistic(SLOPE * x.x[k]), slope = s + SLOPE * x.x[k] * s * (1 - s);
      x.x[k] = d.x[k] * (threshold > 0 ? slope * m.x[k] : slope);
    }
    u[at] = pack(x);
  }
}
