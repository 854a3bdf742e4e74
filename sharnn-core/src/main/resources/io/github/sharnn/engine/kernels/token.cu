// One token of every stream through the whole model, in one launch of blocks that are all resident.
// docs/kernels.md explains the plan. Compiled at run time with these constants:
//   C        hidden size, a multiple of 128, at most 1024
//   CHUNKS   the Boom's size / C, at most 16
//   LAYERS, EPSILON
//   DEPTH    runs of slots that a warp has in shared memory: 2 or more
//   HALF     defined for FLOAT16; otherwise numbers are FLOAT32. Sums are FLOAT32 in both.

#define WARPS 8
#define THREADS (32 * WARPS)
#define SLOPE 1.702f // of the Boom's gelu(x) = x * sigmoid(1.702 x)

#ifdef HALF
typedef half_t number;
typedef Eight Wide; // 16 bytes
#else
typedef float number;
struct Wide {
  float x[4];
};
__device__ __forceinline__ float to_float(float x) { return x; }
#endif
#define WIDE (16 / (int)sizeof(number))
#define PART (4 * WIDE)                     // inputs that a tile's product sums
#define ROW (C + 64 / (int)sizeof(number))  // of shared memory: reading tiles meets no bank twice
#define LANES ((C / WIDE + 31) / 32)        // 16-byte parts of a row that a lane holds
#define RUN (sizeof(number) == 2 ? 2 : 1)   // slots whose scores a warp computes together

__device__ __forceinline__ void write(half_t* to, float x) { *to = to_half(x); }
__device__ __forceinline__ void write(float* to, float x) { *to = x; }
__device__ __forceinline__ float logistic(float x) { return 1 / (1 + expf(-x)); }

// 16 bytes of an array, and the product of 16 rows and 8 streams over PART inputs: a thread has 16 bytes
// of two rows and of a stream
#ifdef HALF
__device__ __forceinline__ Wide load(const number* p) { return unpack(*(const uint4*)p); }
__device__ __forceinline__ void store(number* p, Wide x) { *(uint4*)p = pack(x); }
__device__ __forceinline__ void multiply_part(float sum[2][4], uint4 low, uint4 high, uint4 b) {
  multiply_first(sum[0], low, high, b);
  multiply_second(sum[1], low, high, b);
}
#else
__device__ __forceinline__ Wide load(const number* p) {
  const float4 v = *(const float4*)p;
  return {{v.x, v.y, v.z, v.w}};
}
__device__ __forceinline__ void store(number* p, Wide x) { *(float4*)p = make_float4(x.x[0], x.x[1], x.x[2], x.x[3]); }
__device__ __forceinline__ void multiply_tf32(float* sum, u32 a0, u32 a1, u32 a2, u32 a3, u32 b0, u32 b1) {
  asm volatile(
      "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
      : "+f"(sum[0]), "+f"(sum[1]), "+f"(sum[2]), "+f"(sum[3])
      : "r"(a0), "r"(a1), "r"(a2), "r"(a3), "r"(b0), "r"(b1));
}
// A FLOAT32 is the sum of a TF32, which tensor cores multiply, and a rest, another TF32. Volatile, so
// that the compiler keeps no registers for the parts of weights.
__device__ __forceinline__ void split(u32& x, u32& rest) {
  const float whole = __uint_as_float(x);
  asm volatile("cvt.rna.tf32.f32 %0, %1;" : "=r"(x) : "f"(whole));
  rest = __float_as_uint(whole - __uint_as_float(x));
}
__device__ __forceinline__ void multiply_split(float* sum, u32 a0, u32 a1, u32 a2, u32 a3, u32 b0, u32 b1) {
  u32 c0, c1, c2, c3, d0, d1;
  split(a0, c0);
  split(a1, c1);
  split(a2, c2);
  split(a3, c3);
  split(b0, d0);
  split(b1, d1);
  multiply_tf32(sum, c0, c1, c2, c3, b0, b1);
  multiply_tf32(sum, a0, a1, a2, a3, d0, d1);
  multiply_tf32(sum, a0, a1, a2, a3, b0, b1);
}
__device__ __forceinline__ void multiply_part(float sum[2][4], uint4 low, uint4 high, uint4 b) {
  multiply_split(sum[0], low.x, high.x, low.y, high.y, b.x, b.y);
  multiply_split(sum[1], low.z, high.z, low.w, high.w, b.z, b.w);
}
#endif

