package io.github.sharnn.tokenizers;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Optional;
import java.util.stream.IntStream;

/**
 * An encoder of byte-level byte-pair encoding as {@link BytePairTrainer} writes it. It gives the
 * tokens of the native library. Its time is n log n in the length of a word, and linear in the
 * number of words.
 */
final class BytePairEncoder {

  private static final long NONE = -1;
  private static final int LAST = -1;

  private final int[] byteTokens;
  private final long[] pairs; // open addressing: the two tokens of a merge, or NONE
  private final long[] merges; // the rank and the token of the merge

  private BytePairEncoder(int[] byteTokens, int count) {
    this.byteTokens = byteTokens;
    int slots = Integer.highestOneBit(Math.max(count, 1)) << 2;
    pairs = new long[slots];
    merges = new long[slots];
    Arrays.fill(pairs, NONE);
  }

  /**
   * Returns the encoder of a checked tokenizer, or empty if it needs the native library: it has
   * added tokens, another pre-tokenizer, or a token that two merges make.
   */
  static Optional<BytePairEncoder> of(JsonObject file, TokenizerJson json) throws IOException {
    JsonElement cuts = file.get("pre_tokenizer");
    JsonObject model = file.getAsJsonObject("model");
    if (json.byteTokens() == null
        || !json.added().isEmpty()
        || cuts.getAsJsonObject().has("pretokenizers")
        || isSet(model, "ignore_merges", false)
        || !isSet(cuts.getAsJsonObject(), "use_regex", true)) {
      return Optional.empty();
    }
    int count = model.getAsJsonArray("merges").size();
    BytePairEncoder encoder = new BytePairEncoder(json.byteTokens(), count);
    boolean[] made = new boolean[json.tokens().length];
    int rank = 0;
    for (JsonElement merge : model.getAsJsonArray("merges")) {
      String[] pair = SafeTokenizer.pair(merge);
      int token = json.indices().get(pair[0] + pair[1]);
      if (made[token]) {
        return Optional.empty();
      }
      made[token] = true;
      encoder.put(
          key(json.indices().get(pair[0]), json.indices().get(pair[1])),
          (long) rank++ << Integer.SIZE | token);
    }
    return Optional.of(encoder);
  }

  private static boolean isSet(JsonObject owner, String flag, boolean byDefault) {
    return owner.has(flag) ? owner.get(flag).getAsBoolean() : byDefault;
  }

  private static long key(int left, int right) {
    return (long) left << Integer.SIZE | right;
  }

  private int slot(long key) {
    int at = (int) (key * 0x9E3779B97F4A7C15L >>> 33) & (pairs.length - 1);
    while (pairs[at] != NONE && pairs[at] != key) {
      at = (at + 1) & (pairs.length - 1);
    }
    return at;
  }

  private void put(long key, long merge) {
    int at = slot(key);
    pairs[at] = key;
    merges[at] = merge;
  }

  /** Returns the tokens of a text. */
  int[] encode(String text) {
    IntStream.Builder tokens = IntStream.builder();
    ByteLevel.cut(
        text, word -> new Word(word.getBytes(StandardCharsets.UTF_8)).merge().forEach(tokens));
    return tokens.build().toArray();
  }

  /**
   * The tokens of a word as a linked list, and a heap of the possible merges. An entry of the heap
   * is a rank and the position of the left token. The lowest rank is merged first, and of equal
   * ranks the leftmost.
   */
  private final class Word {
    private final int[] tokens;
    private final int[] next;
    private final int[] previous;
    private long[] heap;
    private int size;

    Word(byte[] bytes) {
      int length = bytes.length;
      tokens = new int[length];
      next = new int[length];
      previous = new int[length];
      heap = new long[length + 1];
      for (int i = 0; i < length; i++) {
        tokens[i] = byteTokens[Byte.toUnsignedInt(bytes[i])];
        next[i] = i + 1 < length ? i + 1 : LAST;
        previous[i] = i - 1;
      }
      for (int i = 0; i + 1 < length; i++) {
        offer(i);
      }
    }

    private long mergeAt(int position) {
      int at = slot(key(tokens[position], tokens[next[position]]));
      return pairs[at] == NONE ? NONE : merges[at];
    }

    IntStream merge() {
      while (size > 0) {
        long entry = remove();
        int left = (int) entry;
        if (tokens[left] < 0 || next[left] == LAST) {
          continue; // merged into another token
        }
        long merge = mergeAt(left);
        if (merge == NONE || merge >>> Integer.SIZE != entry >>> Integer.SIZE) {
          continue; // another merge has changed the pair
        }
        int right = next[left];
        tokens[left] = (int) merge;
        tokens[right] = LAST;
        next[left] = next[right];
        if (next[left] != LAST) {
          previous[next[left]] = left;
          offer(left);
        }
        if (previous[left] != LAST) {
          offer(previous[left]);
        }
      }
      return IntStream.of(tokens).filter(token -> token >= 0);
    }

    private void offer(int position) {
      long merge = mergeAt(position);
      if (merge == NONE) {
        return;
      }
      if (size == heap.length) {
        heap = Arrays.copyOf(heap, 2 * size);
      }
      long entry = merge >>> Integer.SIZE << Integer.SIZE | position;
      int at = size++;
      while (at > 0 && heap[(at - 1) / 2] > entry) {
        heap[at] = heap[(at - 1) / 2];
        at = (at - 1) / 2;
      }
      heap[at] = entry;
    }

    private long remove() {
      long least = heap[0];
      long last = heap[--size];
      int at = 0;
      for (int child = 1; child < size; child = 2 * at + 1) {
        if (child + 1 < size && heap[child + 1] < heap[child]) {
          child++;
        }
        if (heap[child] >= last) {
          break;
        }
        heap[at] = heap[child];
        at = child;
      }
      heap[at] = last;
      return least;
    }
  }
}
