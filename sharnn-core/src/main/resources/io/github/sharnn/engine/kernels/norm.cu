// Layer norms of the rows of one input: y_n = (x - mean) / sqrt(variance + EPSILON) * weight_n + bias_n.
// Two norms of one input share a pass over it. Constants: C (a multiple of 8), NORMS (1 or 2), EPSILON.

#define PARTS (C / 8) // 16-byte parts of a row
#define WARPS ((PARTS + 31) / 32)

__device__ __forceinline__ uint4 scaled(Eight x, uint4 weight, uint4 bias) {
  Eight w = unpack(weight), b = unpack(bias);
  EACH(i, 8) x.x[i] = x.x[i] * w.x[i] + b.x[i];
  return pack(x);
}

// x, y [rows][C] -> statistics [rows]: mean and 1 / deviation. A warp takes a row.
extern "C" __global__ void norm_forward(const uint4* x, float2* statistics, int rows, const uint4* weight0,
                                        const uint4* bias0, uint4* y0, const uint4* weight1, const uint4* bias1,
                                        uint4* y1) {
  const int lane = threadIdx.x % 32, row = (blockIdx.x * blockDim.x + threadIdx.x) / 32;
  if (row >= rows) return;
  x += (u64)row * PARTS;
  Eight value[WARPS];
  float sum = 0, squares = 0;
  EACH(k, WARPS)
    if (k * 32 + lane < PARTS) {
      value[k] = unpack(x[k * 32 + lane]);
      EACH(i, 8) sum += value[k].x[i];
    }
  float mean = warp_sum(sum) / C;
  EACH(k, WARPS)
    if (k * 32 + lane < PARTS)
      EACH(i, 8) {
        value[k].x[i] -= mean;
        squares += value[k].x[i] * value[k].x[i];
      }
  float scale = rsqrtf(warp_sum(squares) / C + EPSILON);
  if (lane == 0) statistics[row] = make_float2(mean, scale);
  EACH(k, WARPS) {
    const int part = k * 32 + lane;
    if (part < PARTS) {
      EACH(i, 8) value[k].x[i] *= scale;
      y0[(u64)row * PARTS + part] = scaled(value[k], weight0[part], bias0[part]);
      if (NORMS == 2) y1[(u64)row * PARTS + part] = scaled(value[k], weight1[part], bias1[part]);
    }
  }
}

#define ROWS 4 // of a block at a time

// dy [rows][C] -> dx [rows][C] and partial [blocks][2 NORMS][C]: sums of the block's rows for
// weight0, bias0, weight1, bias1. A thread takes one part of each row: 32 * WARPS threads.
extern "C" __global__ void norm_backward(const uint4* x, const float2* statistics, int rows, const uint4* weight0,
                                         const uint4* dy0, const uint4* weight1, const uint4* dy1, uint4* dx,
                                         float* partial) {
  const int part = threadIdx.x, warp = threadIdx.x / 32;
  __shared__ float2 sums[2][ROWS][WARPS];
  Eight weight[NORMS], dweight[NORMS] = {}, dbias[NORMS] = {};
  if (part < PARTS) weight[0] = unpack(weight0[part]);
  if (NORMS == 2 && part < PARTS) weight[NORMS - 1] = unpack(weight1[part]);
  for (int first = blockIdx.x * ROWS, turn = 0; first < rows; first += gridDim.x * ROWS, turn ^= 1) {
    Eight normed[ROWS] = {}, g[ROWS] = {};
    float scale[ROWS];
    EACH(r, ROWS) {
      const u64 at = (u64)(first + r) * PARTS + part;
      float plain = 0, product = 0;
      if (part < PARTS && first + r < rows) {
        float2 row = statistics[first + r];
        scale[r] = row.y;
        normed[r] = unpack(x[at]);
        Eight dy[NORMS];
        dy[0] = unpack(dy0[at]);
        if (NORMS == 2) dy[NORMS - 1] = unpack(dy1[at]);
        EACH(i, 8) {
          normed[r].x[i] = (normed[r].x[i] - row.x) * row.y;
          EACH(n, NORMS) {
            dweight[n].x[i] += dy[n].x[i] * normed[r].x[i];
            dbias[n].x[i] += dy[n].x[i];
            g[r].x[i] += dy[n].x[i] * weight[n].x[i];
          }
          plain += g[r].x[i];
          product += g[r].x[i] * normed[r].x[i];
        }
      }
      plain = warp_sum(plain);
      product = warp_sum(product);
      if (threadIdx.x % 32 == 0) sums[turn][r][warp] = make_float2(plain, product);
    }
    __syncthreads();
    EACH(r, ROWS) {
      float plain = 0, product = 0;
      EACH(w, WARPS) {
        plain += sums[turn][r][w].x / C;
        product += sums[turn][r][w].y / C;
      }
      if (part < PARTS && first + r < rows) {
        EACH(i, 8) g[r].x[i] = scale[r] * (g[r].x[i] - plain - normed[r].x[i] * product);
        dx[(u64)(first + r) * PARTS + part] = pack(g[r]);
      }
    }
  }
  if (part < PARTS)
    EACH(n, NORMS) EACH(i, 8) {
      float* at = partial + ((u64)blockIdx.x * 2 * NORMS + 2 * n) * C + part * 8 + i;
      at[0] = dweight[n].x[i];
      at[C] = dbias[n].x[i];
    }
}

// partial [parts][2 NORMS C] -> out [2 NORMS C], 32 columns for a block of 8 warps
extern "C" __global__ void norm_gradients(const float* partial, half_t* out, int parts) {
  __shared__ float sums[8][32];
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32, column = blockIdx.x * 32 + lane;
  float sum = 0;
  for (int p = warp; p < parts; p += 8) sum += partial[(u64)p * 2 * NORMS * C + column];
  sums[warp][lane] = sum;
  __syncthreads();
  if (warp > 0) return;
  sum = 0;
  EACH(w, 8) sum += sums[w][lane];
  out[column] = to_half(sum);
}