__device__ __forceinline__ float warp_max(float x) {
#pragma unroll
  for (int distance = 16; distance > 0; distance /= 2) x = fmaxf(x, __shfl_xor_sync(0xffffffff, x, distance));
  return x;
}

struct Norm {
  const number *weight, *bias;
};
struct Layer {
  Norm start, mem, mid, xff, ff;
  const number *input, *recurrent, *bias; // no input matrix: the table has its products
  const number *query, *query_bias;       // none: no attention
  Norm query_norm;
  const number *value_scale, *boom, *boom_bias;
  number *hidden, *cell; // [streams][C]
  number* memory;        // [streams][slots][C]
};
struct Token {
  Layer layers[LAYERS];
  const number *table, *decoder, *decoder_bias;
  number *lstm, *attended, *boom, *query; // [streams][C]
  float* context;                         // of each slice of attention [units][C]
  float2 *slices, *statistics;            // [units] maximum and sum; [streams] of the norm before the query
  u32* arrived;
  number* mask; // [streams][slots], or none
  const int* tokens;
  float* logits; // [streams][vocabulary]
  int vocabulary, chunk, batch, slots, position, used;
  u32 passed; // what the launches before have added to arrived
};

extern __shared__ float4 shared_memory[];

// The parts of shared memory: sums of each warp, two inputs of each stream, mean and 1 / deviation
__device__ __forceinline__ float* sums() { return (float*)shared_memory; }
__device__ __forceinline__ number* inputs(const Token& t, int i) {
  return (number*)(sums() + t.chunk * (16 * WARPS)) + i * t.chunk * ROW;
}
__device__ __forceinline__ float2* statistics(const Token& t) { return (float2*)inputs(t, 2); }

// Starts a phase, once all blocks have left the phases before
__device__ __forceinline__ void enter(const Token& t, int phase) {
  if (threadIdx.x == 0) wait_for(t.arrived, t.passed + phase * gridDim.x);
  __syncthreads();
}
__device__ __forceinline__ void leave(const Token& t) {
  __syncthreads();
  if (threadIdx.x == 0) arrive(t.arrived);
}

// The thread's number, which the compiler does not carry from phase to phase in registers
__device__ __forceinline__ int thread() {
  int x;
  asm volatile("mov.u32 %0, %%tid.x;" : "=r"(x));
  return x;
}

// Runs over the 16-byte parts of a row that a lane holds, each with its number and its column
template <class Part>
__device__ __forceinline__ void for_parts(int lane, Part part) {
  EACH(k, LANES) if (k * 32 + lane < C / WIDE) part(k, (k * 32 + lane) * WIDE);
}
// Normalizes a row that a warp holds, and returns its mean and 1 / deviation
__device__ __forceinline__ float2 normalize(Wide* row, Norm norm, int lane) {
  float sum = 0, squares = 0;
  for_parts(lane, [&](int k, int) {
    for (int i = 0; i < WIDE; i++) sum += row[k].x[i];
  });
  const float mean = warp_sum(sum) / C;
  for_parts(lane, [&](int k, int) {
    for (int i = 0; i < WIDE; i++) squares += (row[k].x[i] - mean) * (row[k].x[i] - mean);
  });
  const float scale = rsqrtf(warp_sum(squares) / C + EPSILON);
  for_parts(lane, [&](int k, int column) {
    const Wide weight = load(norm.weight + column), bias = load(norm.bias + column);
    for (int i = 0; i < WIDE; i++) row[k].x[i] = (row[k].x[i] - mean) * scale * weight.x[i] + bias.x[i];
  });
  return make_float2(mean, scale);
}

