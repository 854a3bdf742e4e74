package io.github.sharnn.tokenizers;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.huggingface.tokenizers.HuggingFaceTokenizer;
import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.function.Consumer;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The encoder in Java, compared with the native library. */
class BytePairEncoderTest {

  private static final int STRINGS = Integer.getInteger("sharnn.strings", 500);

  private static JsonObject file(SubwordVocabulary vocabulary) {
    return JsonParser.parseString(new String(vocabulary.content(), StandardCharsets.UTF_8))
        .getAsJsonObject();
  }

  private static Optional<BytePairEncoder> encoder(JsonObject json) throws IOException {
    JsonObject file = StrictJson.parse(json.toString().getBytes(StandardCharsets.UTF_8));
    return BytePairEncoder.of(SafeTokenizer.copy(file), TokenizerJson.read(file));
  }

  private static HuggingFaceTokenizer reference(SubwordVocabulary vocabulary) throws IOException {
    return HuggingFaceTokenizer.newInstance(
        new ByteArrayInputStream(vocabulary.content()), Map.of("truncation", "false"));
  }

  private static int[] expected(HuggingFaceTokenizer tokenizer, String text) {
    return LongStream.of(tokenizer.encode(text, false, false).getIds())
        .mapToInt(Math::toIntExact)
        .toArray();
  }

  private static byte[] random(int length, String alphabet) {
    Random random = new Random(3);
    byte[] text = new byte[length];
    for (int i = 0; i < length; i++) {
      text[i] = (byte) alphabet.charAt(random.nextInt(alphabet.length()));
    }
    return text;
  }

  @ParameterizedTest
  @ValueSource(ints = {256, 300, 400})
  void random_text_has_the_tokens_of_the_native_library(int size) throws Exception {
    SubwordVocabulary vocabulary = Texts.pieces(size);
    BytePairEncoder encoder = encoder(file(vocabulary)).orElseThrow();
    try (HuggingFaceTokenizer reference = reference(vocabulary)) {
      Random random = new Random(size);
      for (int i = 0; i < STRINGS; i++) {
        String text = "the  " + Texts.random(random) + " heads' they've" + Texts.random(random);
        assertThat(encoder.encode(text)).as(text).isEqualTo(expected(reference, text));
      }
    }
  }

  /** Each range of letters, numbers or white space begins and ends where the native one does. */
  @Test
  void letters_numbers_and_white_space_are_those_of_the_native_library() throws Exception {
    SubwordVocabulary bytes = Texts.pieces(256);
    StringBuilder text = new StringBuilder();
    try (HuggingFaceTokenizer reference = reference(bytes)) {
      int before = -1;
      for (int c = 0; c <= Character.MAX_CODE_POINT; c++) {
        int kind = kind(c);
        for (int each = kind == before ? c : Math.max(0, c - 1); each <= c; each++) {
          if ((kind != before || c % 499 == 0) && !(each >= 0xD800 && each < 0xE000)) {
            String character = Character.toString(each);
            text.append('a').append(character).append("\n1").append(character);
            text.append("\n!").append(character).append('\n');
          }
        }
        before = kind;
      }
      int word = 0;
      IntStream.Builder expected = IntStream.builder();
      for (String piece : cut(text.toString())) {
        int index = word++;
        for (int i = 0; i < piece.getBytes(StandardCharsets.UTF_8).length; i++) {
          expected.add(index);
        }
      }
      long[] actual = reference.encode(text.toString(), false, false).getWordIds();
      assertThat(LongStream.of(actual).mapToInt(Math::toIntExact).toArray())
          .isEqualTo(expected.build().toArray());
      assertThat(word).isGreaterThan(20_000);
    }
  }

  private static int kind(int c) {
    String character = Character.toString(c);
    return 4 * cut("a" + character).size()
        + 2 * cut("1" + character).size()
        + cut("!" + character).size();
  }

  private static List<String> cut(String text) {
    List<String> pieces = new ArrayList<>();
    ByteLevel.cut(text, pieces::add);
    return pieces;
  }

  @Test
  void long_words_of_few_letters_have_the_tokens_of_the_native_library() throws Exception {
    byte[] text = random(60_000, "ab");
    SubwordVocabulary vocabulary = BytePairTrainer.train(new ByteArrayInputStream(text), 600);
    assertThat(vocabulary.size()).isEqualTo(600);
    try (HuggingFaceTokenizer reference = reference(vocabulary)) {
      for (String word :
          new String[] {new String(text, StandardCharsets.UTF_8), "a".repeat(9999), "b"}) {
        assertThat(vocabulary.encode(word)).isEqualTo(expected(reference, word));
      }
    }
  }

  /** a word of 1 MB would take minutes if each merge searched all of it. */
  @Test
  @Timeout(20)
  void a_word_of_a_megabyte_takes_no_minutes() throws Exception {
    byte[] text = random(1_000_000, "ACGT");
    SubwordVocabulary vocabulary =
        BytePairTrainer.train(new ByteArrayInputStream(text, 0, 100_000), 400);
    BytePairEncoder encoder = encoder(file(vocabulary)).orElseThrow();
    int[] tokens = encoder.encode(new String(text, StandardCharsets.US_ASCII));
    assertThat(vocabulary.decode(tokens)).isEqualTo(text);
    assertThat(tokens.length).isLessThan(text.length / 2);
  }

  @Test
  void other_tokenizers_need_the_native_library() throws Exception {
    Consumer<JsonObject> addedToken =
        json ->
            json.add(
                "added_tokens",
                JsonParser.parseString("[{\"id\":300,\"content\":\"<s>\",\"normalized\":false}]"));
    assertNative(addedToken);
    assertNative(json -> json.getAsJsonObject("model").addProperty("ignore_merges", true));
    assertNative(json -> json.getAsJsonObject("pre_tokenizer").addProperty("use_regex", false));
    assertNative(
        json -> json.getAsJsonObject("pre_tokenizer").addProperty("add_prefix_space", true));
    assertNative(json -> json.add("normalizer", JsonParser.parseString("{\"type\":\"NFC\"}")));
    assertNative(json -> json.add("decoder", null));
    assertNative(
        json -> {
          JsonObject sequence = new JsonObject();
          sequence.addProperty("type", "Sequence");
          JsonArray steps = new JsonArray();
          steps.add(json.get("pre_tokenizer"));
          sequence.add("pretokenizers", steps);
          json.add("pre_tokenizer", sequence);
        });
    assertNative( // two merges make one token
        json -> {
          JsonObject model = json.getAsJsonObject("model");
          for (String token : new String[] {"xy", "yz", "xyz"}) {
            model.getAsJsonObject("vocab").addProperty(token, 300 + "xy,yz,xyz".indexOf(token) / 3);
          }
          for (String merge : new String[] {"x y", "y z", "xy z", "x yz"}) {
            model.getAsJsonArray("merges").add(merge);
          }
        });
    assertThat(encoder(file(Texts.pieces(300)))).isPresent();
  }

  private static void assertNative(Consumer<JsonObject> change) throws IOException {
    JsonObject json = file(Texts.pieces(300));
    change.accept(json);
    assertThat(encoder(json)).as(json.toString()).isEmpty();
  }
}
