package io.github.sharnn.tokenizers;

import static com.google.common.base.Preconditions.checkArgument;
import static java.util.Comparator.comparingLong;

import com.google.common.primitives.ImmutableIntArray;
import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.github.sharnn.vocabulary.TextVocabulary;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.PriorityQueue;
import java.util.Set;

/**
 * A trainer of byte-level byte-pair encoding (BPE), as in GPT-2. The vocabulary starts with the 256
 * bytes: token n below 256 is the byte n. Training repeatedly turns the most frequent pair of
 * neighbouring tokens within words into a new token. If two pairs are equally frequent, the pair
 * with the lower token numbers wins.
 *
 * <p>A pair is not merged if it occurs only once or if its text already is a token. Words longer
 * than 64 characters are cut into parts of 64, and no pair crosses a cut.
 *
 * <pre>{@code
 * SubwordVocabulary pieces = BytePairTrainer.train(corpus.train().open(), 8192);
 * }</pre>
 */
public final class BytePairTrainer {

  private static final int LEAST_COUNT = 2;
  private static final int LONGEST_WORD = 64; // characters
  private static final String TEMPLATE =
      """
      {"version": "1.0", "truncation": null, "padding": null, "added_tokens": [],
       "normalizer": null,
       "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false,
                         "use_regex": true},
       "post_processor": null,
       "decoder": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false,
                   "use_regex": true},
       "model": {"type": "BPE", "dropout": null, "unk_token": null,
                 "continuing_subword_prefix": null, "end_of_word_suffix": null,
                 "fuse_unk": false, "byte_fallback": false, "ignore_merges": false}}
      """;

  private final List<String> tokens = new ArrayList<>();
  private final JsonObject vocabulary = new JsonObject();
  private final JsonArray merges = new JsonArray();
  private final List<int[]> words = new ArrayList<>();
  private final List<Long> counts = new ArrayList<>();
  private final Map<Long, Pair> pairs = new HashMap<>();
  private final PriorityQueue<Candidate> queue =
      new PriorityQueue<>(
          comparingLong(Candidate::count).reversed().thenComparingLong(Candidate::pair));

  private BytePairTrainer() {
    for (int value = 0; value < ByteLevel.BYTES; value++) {
      add(String.valueOf(ByteLevel.character(value)));
    }
  }

  /** The count of a pair of neighbouring tokens, and the words that have or had the pair. */
  private static final class Pair {
    private final ImmutableIntArray.Builder places = ImmutableIntArray.builder(4);
    private long count;
    private int last = -1;

    void add(int word) {
      if (word != last) {
        places.add(word);
        last = word;
      }
    }
  }

  /** A pair to merge. Its count may be outdated. */
  private record Candidate(long count, long pair) {}

  /**
   * Trains a vocabulary.
   *
   * @param text the text to train on, which should be only the training part of a corpus; it is
   *     read to the end and closed, and bytes that are not UTF-8 are ignored
   * @param size the number of tokens, at least 256; the result has fewer if the text has too few
   *     pairs
   * @return the vocabulary, whose content is a {@code tokenizer.json}
   * @throws IOException if the text can't be read
   * @throws IllegalArgumentException if the size is below 256 or the text has no characters
   */
  public static SubwordVocabulary train(InputStream text, int size) throws IOException {
    checkArgument(
        size >= ByteLevel.BYTES,
        "a byte-level vocabulary has all 256 bytes, so its size must be at least 256, but is %s",
        size);
    return SubwordVocabulary.of(trained(text, size).json().getBytes(StandardCharsets.UTF_8));
  }

  /** Returns the distinct words of a text, each as its tokens after the last merge. */
  static List<int[]> segment(InputStream text, int size) throws IOException {
    return trained(text, size).words;
  }

  private static BytePairTrainer trained(InputStream text, int size) throws IOException {
    BytePairTrainer trainer = new BytePairTrainer();
    trainer.count(text);
    checkArgument(!trainer.words.isEmpty(), "the text to take pairs from has no characters");
    trainer.merge(size);
    return trainer;
  }

  private boolean add(String token) {
    if (vocabulary.has(token)) {
      return false;
    }
    vocabulary.addProperty(token, tokens.size());
    return tokens.add(token);
  }