// Copies 16 bytes to shared memory, in the background
__device__ __forceinline__ void fetch(number* to, const number* from) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"((u32)__cvta_generic_to_shared(to)), "l"(from) : "memory");
}
__device__ __forceinline__ void end_group() { asm volatile("cp.async.commit_group;" ::: "memory"); }
// Waits until no more than some of the last groups are under way
template <int LAST>
__device__ __forceinline__ void wait_for_groups() {
  asm volatile("cp.async.wait_group %0;" ::"n"(LAST) : "memory");
}
template <class Row>
__device__ __forceinline__ void fetch_rows(number* to, Row row, int first, int count) {
  for (int i = thread(); i < count * (C / WIDE); i += THREADS) {
    const int stream = i / (C / WIDE), at = i % (C / WIDE) * WIDE;
    fetch(to + stream * ROW + at, row(first + stream) + at);
  }
}
// Normalizes rows in shared memory, a warp each
__device__ __forceinline__ void normalize_rows(const Token& t, Norm norm, int count) {
  const int id = thread(), lane = id % 32;
#pragma unroll 1
  for (int stream = id / 32; stream < count; stream += WARPS) {
    number* row = inputs(t, 0) + stream * ROW;
    Wide x[LANES];
    for_parts(lane, [&](int k, int column) { x[k] = load(row + column); });
    statistics(t)[stream] = normalize(x, norm, lane);
    for_parts(lane, [&](int k, int column) { store(row + column, x[k]); });
  }
}
__device__ __forceinline__ float normed(const number* row, int column, Norm norm, float2 of) {
  return (to_float(row[column]) - of.x) * of.y * to_float(norm.weight[column]) + to_float(norm.bias[column]);
}

