// The recurrence of one LSTM layer over a segment, for one GPU, in FLOAT16. Sums, and the cell on its way
// through the steps, are FLOAT32.
// docs/kernels.md explains the plan. Compiled at run time with these constants:
//   C        hidden size, a multiple of 128, at most 1024
//   COLUMNS  streams of a block: 8, or a multiple of 16
//   FORWARD, or BACKWARD with UNITS, the hidden units of its blocks: 16 or 32 (forward: always 16)
// All blocks of a launch must be resident at once: they wait for one another.

#define CHUNK (COLUMNS < 16 ? COLUMNS : 16) // streams of one pass
#define TILES (CHUNK / 8)                   // matrix tiles of 8 streams in a pass
#define PASSES (COLUMNS / CHUNK)
#define WARPS 8
#define THREADS (32 * WARPS)

// 16 bytes that another block wrote: from L2, past this multiprocessor's own cache
__device__ __forceinline__ uint4 load_shared_row(const half_t* p) {
  uint4 v;
  asm volatile("ld.global.cg.v4.u32 {%0, %1, %2, %3}, [%4];"
               : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w) : "l"(p) : "memory");
  return v;
}

extern __shared__ float4 shared_memory[];

// Partial sums of the warps in shared memory: 16 streams a row, pairs swapped so that neither
// writing tiles nor reading columns meets a bank twice
__device__ __forceinline__ int place(int row, int stream) {
  int v = (row >> 1) & 7, swap = ((v & 1) << 2) | (v >> 1);
  return row * 16 + 2 * ((stream >> 1) ^ swap) + (stream & 1);
}
__device__ __forceinline__ void put_tile(float* partial, int row, int stream, const float* sum) {
  *(float2*)(partial + place(row, stream)) = make_float2(sum[0], sum[1]);
  *(float2*)(partial + place(row + 8, stream)) = make_float2(sum[2], sum[3]);
}

#ifdef FORWARD
#define SLICE ((C / 32 + WARPS - 1) / WARPS) // parts of 32 inputs that a warp multiplies in forward

// w [4C][C]; gates [T][B][4C]: the input products with bias, replaced by the gates i, f, g, o;
// h [T+1][B][C] and c [T+1][B][C]: row 0 is the state before; arrived [splits][8]: zeros
extern "C" __global__ void __launch_bounds__(THREADS, 1)
    lstm_forward(const half_t* w, half_t* gates, half_t* h, half_t* c, int steps, int batch, int first, u32* arrived) {
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, row = lane / 4, quad = lane % 4;
  const int split = blockIdx.x / (C / 16), unit0 = blockIdx.x % (C / 16) * 16, stream0 = first + split * COLUMNS;
  const int unit = threadIdx.x % 16, column = threadIdx.x / 16;
  const int parts = min(max(C / 32 - warp * SLICE, 0), SLICE);
  const bool own = column < CHUNK;
  arrived += split * WARPS;

  uint4 weight[4][SLICE][2];
  EACH(m, 4) EACH(k, SLICE) EACH(r, 2)
    weight[m][k][r] = k < parts
        ? *(const uint4*)(w + (size_t)(m * C + unit0 + row + 8 * r) * C + (warp * SLICE + k) * 32 + quad * 8)
        : make_uint4(0, 0, 0, 0);

  float cell[PASSES];
  int stream[PASSES], read[PASSES][TILES]; // streams beyond the batch read its last one and write nothing
  EACH(p, PASSES) {
    stream[p] = stream0 + p * CHUNK + column;
    cell[p] = to_float(c[(size_t)min(stream[p], batch - 1) * C + unit0 + unit]);
    EACH(j, TILES) read[p][j] = min(stream0 + p * CHUNK + j * 8 + row, batch - 1);
  }

  for (int t = 0; t < steps; t++) {
    half_t input[PASSES][4], output[PASSES][4];
    EACH(p, PASSES) EACH(m, 4)
      input[p][m] = gates[((size_t)t * batch + min(stream[p], batch - 1)) * (4 * C) + m * C + unit0 + unit];
    if (parts > 0) {
      if (lane == 0) wait_for(arrived + warp, (u32)(2 * parts * t));
      __syncwarp();
    }
    const half_t* before = h + (size_t)t * batch * C + warp * SLICE * 32 + quad * 8;
    uint4 state[TILES][SLICE];
    EACH(j, TILES) EACH(k, SLICE)
      if (k < parts) state[j][k] = load_shared_row(before + (size_t)read[0][j] * C + k * 32);
      else state[j][k] = make_uint4(0, 0, 0, 0);
    EACH(p, PASSES) {
      float sum[4][TILES][4];
      EACH(m, 4) EACH(j, TILES) EACH(i, 4) sum[m][j][i] = 0;
      EACH(k, SLICE) {
        EACH(m, 4) EACH(j, TILES) multiply_first(sum[m][j], weight[m][k][0], weight[m][k][1], state[j][k]);
        EACH(m, 4) EACH(j, TILES) multiply_second(sum[m][j], weight[m][k][0], weight[m][k][1], state[j][k]);
      }
      if (p + 1 < PASSES)
        EACH(j, TILES) EACH(k, SLICE)
          if (k < parts) state[j][k] = load_shared_row(before + (size_t)read[p + 1 < PASSES ? p + 1 : p][j] * C + k * 32);
      float* partial = (float*)shared_memory + (p & 1) * (WARPS * 64 * 16);
      EACH(m, 4) EACH(j, TILES) put_tile(partial + warp * (64 * 16), m * 16 + row, j * 8 + 2 * quad, sum[m][j]);
      __syncthreads();
      if (own) {
        float s[4];
        EACH(m, 4) {
          s[m] = to_float(input[p][m]);
          EACH(v, WARPS) s[m] += partial[v * (64 * 16) + place(m * 16 + unit, column)];
        }
        float i = sigmoid(s[0]), f = sigmoid(s[1]), g = tanh_(s[2]), o = sigmoid(s[3]);
        cell[p] = f * cell[p] + i * g;
        if (stream[p] < batch)
          h[((size_t)(t + 1) * batch + stream[p]) * C + unit0 + unit] = to_half(o * tanh_(cell[p]));
        output[p][0] = to_half(i), output[p][1] = to_half(f), output[p][2] = to_half(g), output[p][3] = to_half(o);
      }
    }
    __syncthreads();
    if (threadIdx.x == 0) arrive(arrived + unit0 / (32 * SLICE));
    // the other blocks need only h: the rest is written after they were told
    if (own)
      EACH(p, PASSES)
        if (stream[p] < batch) {
          size_t at = (size_t)t * batch + stream[p];
          EACH(m, 4) gates[at * (4 * C) + m * C + unit0 + unit] = output[p][m];
          c[(at + batch) * C + unit0 + unit] = to_half(cell[p]);
        }
  }
}

