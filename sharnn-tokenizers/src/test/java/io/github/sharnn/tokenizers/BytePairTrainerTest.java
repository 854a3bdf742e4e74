package io.github.sharnn.tokenizers;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonParser;
import java.io.ByteArrayInputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

class BytePairTrainerTest {

  private static final int SIZE = 310;

  private static ByteArrayInputStream english() {
    return new ByteArrayInputStream(Texts.english());
  }

  /** Counts all pairs again before each merge. Tokens are lists of bytes as characters. */
  private static List<String> naiveMerges(int size) {
    Map<String, Integer> counts = new TreeMap<>();
    ByteLevel.cut(
        new String(Texts.english(), StandardCharsets.UTF_8), w -> counts.merge(w, 1, Integer::sum));
    Map<List<Integer>, Integer> words = new HashMap<>();
    counts.forEach(
        (word, count) -> {
          List<Integer> bytes = new ArrayList<>();
          for (byte each : word.getBytes(StandardCharsets.UTF_8)) {
            bytes.add(Byte.toUnsignedInt(each));
          }
          words.put(bytes, count);
        });
    List<String> tokens =
        new ArrayList<>(
            IntStream.range(0, 256).mapToObj(i -> "" + ByteLevel.character(i)).toList());
    List<String> merges = new ArrayList<>();
    Set<List<Integer>> refused = new HashSet<>();
    while (tokens.size() < size) {
      Map<List<Integer>, Integer> pairs = new HashMap<>();
      words.forEach(
          (word, count) -> {
            for (int i = 1; i < word.size(); i++) {
              pairs.merge(List.of(word.get(i - 1), word.get(i)), count, Integer::sum);
            }
          });
      List<Integer> best = null;
      for (List<Integer> pair : pairs.keySet()) {
        if (!refused.contains(pair)
            && pairs.get(pair) >= 2
            && (best == null
                || pairs.get(pair) > pairs.get(best)
                || (pairs.get(pair).equals(pairs.get(best))
                    && (pair.get(0) < best.get(0)
                        || (pair.get(0).equals(best.get(0)) && pair.get(1) < best.get(1)))))) {
          best = pair;
        }
      }
      String text = tokens.get(best.get(0)) + tokens.get(best.get(1));
      if (tokens.contains(text)) {
        refused.add(best);
        continue;
      }
      merges.add(tokens.get(best.get(0)) + " " + tokens.get(best.get(1)));
      Map<List<Integer>, Integer> after = new HashMap<>();
      for (Map.Entry<List<Integer>, Integer> entry : words.entrySet()) {
        List<Integer> word = new ArrayList<>();
        for (Integer token : entry.getKey()) {
          word.add(token);
        }
        for (int i = 0; i + 1 < word.size(); i++) {
          if (word.get(i).equals(best.get(0)) && word.get(i + 1).equals(best.get(1))) {
            word.set(i, tokens.size());
            word.remove(i + 1);
          }
        }
        after.merge(word, entry.getValue(), Integer::sum);
      }
      tokens.add(text);
      words.clear();
      words.putAll(after);
    }
    return merges;
  }

  private static List<String> merges(SubwordVocabulary vocabulary) {
    String json = new String(vocabulary.content(), StandardCharsets.UTF_8);
    JsonArray merges =
        JsonParser.parseString(json)
            .getAsJsonObject()
            .getAsJsonObject("model")
            .getAsJsonArray("merges");
    return merges.asList().stream().map(JsonElement::getAsString).toList();
  }

  @Test
  void merges_what_counting_anew_before_each_merge_gives() throws Exception {
    assertThat(merges(BytePairTrainer.train(english(), SIZE))).isEqualTo(naiveMerges(SIZE));
  }