// A phase that multiplies one or two inputs of each stream by a matrix each. A result has ROWS sums: of
// the matrices' rows column, columns + column, 2 columns + column and so on. A block computes 16 rows
// for a chunk of streams. Each warp multiplies a slice of the inputs, from shared memory, by its slice
// of the rows, in registers. Half of the warps take the second matrix in FLOAT16, a second pass in
// FLOAT32. The first input is a row, normalized if there is a norm. The second is the hidden state.
template <int INPUTS, int ROWS, class Row, class Output>
__device__ __forceinline__ void product(const Token& t, int phase, const number* matrix0, const number* matrix1,
                                        int columns, Row input_row, Norm norm, const number* hidden,
                                        Output output) {
  constexpr int TEAMS = sizeof(number) == 2 ? INPUTS : 1, PASSES = INPUTS / TEAMS, TEAM = WARPS / TEAMS;
  constexpr int SLICE = (C / PART + TEAM - 1) / TEAM, WIDTH = 16 / ROWS;
  const int id = thread(), warp = id / 32, row = id % 32 / 4, quad = id % 4;
  const int begin = warp % TEAM * SLICE, parts = min(C / PART - begin, SLICE), at = begin * PART + quad * WIDE;
  const int groups = (columns + WIDTH - 1) / WIDTH;
  uint4 weight[SLICE][2];
  auto load_rows = [&](int group, int pass) {
    const number* matrix = (pass + warp / TEAM == 0 ? matrix0 : matrix1) + at;
    EACH(half, 2) {
      const int r = row + 8 * half, column = min(group * WIDTH + r % WIDTH, columns - 1);
      const number* from = matrix + ((u64)min(r / WIDTH, ROWS - 1) * columns + column) * C;
      EACH(k, SLICE) if (C / PART % TEAM == 0 || k < parts) weight[k][half] = *(const uint4*)(from + k * PART);
    }
  };
  auto fetch_hidden = [&](int first, int count) {
    fetch_rows(inputs(t, 1), [&](int s) { return hidden + (u64)s * C; }, first, count);
  };
  if (blockIdx.x >= groups) { // without this return, the rows' registers would live on in all phases
    enter(t, phase);
    leave(t);
    return;
  }
  load_rows(blockIdx.x, 0); // rows and hidden states were there before this phase
  if (INPUTS == 2) fetch_hidden(0, min(t.chunk, t.batch));
  enter(t, phase);
#pragma unroll 1
  for (int first = 0; first < t.batch; first += t.chunk) {
    const int count = min(t.chunk, t.batch - first);
    if (INPUTS == 2 && first > 0) fetch_hidden(first, count);
    fetch_rows(inputs(t, 0), input_row, first, count);
    end_group();
    wait_for_groups<0>();
    __syncthreads();
    if (norm.weight) {
      normalize_rows(t, norm, count);
      __syncthreads();
    }
#pragma unroll 1
    for (int group = blockIdx.x; group < groups; group += gridDim.x) {
#pragma unroll 1
      for (int pass = 0; pass < PASSES; pass++) {
        const number* input = inputs(t, pass + warp / TEAM) + row * ROW + at;
#pragma unroll 1
        for (int tile = 0; tile < (count + 7) / 8; tile++) {
          float sum[2][4] = {};
          EACH(k, SLICE)
            if (C / PART % TEAM == 0 || k < parts)
              multiply_part(sum, weight[k][0], weight[k][1], *(const uint4*)(input + tile * (8 * ROW) + k * PART));
          float2* to = (float2*)(sums() + ((tile * WARPS + warp) * 16 + row) * 8 + 2 * quad);
          const float2 low = pass > 0 ? to[0] : make_float2(0, 0), high = pass > 0 ? to[32] : make_float2(0, 0);
          to[0] = make_float2(low.x + sum[0][0] + sum[1][0], low.y + sum[0][1] + sum[1][1]);
          to[32] = make_float2(high.x + sum[0][2] + sum[1][2], high.y + sum[0][3] + sum[1][3]);
        }
        // the next rows come while others are written
        const bool more = group + gridDim.x < groups;
        if (pass + 1 < PASSES)
          load_rows(group, pass + 1);
        else if (more || first + t.chunk < t.batch)
          load_rows(more ? group + gridDim.x : blockIdx.x, 0);
      }
      __syncthreads();
      for (int i = id; i < WIDTH * count; i += THREADS) {
        const int column = group * WIDTH + i % WIDTH, stream = i / WIDTH;
        float result[ROWS] = {};
        EACH(r, ROWS) EACH(w, WARPS)
          result[r] += sums()[((stream / 8 * WARPS + w) * 16 + r * WIDTH + i % WIDTH) * 8 + stream % 8];
        if (column < columns) output(first + stream, stream, column, result);
      }
      __syncthreads();
    }
  }
  leave(t);
}

