package io.github.sharnn.tokenizers;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.huggingface.tokenizers.HuggingFaceTokenizer;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Base64;
import java.util.Collections;
import java.util.Map;
import java.util.Random;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Files that the native library gets, and files that it must not get. */
class SafeTokenizerTest {

  private static JsonObject json(String part, String value) throws IOException {
    JsonObject json =
        JsonParser.parseString(Tokenizers.named("BERT", "{\"type\":\"Lowercase\"}"))
            .getAsJsonObject();
    String[] names = part.split("/");
    JsonObject owner = names.length == 1 ? json : json.getAsJsonObject(names[0]);
    owner.add(names[names.length - 1], JsonParser.parseString(value));
    if (part.equals("model")) {
      json.remove("added_tokens");
    }
    return json;
  }

  private static SubwordVocabulary of(JsonObject json) throws IOException {
    return SubwordVocabulary.of(json.toString().getBytes(StandardCharsets.UTF_8));
  }

  private static String repeat(String step, int times) {
    return String.join(",", Collections.nCopies(times, step));
  }

  @ParameterizedTest
  @MethodSource("io.github.sharnn.tokenizers.Tokenizers#all")
  void common_tokenizers_have_the_tokens_of_the_native_library(String name, String json)
      throws Exception {
    SubwordVocabulary vocabulary = SubwordVocabulary.of(json.getBytes(StandardCharsets.UTF_8));
    Random random = new Random(8);
    try (HuggingFaceTokenizer whole =
        HuggingFaceTokenizer.newInstance(
            new ByteArrayInputStream(json.getBytes(StandardCharsets.UTF_8)),
            Map.of("truncation", "false"))) {
      for (int i = 0; i < 100; i++) {
        String text =
            "the  Old man <s> "
                + Texts.random(random)
                + " \ufb01re \u2026 \u0001e\u0301 x\u00e9y\u00e9";
        assertThat(vocabulary.encode(text))
            .as(name + ": " + text)
            .isEqualTo(
                LongStream.of(whole.encode(text, false, false).getIds())
                    .mapToInt(Math::toIntExact)
                    .toArray());
      }
    }
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "normalizer | {\"type\":\"Precompiled\",\"precompiled_charsmap\":\"AAAA\"} | must have from"
            + " 8",
        "normalizer | {\"type\":\"Precompiled\"} | has no precompiled_charsmap",
        "normalizer | {\"type\":\"Precompiled\",\"precompiled_charsmap\":\"*\"} | is not Base64",
        "normalizer | {\"type\":\"Replace\",\"pattern\":{\"Regex\":\"\"},\"content\":\"x\"} | at"
            + " least one",
        "normalizer | {\"type\":\"Replace\",\"pattern\":{\"String\":\"\"},\"content\":\"x\"} | from"
            + " 1 to 64",
        "normalizer |"
            + " {\"type\":\"Replace\",\"pattern\":{\"Regex\":\"a\",\"String\":\"b\"},\"content\":\"x\"}"
            + " | one String or one Regex",
        "normalizer | {\"type\":\"Replace\",\"pattern\":{\"Regex\":\"a\"},\"content\":\"$0$0\"} |"
            + " no $ in",
        "normalizer | {\"type\":\"Replace\",\"pattern\":{\"String\":\"a\"}} | has no content",
        "normalizer | {\"type\":\"Prepend\"} | no text to prepend",
        "normalizer | {\"type\":\"Prepend\",\"prepend\":7} | must be a text",
        "normalizer | {\"type\":\"Lowercase\",\"more\":1} | the field 'more', which is not known to"
            + " be",
        "normalizer | {\"type\":\"Uppercase\"} | only BertNormalizer, ByteLevel, Lowercase, NFC,",
        "normalizer |"
            + " {\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"Sequence\",\"normalizers\":[]}]}"
            + " | Sequence in a Sequence",
        "normalizer | [] | are of another kind",
        "pre_tokenizer | {\"type\":\"FixedLength\",\"length\":0} | type 'FixedLength', but only",
        "pre_tokenizer | {\"type\":\"FixedLength\",\"length\":5} | remove it, or use another"
            + " tokenizer",
        "pre_tokenizer |"
            + " {\"type\":\"Split\",\"pattern\":{\"Regex\":\"(a*)*b\"},\"behavior\":\"Removed\",\"invert\":false}"
            + " | the regular expression (a*)*b is not known to match in linear time",
        "pre_tokenizer | {\"type\":\"Split\",\"pattern\":{\"String\":\"a\"},\"behavior\":\"Odd\"} |"
            + " one of",
        "pre_tokenizer | {\"type\":\"Metaspace\",\"replacement\":\"ab\"} | must be one character",
        "pre_tokenizer | {\"type\":\"Digits\",\"individual_digits\":1} | must be true or false",
        "decoder | {\"type\":\"Strip\",\"content\":\" \",\"start\":0,\"stop\":1} | an integer from"
            + " 0 to 0",
        "decoder | {\"type\":\"CTC\"} | type 'CTC', but only BPEDecoder,",
        "post_processor | {\"type\":\"TemplateProcessing\",\"single\":[]} | has it 0 times",
        "post_processor | {\"type\":\"Odd\"} | only BertProcessing,",
        "model | {\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[\"a a\"]} | needs the token"
            + " 'aa'",
        "model | {\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[\"a\"]} | two tokens with a"
            + " space",
        "model | {\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[],"
            + "\"continuing_subword_prefix\":\"\u00e9\"} | must be ASCII",
        "model | {\"type\":\"BPE\",\"vocab\":{\"a\":0.5},\"merges\":[]} | must be an integer",
        "model | {\"type\":\"BPE\",\"vocab\":{\"\":0},\"merges\":[]} | no empty token",
        "model | {\"type\":\"BPE\",\"vocab\":{\"a\":0}} | merges must be a list",
        "model | {\"type\":\"Unigram\",\"vocab\":[[\"a\",1e300]]} | a score from -1e6 to 1e6",
        "model | {\"type\":\"Unigram\",\"vocab\":[[\"\",0]]} | from 1 to 512 bytes, but one has 0",
        "model | {\"type\":\"Unigram\",\"unk_id\":1,\"vocab\":[[\"a\",0]]} | an integer from 0 to"
            + " 0",
        "model | {\"type\":\"Magic\",\"vocab\":{\"a\":0}} | only BPE, Unigram, WordLevel,"
            + " WordPiece",
        "model/max_input_chars_per_word | 1000000 | an integer from 1 to 200",
        "version | \"2.0\" | version must be 1.0",
        "extra | 1 | its file has the field 'extra'",
        "added_tokens | [{\"id\":16777215,\"content\":\"zz\"}] | for so few tokens, but one is"
            + " 16777215",
        "added_tokens | [{\"id\":6,\"content\":\"\"}] | a text of its own",
        "added_tokens | [{\"id\":6,\"content\":\"\u0301\",\"normalized\":true}] | must not be"
            + " normalized",
        "added_tokens | [{\"id\":6,\"content\":\" \",\"lstrip\":true}] | set both to false",
        "added_tokens | [{\"id\":6,\"content\":\"zz\",\"lstrip\":1}] | are of another kind"
      })
  void refuses_what_the_native_library_might_not_survive(String part, String value, String message)
      throws Exception {
    JsonObject json = json(part, value);
    assertThatThrownBy(() -> of(json))
        .isInstanceOf(IOException.class)
        .hasMessageStartingWith("this is no tokenizer.json")
        .hasMessageContaining(message)
        .message()
        .hasLineCount(1);
  }

  @Test
  void refuses_components_that_multiply_the_text() throws Exception {
    String twice = "{\"type\":\"Replace\",\"pattern\":{\"String\":\"x\"},\"content\":\"xx\"}";
    String steps = "{\"type\":\"Sequence\",\"normalizers\":[%s]}";
    assertThat(of(json("normalizer", steps.replace("%s", repeat(twice, 6)))).encode("x x"))
        .hasSize(2);
    assertThatThrownBy(() -> of(json("normalizer", steps.replace("%s", repeat(twice, 7)))))
        .isInstanceOf(IOException.class)
        .hasMessageContaining("at most 64 times longer, but may make it 128 times longer");
    assertThatThrownBy(() -> of(json("normalizer", steps.replace("%s", repeat(twice, 30)))))
        .isInstanceOf(IOException.class)
        .hasMessageContaining("at most 16 entries");
    String decoders = "{\"type\":\"Sequence\",\"decoders\":[%s]}";
    assertThatThrownBy(() -> of(json("decoder", decoders.replace("%s", repeat(twice, 7)))))
        .isInstanceOf(IOException.class)
        .hasMessageContaining("at most 64 times longer");
    String ligature =
        "{\"type\":\"Replace\",\"pattern\":{\"String\":\"x\"},\"content\":\"\ufdfa\"}";
    assertThat(of(json("normalizer", steps.replace("%s", ligature + ",{\"type\":\"NFKC\"}"))))
        .isNotNull();
    assertThatThrownBy(
            () ->
                of(
                    json(
                        "normalizer",
                        steps.replace("%s", twice + "," + ligature + ",{\"type\":\"NFKC\"}"))))
        .isInstanceOf(IOException.class)
        .hasMessageContaining("66 times longer");
    String prepend = "{\"type\":\"Prepend\",\"prepend\":\"%s\"}".replace("%s", "y".repeat(64));
    JsonObject two = json("normalizer", steps.replace("%s", prepend + "," + prepend));
    assertThatThrownBy(() -> of(two)) // before and after each of its added tokens
        .isInstanceOf(IOException.class)
        .hasMessageContaining("at most 64 times longer");
    two.remove("added_tokens");
    assertThat(of(two)).isNotNull();
  }

  /** The last of two equal names counts for one parser, and the first for another. */
  @Test
  void refuses_names_that_occur_twice_and_text_that_is_not_unicode() throws Exception {
    String json = json("normalizer", "null").toString();
    for (String[] change :
        new String[][] {
          {"\"normalizer\":null", "\"normalizer\":null,\"normalizer\":{\"type\":\"NFC\"}", "twice"},
          {"\"normalizer\":null", "\"normalizer\":" + "[".repeat(99), "nested at most 16 deep"},
          {"\"normalizer\":null", "\"normalizer\":1e999999999", "is too large"},
          {"\"normalizer\":null", "\"normalizer\":" + "1".repeat(40), "at most 32 characters"},
          {"\"normalizer\":null", "\"normalizer\":\"\\ud800\"", "half a surrogate pair"},
          {"\"normalizer\":null", "\"normalizer\":NaN", "it is not JSON, or not all of it"},
          {"\"normalizer\":null", "'normalizer':null", "it is not JSON, or not all of it"}
        }) {
      byte[] changed = json.replace(change[0], change[1]).getBytes(StandardCharsets.UTF_8);
      assertThatThrownBy(() -> SubwordVocabulary.of(changed))
          .as(change[1])
          .isInstanceOf(IOException.class)
          .hasMessageStartingWith("this is no tokenizer.json: ")
          .hasMessageContaining(change[2]);
    }
    byte[] broken = json.getBytes(StandardCharsets.UTF_8);
    broken[json.indexOf("head")] = (byte) 0xFF;
    assertThatThrownBy(() -> SubwordVocabulary.of(broken)).hasMessageContaining("is not UTF-8");
    assertThatThrownBy(() -> SubwordVocabulary.of((json + "{}").getBytes(StandardCharsets.UTF_8)))
        .isInstanceOf(IOException.class);
  }

  @Test
  void an_added_token_that_a_normalizer_removes_is_refused() throws Exception {
    for (String content : new String[] {"", " "}) {
      JsonObject json =
          json(
              "normalizer",
              "{\"type\":\"Replace\",\"pattern\":{\"String\":\"z\"},\"content\":\"%s\"}"
                  .replace("%s", content));
      json.add(
          "added_tokens",
          JsonParser.parseString("[{\"id\":6,\"content\":\"z\",\"normalized\":true}]"));
      assertThatThrownBy(() -> of(json)).hasMessageContaining("set its normalized to false");
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+",
        "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}"
            + "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
        "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\\r"
            + "\\n"
            + "\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\\r"
            + "\\n"
            + "]*|\\s*[\\r"
            + "\\n"
            + "]+|\\s+(?!\\S)|\\s+",
        "[0-9][0-9][0-9]",
        " {2,}",
        "\\s",
        "[\u4e00-\u9fa5\u0800-\u4e00]+"
      })
  void published_patterns_are_safe(String regex) {
    assertThat(SafePattern.isSafe(regex)).isTrue();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "a*",
        "a?",
        "a|",
        "|a",
        "a{0}",
        "a{0,3}",
        "a{1,99}",
        "a{3,2}",
        "a+b",
        "a*b",
        "a+?",
        "a++",
        "(a)",
        "(a|b)+",
        "(?i:a*)",
        "(?i:a",
        "(?=a)",
        "(?<!a)b",
        "a{2}{2}",
        "\\1",
        "\\b",
        "^",
        "a$",
        "[",
        "[]",
        "[a",
        "[a&&b]",
        "[[:alpha:]]",
        "[a[b]]",
        "*",
        "\\s*[\\r\\n]+",
        "\\s+(?!\\S)",
        "a?b?c?d?e?f?g?h",
        "\\Qa\\E",
        "\\p{",
        "a+a+"
      })
  void other_patterns_are_not(String regex) {
    assertThat(SafePattern.isSafe(regex)).isFalse();
  }

  /** A charsmap with any one unit or byte changed is rejected, or does no harm. */
  @Test
  @Timeout(60)
  void a_damaged_charsmap_never_ends_the_process() throws Exception {
    byte[] map = Base64.getDecoder().decode(Tokenizers.CHARSMAP);
    Random random = new Random(4);
    int rejected = 0;
    for (int i = 0; i < 2000; i++) {
      byte[] damaged =
          random.nextInt(8) == 0 ? Arrays.copyOf(map, random.nextInt(map.length)) : map.clone();
      for (int n = random.nextInt(4); n >= 0 && damaged.length > 0; n--) {
        damaged[random.nextInt(damaged.length)] ^= (byte) (1 << random.nextInt(8));
      }
      try {
        SubwordVocabulary vocabulary =
            of(
                json(
                    "normalizer",
                    "{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"%s\"}"
                        .replace("%s", Base64.getEncoder().encodeToString(damaged))));
        vocabulary.encode(
            "\u0001 the Old \ufb01re\u2026 e\u0301\u0000\u00e9" + Texts.random(random));
      } catch (IOException e) {
        rejected++;
      }
    }
    assertThat(rejected).isBetween(300, 1990);
  }
}