#endif

#ifdef BACKWARD
#define PARTS (C / 64)                 // parts of 32 gate units that a warp multiplies in backward
#define AHEAD (PARTS % 4 == 0 ? 4 : 2) // parts loaded at once
#define ROWS (UNITS / 16)

// wt [C][4C]: the transposed matrix; gates [T][B][4C]: the gates, replaced by the gradients before
// the activations; c [T+1][B][C] as forward left it; dh [T][B][C]: the output's gradient; dc [B][C]:
// the gradient of the last cell, replaced by that of the cell before; arrived [splits][8]: zeros
extern "C" __global__ void __launch_bounds__(THREADS, 1)
    lstm_backward(const half_t* wt, half_t* gates, const half_t* c, const half_t* dh, float* dc, int steps, int batch,
                  int first, u32* arrived) {
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, row = lane / 4, quad = lane % 4;
  const int split = blockIdx.x / (C / UNITS), unit0 = blockIdx.x % (C / UNITS) * UNITS;
  const int stream0 = first + split * COLUMNS, unit = threadIdx.x % 16, column = threadIdx.x / 16;
  const bool own = column < CHUNK;
  arrived += split * WARPS;

  // rows 0 to 15 of the matrix stay in registers, rows 16 to 31 in shared memory, as each thread needs them
  float* partials = (float*)shared_memory;
  uint4* stored = (uint4*)(partials + 2 * WARPS * UNITS * 16) + warp * PARTS * 64 + lane;
  uint4 weight[PARTS][2];
  EACH(k, PARTS) EACH(r, 2) {
    const half_t* at = wt + (size_t)(unit0 + row + 8 * r) * (4 * C) + (warp * PARTS + k) * 32 + quad * 8;
    weight[k][r] = *(const uint4*)at;
    if (ROWS == 2) stored[(k * 2 + r) * 32] = *(const uint4*)(at + (size_t)16 * (4 * C));
  }

  float cell_gradient[PASSES][ROWS];
  int stream[PASSES], read[PASSES][TILES];
  EACH(p, PASSES) {
    stream[p] = stream0 + p * CHUNK + column;
    EACH(n, ROWS) cell_gradient[p][n] = dc[(size_t)min(stream[p], batch - 1) * C + unit0 + n * 16 + unit];
    EACH(j, TILES) read[p][j] = min(stream0 + p * CHUNK + j * 8 + row, batch - 1);
  }

  for (int t = steps - 1, done = 0; t >= 0; t--, done++) {
    half_t gate[PASSES][ROWS][4], output_gradient[PASSES][ROWS], cell[PASSES][ROWS], before[PASSES][ROWS];
    EACH(p, PASSES) EACH(n, ROWS) {
      size_t at = (size_t)t * batch + min(stream[p], batch - 1);
      int u = unit0 + n * 16 + unit;
      EACH(m, 4) gate[p][n][m] = gates[at * (4 * C) + m * C + u];
      output_gradient[p][n] = dh[at * C + u];
      cell[p][n] = c[(at + batch) * C + u];
      before[p][n] = c[at * C + u];
    }
    if (done > 0) {
      if (lane == 0) wait_for(arrived + (warp & 1), (u32)(C / 2 / UNITS * done));
      __syncwarp();
    }
    const half_t* later = gates + (size_t)(t + 1) * batch * (4 * C) + warp * PARTS * 32 + quad * 8;
    EACH(p, PASSES) {
      float sum[ROWS][TILES][4];
      EACH(n, ROWS) EACH(j, TILES) EACH(i, 4) sum[n][j][i] = 0;
      if (done > 0) {
        uint4 next[2][AHEAD][TILES];
        EACH(k, AHEAD) EACH(j, TILES) next[0][k][j] = load_shared_row(later + (size_t)read[p][j] * (4 * C) + k * 32);
        EACH(q, PARTS / AHEAD) {
          if (q + 1 < PARTS / AHEAD)
            EACH(k, AHEAD) EACH(j, TILES)
              next[(q + 1) & 1][k][j] = load_shared_row(later + (size_t)read[p][j] * (4 * C) + ((q + 1) * AHEAD + k) * 32);
          EACH(k, AHEAD) {
            const int part = q * AHEAD + k;
            uint4 low, high;
            if (ROWS == 2) low = stored[(part * 2) * 32], high = stored[(part * 2 + 1) * 32];
            EACH(j, TILES) multiply_first(sum[0][j], weight[part][0], weight[part][1], next[q & 1][k][j]);
            if (ROWS == 2) EACH(j, TILES) multiply_first(sum[ROWS - 1][j], low, high, next[q & 1][k][j]);
            EACH(j, TILES) multiply_second(sum[0][j], weight[part][0], weight[part][1], next[q & 1][k][j]);
            if (ROWS == 2) EACH(j, TILES) multiply_second(sum[ROWS - 1][j], low, high, next[q & 1][k][j]);
          }
        }
      }
      float* partial = partials + (p & 1) * (WARPS * UNITS * 16);
      EACH(n, ROWS) EACH(j, TILES) put_tile(partial + warp * (UNITS * 16), n * 16 + row, j * 8 + 2 * quad, sum[n][j]);
      __syncthreads();
      if (own) {
        EACH(n, ROWS) {
          float d = to_float(output_gradient[p][n]);
          EACH(v, WARPS) d += partial[v * (UNITS * 16) + place(n * 16 + unit, column)];
          float i = to_float(gate[p][n][0]), f = to_float(gate[p][n][1]), g = to_float(gate[p][n][2]);
          float o = to_float(gate[p][n][3]), tc = tanh_(to_float(cell[p][n]));
          float dcell = cell_gradient[p][n] + d * o * (1 - tc * tc);
          if (stream[p] < batch) {
            half_t* out = gates + ((size_t)t * batch + stream[p]) * (4 * C) + unit0 + n * 16 + unit;
            out[0] = to_half(dcell * g * i * (1 - i));
            out[C] = to_half(dcell * to_float(before[p][n]) * f * (1 - f));
            out[2 * C] = to_half(dcell * i * (1 - g * g));
            out[3 * C] = to_half(d * tc * o * (1 - o));
          }
          cell_gradient[p][n] = dcell * f;
        }
      }
    }
    __syncthreads();
    if (threadIdx.x == 0) arrive(arrived + unit0 / (C / 2));
  }
  if (own)
    EACH(p, PASSES) EACH(n, ROWS)
      if (stream[p] < batch) dc[(size_t)stream[p] * C + unit0 + n * 16 + unit] = cell_gradient[p][n];
}
#endif