  @Test
  void the_tokenizer_cuts_the_training_text_as_training_did() throws Exception {
    SubwordVocabulary vocabulary = BytePairTrainer.train(english(), SIZE);
    List<int[]> words = BytePairTrainer.segment(english(), SIZE);
    assertThat(words).hasSizeGreaterThan(20);
    for (int[] word : words) {
      assertThat(vocabulary.encode(vocabulary.decode(word))).isEqualTo(word);
    }
    // and the words themselves are those of the whole text
    List<Integer> all = new ArrayList<>();
    Map<String, int[]> byText = new HashMap<>();
    for (int[] word : words) {
      byText.put(new String(vocabulary.decode(word), StandardCharsets.UTF_8), word);
    }
    ByteLevel.cut(
        new String(Texts.english(), StandardCharsets.UTF_8),
        word -> IntStream.of(byText.get(word)).forEach(all::add));
    assertThat(vocabulary.encode(Texts.english()))
        .isEqualTo(all.stream().mapToInt(i -> i).toArray());
  }

  @Test
  void the_first_tokens_are_the_bytes() throws Exception {
    SubwordVocabulary vocabulary = Texts.pieces(SIZE);
    assertThat(vocabulary.size()).isEqualTo(SIZE);
    assertThat(vocabulary.lossless()).isTrue();
    byte[] all = new byte[256];
    for (int i = 0; i < 256; i++) {
      all[i] = (byte) i;
      assertThat(vocabulary.decode(i)).containsExactly((byte) i);
    }
    SubwordVocabulary bytes = Texts.pieces(256);
    assertThat(bytes.encode(all)).isEqualTo(IntStream.range(0, 256).toArray());
  }

  @Test
  void ends_where_no_pair_is_left() throws Exception {
    byte[] text = "abab abab cd".getBytes(StandardCharsets.US_ASCII);
    SubwordVocabulary vocabulary = BytePairTrainer.train(new ByteArrayInputStream(text), 1000);
    // (a,b) 4 times, (ab,ab) twice; what has a space or c, d in it once
    assertThat(merges(vocabulary)).containsExactly("a b", "ab ab");
    assertThat(vocabulary.encode(text)).containsExactly(257, ' ', 257, ' ', 'c', 'd');
  }

  /** Without a limit, every merge would rewrite the whole word, for minutes. */
  @Test
  @Timeout(60)
  void trains_on_a_text_without_white_space() throws Exception {
    Random random = new Random(5);
    byte[] text = new byte[300_000];
    for (int i = 0; i < text.length; i++) {
      text[i] = (byte) "ACGT".charAt(random.nextInt(4));
    }
    SubwordVocabulary vocabulary = BytePairTrainer.train(new ByteArrayInputStream(text), 1000);
    assertThat(vocabulary.size()).isEqualTo(1000);
    assertThat(vocabulary.encode(text).length).isLessThan(text.length / 3);
  }

  @Test
  void takes_a_long_word_in_parts_of_whole_characters() throws Exception {
    byte[] text = ("!" + "\ud83d\ude42".repeat(100)).getBytes(StandardCharsets.UTF_8);
    SubwordVocabulary vocabulary = BytePairTrainer.train(new ByteArrayInputStream(text), 300);
    assertThat(merges(vocabulary)).isNotEmpty().noneMatch(merge -> merge.contains("?"));
    assertThat(vocabulary.decode(vocabulary.encode(text))).isEqualTo(text);
  }

  @Test
  void does_not_cut_over_bytes_that_are_not_utf8() throws Exception {
    byte[] text = new byte[40];
    Arrays.fill(text, (byte) 0xC3);
    text[0] = 'a';
    text[1] = 'a';
    text[2] = 'a';
    SubwordVocabulary vocabulary = BytePairTrainer.train(new ByteArrayInputStream(text), 300);
    assertThat(merges(vocabulary)).containsExactly("a a");
  }

  @Test
  void refuses_too_small_a_size_and_a_text_without_characters() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> BytePairTrainer.train(english(), 255))
        .withMessageContaining("its size must be at least 256, but is 255");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> BytePairTrainer.train(new ByteArrayInputStream(new byte[0]), 300))
        .withMessageContaining("has no characters");
  }
}
