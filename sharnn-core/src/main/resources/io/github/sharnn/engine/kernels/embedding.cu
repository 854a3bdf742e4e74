// The gradient of an embedding, in an order that is the same in each run. Constant: C (a multiple of 8).

#define WARPS 4

// tokens [count], gradient [count][C] -> out [slices][vocabulary][C], one block of 32 * WARPS threads
// for each slice of the tokens and each word of the vocabulary
extern "C" __global__ void embedding_backward(const int* tokens, const uint4* gradient, float* out, int count,
                                              int vocabulary) {
  const int word = blockIdx.x % vocabulary, slice = blockIdx.x / vocabulary, slices = gridDim.x / vocabulary;
  const int from = (int)((u64)count * slice / slices), to = (int)((u64)count * (slice + 1) / slices);
  __shared__ u32 hits[2][WARPS];
  Eight sum = {};
  for (int first = from, turn = 0; first < to; first += 32 * WARPS, turn ^= 1) {
    const int at = first + threadIdx.x;
    const u32 votes = __ballot_sync(0xffffffff, at < to && tokens[at] == word);
    if (threadIdx.x % 32 == 0) hits[turn][threadIdx.x / 32] = votes;
    __syncthreads();
    for (int w = 0; w < WARPS; w++)
      for (u32 left = hits[turn][w]; left != 0; left &= left - 1)
        if (threadIdx.x < C / 8) {
          Eight row = unpack(gradient[(u64)(first + w * 32 + __ffs(left) - 1) * (C / 8) + threadIdx.x]);
          EACH(i, 8) sum.x[i] += row.x[i];
        }
  }
  if (threadIdx.x < C / 8)
    EACH(i, 8) out[(u64)blockIdx.x * C + threadIdx.x * 8 + i] = sum.x[i];
}