// Scores, softmax and context of a slice of a stream's slots: a unit of a block
__device__ __forceinline__ void attend(const Token& t, int phase, const Layer& layer, int slices) {
  const int id = thread(), warp = id / 32, lane = id % 32;
  enter(t, phase);
#pragma unroll 1
  for (int unit = blockIdx.x; unit < t.batch * slices; unit += gridDim.x) {
    const int stream = unit / slices, slice = unit % slices;
    const int begin = (int)((u64)t.used * slice / slices), end = (int)((u64)t.used * (slice + 1) / slices);
    Wide query[LANES], sum[LANES] = {};
    float most = -1e30f, total = 0;
    for_parts(lane, [&](int k, int column) { query[k] = load(t.query + (u64)stream * C + column); });
    normalize(query, layer.query_norm, lane);
    number* buffer = (number*)shared_memory + warp * DEPTH * RUN * C;
    const number* memory = layer.memory + (u64)stream * t.slots * C;
    auto fetch_run = [&](int step) {
      const int slot = begin + (step * WARPS + warp) * RUN;
      EACH(r, RUN)
        if (slot + r < end)
          for_parts(lane, [&](int, int column) {
            fetch(buffer + (step % DEPTH * RUN + r) * C + column, memory + (u64)(slot + r) * C + column);
          });
      end_group();
    };
    for (int step = 0; step < DEPTH - 1; step++) fetch_run(step);
#pragma unroll 1
    for (int step = 0, slot = begin + warp * RUN; slot < end; step++, slot += WARPS * RUN) {
      fetch_run(step + DEPTH - 1);
      wait_for_groups<DEPTH - 1>();
      Wide value[RUN][LANES];
      float score[RUN], highest = most;
      EACH(r, RUN) {
        score[r] = 0;
        for_parts(lane, [&](int k, int column) {
          value[r][k] = load(buffer + (step % DEPTH * RUN + r) * C + column);
          for (int i = 0; i < WIDE; i++) score[r] += query[k].x[i] * value[r][k].x[i];
        });
        score[r] = warp_sum(score[r]);
        if (slot + r >= end)
          score[r] = -3e38f;
        else if (t.mask)
          score[r] += to_float(t.mask[(u64)stream * t.slots + slot + r]);
        highest = fmaxf(highest, score[r]);
      }
      const float scale = expf(most - highest);
      most = highest;
      total *= scale;
      for_parts(lane, [&](int k, int) {
        for (int i = 0; i < WIDE; i++) sum[k].x[i] *= scale;
      });
      EACH(r, RUN) {
        const float weight = expf(score[r] - most);
        total += weight;
        if (slot + r < end)
          for_parts(lane, [&](int k, int) {
            for (int i = 0; i < WIDE; i++) sum[k].x[i] += weight * value[r][k].x[i];
          });
      }
    }
    wait_for_groups<0>();
    __syncthreads(); // the warps' buffers make room for their results
    float2* found = (float2*)(sums() + WARPS * C);
    if (lane == 0) found[warp] = make_float2(most, total);
    for_parts(lane, [&](int k, int column) {
      for (int i = 0; i < WIDE; i++) sums()[warp * C + column + i] = sum[k].x[i];
    });
    __syncthreads();
    float scale[WARPS];
    most = found[0].x;
    total = 0;
#pragma unroll
    for (int w = 1; w < WARPS; w++) most = fmaxf(most, found[w].x);
    EACH(w, WARPS) {
      scale[w] = expf(found[w].x - most);
      total += scale[w] * found[w].y;
    }
    if (id == 0) t.slices[unit] = make_float2(most, total);
    for (int c = id; c < C; c += THREADS) {
      float x = 0;
      EACH(w, WARPS) x += scale[w] * sums()[w * C + c];
      t.context[(u64)unit * C + c] = x;
    }
    __syncthreads();
  }
  leave(t);
}

// Adds up the slices' contexts, and the residual
__device__ __forceinline__ void combine(const Token& t, int phase, const Layer& layer, int slices) {
  const int id = thread(), warp = id / 32, lane = id % 32;
  enter(t, phase);
#pragma unroll 1
  for (int unit = blockIdx.x; unit < t.batch * (C / 128); unit += gridDim.x) {
    const int stream = unit / (C / 128), column = unit % (C / 128) * 128;
    const float2* slice = t.slices + (u64)stream * slices;
    float most = -1e30f, total = 0;
    for (int i = lane; i < slices; i += 32) most = fmaxf(most, slice[i].x);
    most = warp_max(most);
    for (int i = lane; i < slices; i += 32) total += slice[i].y * expf(slice[i].x - most);
    total = warp_sum(total);
    float4 sum = make_float4(0, 0, 0, 0);
#pragma unroll 8
    for (int i = warp; i < slices; i += WARPS) {
      const float4 x = *(const float4*)(t.context + ((u64)stream * slices + i) * C + column + lane * 4);
      const float weight = expf(slice[i].x - most) / total;
      sum = make_float4(sum.x + weight * x.x, sum.y + weight * x.y, sum.z + weight * x.z, sum.w + weight * x.w);
    }
    shared_memory[id] = sum;
    __syncthreads();
    if (id < 128) {
      const int c = column + id;
      const u64 to = (u64)stream * C + c;
      float x = 0;
      EACH(w, WARPS) x += sums()[w * 128 + id];
      write(t.attended + to, x * to_float(layer.value_scale[c])
            + normed(t.lstm + (u64)stream * C, c, layer.mid, t.statistics[stream]));
      layer.hidden[to] = t.lstm[to];
    }
    __syncthreads();
  }
  leave(t);
}