  /** Counts the words. Merges depend only on these counts. */
  private void count(InputStream text) throws IOException {
    Map<String, long[]> found = new HashMap<>();
    TextPieces pieces =
        new TextPieces(
            true, piece -> ByteLevel.cut(piece, word -> count(word, found)), other -> {});
    try (text) {
      byte[] buffer = new byte[1 << 16];
      for (int n = text.read(buffer); n >= 0; n = text.read(buffer)) {
        pieces.write(buffer, 0, n);
      }
    }
    pieces.flush();
    found.forEach(
        (word, count) -> {
          words.add(TextVocabulary.bytes().encode(word));
          counts.add(count[0]);
        });
  }

  /** Counts the parts of a word. A merge rewrites each part with its pair, so parts are short. */
  private static void count(String word, Map<String, long[]> found) {
    for (int from = 0; from < word.length(); ) {
      int to = Math.min(from + LONGEST_WORD, word.length());
      if (to < word.length() && Character.isLowSurrogate(word.charAt(to))) {
        to--;
      }
      found.computeIfAbsent(word.substring(from, to), none -> new long[1])[0]++;
      from = to;
    }
  }

  private void merge(int size) {
    for (int word = 0; word < words.size(); word++) {
      int[] symbols = words.get(word);
      for (int i = 1; i < symbols.length; i++) {
        Pair pair = pairs.computeIfAbsent(key(symbols[i - 1], symbols[i]), none -> new Pair());
        pair.count += counts.get(word);
        pair.add(word);
      }
    }
    pairs.forEach((key, pair) -> queue.add(new Candidate(pair.count, key)));
    while (tokens.size() < size && !queue.isEmpty()) {
      Candidate best = queue.remove();
      Pair pair = pairs.get(best.pair);
      if (pair == null || pair.count < LEAST_COUNT) {
        continue;
      }
      if (pair.count < best.count) {
        queue.add(new Candidate(pair.count, best.pair));
      } else if (pair.count == best.count) { // else the queue also has the pair with its new count
        merge(best.pair, pair);
      }
    }
  }

  private static long key(int left, int right) {
    return (long) left << Integer.SIZE | right;
  }

  private void merge(long key, Pair pair) {
    int left = (int) (key >>> Integer.SIZE);
    int right = (int) key;
    if (!add(tokens.get(left) + tokens.get(right))) {
      return; // the token exists already; a second merge of it would change its rank
    }
    int merged = tokens.size() - 1;
    merges.add(tokens.get(left) + " " + tokens.get(right));
    Set<Long> grown = new HashSet<>();
    pair.places.build().forEach(word -> replace(word, left, right, merged, grown));
    pairs.remove(key);
    for (long each : grown) {
      queue.add(new Candidate(pairs.get(each).count, each));
    }
  }

  private void replace(int word, int left, int right, int merged, Set<Long> grown) {
    int[] before = words.get(word);
    int[] after = new int[before.length];
    int length = 0;
    for (int i = 0; i < before.length; i++) {
      if (before[i] == left && i + 1 < before.length && before[i + 1] == right) {
        after[length++] = merged;
        i++;
      } else {
        after[length++] = before[i];
      }
    }
    if (length == before.length) {
      return; // an earlier merge has used up the pair
    }
    after = Arrays.copyOf(after, length);
    words.set(word, after);
    long count = counts.get(word);
    for (int i = 1; i < before.length; i++) {
      pairs.get(key(before[i - 1], before[i])).count -= count;
    }
    for (int i = 1; i < length; i++) {
      long key = key(after[i - 1], after[i]);
      Pair pair = pairs.computeIfAbsent(key, none -> new Pair());
      pair.count += count;
      if (after[i - 1] == merged || after[i] == merged) {
        pair.add(word);
        grown.add(key);
      }
    }
  }

  private String json() {
    JsonObject json = JsonParser.parseString(TEMPLATE).getAsJsonObject();
    json.getAsJsonObject("model").add("vocab", vocabulary);
    json.getAsJsonObject("model").add("merges", merges);
    return json.toString();
  }
}