template <int INPUTS>
__device__ __forceinline__ void lstm(const Token& t, int phase, const Layer& layer, bool embeds) {
  product<INPUTS, 4>(
      t, phase, INPUTS == 1 ? layer.recurrent : layer.input, layer.recurrent, C,
      [&](int s) {
        return INPUTS == 1 ? layer.hidden + (u64)s * C : embeds ? t.table + (u64)t.tokens[s] * C : t.boom + (u64)s * C;
      },
      INPUTS == 1 ? Norm{} : layer.start, layer.hidden,
      [&](int stream, int, int column, float* sum) {
        const u64 to = (u64)stream * C + column;
        const number* bias = INPUTS == 1 ? t.table + (u64)t.tokens[stream] * (4 * C) : layer.bias;
        EACH(gate, 4) sum[gate] += to_float(bias[gate * C + column]);
        const float cell = logistic(sum[1]) * to_float(layer.cell[to]) + logistic(sum[0]) * tanhf(sum[2]);
        write(layer.cell + to, cell);
        write(t.lstm + to, logistic(sum[3]) * tanhf(cell));
      });
}

extern "C" __global__ void __launch_bounds__(THREADS, 1) token_step(const __grid_constant__ Token t) {
  const int slices = max(gridDim.x / t.batch, 1);
  int phase = 0;
#pragma unroll 1
  for (int l = 0; l < LAYERS; l++) {
    const Layer& layer = t.layers[l];
    if (layer.input)
      lstm<2>(t, phase++, layer, l == 0);
    else
      lstm<1>(t, phase++, layer, false);
    const number* h = t.lstm;
    auto row_of_h = [&](int s) { return h + (u64)s * C; };
    if (layer.query) {
      product<1, 1>(t, phase++, layer.query, layer.query, C, row_of_h, layer.mid, nullptr,
                    [&](int stream, int s, int column, float* sum) {
                      const u64 to = (u64)stream * C, slot = (u64)stream * t.slots + t.position;
                      const float2 of = statistics(t)[s];
                      write(t.query + to + column, sum[0] + to_float(layer.query_bias[column]));
                      write(layer.memory + slot * C + column, normed(h + to, column, layer.mem, of));
                      if (column == 0) t.statistics[stream] = of;
                      if (column == 0 && t.mask) write(t.mask + slot, 0);
                    });
      attend(t, phase++, layer, slices);
      combine(t, phase++, layer, slices);
      h = t.attended;
    }
    product<1, CHUNKS>(t, phase++, layer.boom, layer.boom, C, row_of_h, layer.xff, nullptr,
                       [&](int stream, int s, int column, float* sum) {
                         const u64 to = (u64)stream * C;
                         float x = 0;
                         EACH(chunk, CHUNKS) { // SLOPE is part of the weights
                           const float u = sum[chunk] + to_float(layer.boom_bias[chunk * C + column]);
                           x += u * logistic(u);
                         }
                         write(t.boom + to + column, x / SLOPE + normed(h + to, column, layer.ff, statistics(t)[s]));
                         if (h == t.lstm) layer.hidden[to + column] = h[to + column];
                       });
  }
  product<1, 1>(t, phase, t.decoder, t.decoder, t.vocabulary, [&](int s) { return t.boom + (u64)s * C; }, Norm{}, nullptr,
                [&](int stream, int, int column, float* sum) {
                  t.logits[(u64)stream * t.vocabulary + column] = sum[0] + to_float(t.decoder_bias[column]);
                });
}
