package io.github.sharnn.tokenizers;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.huggingface.tokenizers.HuggingFaceTokenizer;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.github.sharnn.vocabulary.TokenEncoder;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Locale;
import java.util.Map;
import java.util.Random;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Files of others, compared with Hugging Face's own library. */
class TokenizerFilesTest {

  /** A tokenizer as Llama 2's: a mark before each text and instead of spaces, no pre-tokenizer. */
  private static final String MARKS =
      """
      {"version":"1.0","truncation":null,"padding":null,"added_tokens":[],
       "normalizer":{"type":"Sequence","normalizers":[{"type":"Prepend","prepend":"\u2581"},
        {"type":"Replace","pattern":{"String":" "},"content":"\u2581"}]},
       "pre_tokenizer":null,"post_processor":null,
       "decoder":{"type":"Sequence","decoders":[
        {"type":"Replace","pattern":{"String":"\u2581"},"content":" "},
        {"type":"Fuse"},{"type":"Strip","content":" ","start":1,"stop":0}]},
       "model":{"type":"BPE","dropout":null,"unk_token":"<unk>","continuing_subword_prefix":null,
        "end_of_word_suffix":null,"fuse_unk":true,"byte_fallback":false,
        "vocab":{"<unk>":0,"\u2581":1,"a":2,"b":3,"\ufffd":4,"ab":5,"\u2581a":6,"\u2581ab":7,
         "\u2581\u2581":8},
        "merges":["a b","\u2581 a","\u2581 ab","\u2581 \u2581"]}}
      """;

  @TempDir Path folder;

  private static String words(String vocab, String addedTokens) {
    return String.format(
        Locale.ROOT,
        """
        {"version":"1.0","truncation":null,"padding":null,"added_tokens":[%s],"normalizer":null,
         "pre_tokenizer":{"type":"Whitespace"},"post_processor":null,"decoder":null,
         "model":{"type":"WordLevel","unk_token":"[UNK]","vocab":{%s}}}
        """,
        addedTokens,
        vocab);
  }

  private static String added(int id, String text) {
    return String.format(
        Locale.ROOT,
        """
        {"id":%d,"content":"%s","single_word":false,"lstrip":false,"rstrip":false,
         "normalized":false,"special":true}
        """,
        id,
        text);
  }

  private static SubwordVocabulary of(String json) throws IOException {
    return SubwordVocabulary.of(json.getBytes(StandardCharsets.UTF_8));
  }

  /** Returns the tokens that DJL gives for a whole text. */
  private static int[] expected(String json, String text) throws IOException {
    HuggingFaceTokenizer tokenizer =
        HuggingFaceTokenizer.newInstance(
            new ByteArrayInputStream(json.getBytes(StandardCharsets.UTF_8)),
            Map.of("truncation", "false"));
    return LongStream.of(tokenizer.encode(text, false, false).getIds())
        .mapToInt(Math::toIntExact)
        .toArray();
  }

  @Test
  void ids_may_have_gaps_and_need_not_begin_at_0() throws Exception {
    String json = words("\"[UNK]\":3,\"stop\":300,\"head\":5", "");
    SubwordVocabulary gaps = of(json);
    assertThat(gaps.size()).isEqualTo(301);
    assertThat(gaps.encode("head stop thinking"))
        .containsExactly(5, 300, 3)
        .isEqualTo(expected(json, "head stop thinking"));
    // a model may sample an id without a token
    byte[] text = gaps.decode(0, 5, 4, 4, 300, 299);
    assertThat(new String(text, StandardCharsets.UTF_8)).isEqualTo("head stop");
    assertThat(gaps.getToken(4)).isEmpty();
    assertThat(gaps.contains("")).isFalse();
  }

  @Test
  void byte_level_ids_may_have_gaps_too() throws Exception {
    String content = new String(Texts.pieces(300).content(), StandardCharsets.UTF_8);
    JsonObject json = JsonParser.parseString(content).getAsJsonObject();
    JsonObject vocab = json.getAsJsonObject("model").getAsJsonObject("vocab");
    for (String token : vocab.keySet()) {
      vocab.addProperty(token, 1000 + 3 * vocab.get(token).getAsInt());
    }
    SubwordVocabulary gaps = of(json.toString());
    assertThat(gaps.lossless()).isTrue();
    assertThat(gaps.size()).isEqualTo(1000 + 3 * 299 + 1);
    byte[] text = "the cat's \u00e9\n".getBytes(StandardCharsets.UTF_8);
    int[] tokens = gaps.encode(text);
    assertThat(tokens).isEqualTo(expected(json.toString(), "the cat's \u00e9\n"));
    assertThat(gaps.decode(tokens)).isEqualTo(text);
    assertThat(gaps.decode(0, tokens[0], 1001)).isEqualTo(gaps.decode(tokens[0]));
  }

  private static final String FLAT = "\"type\":\"ByteLevel\",\"add_prefix_space\":false";

  /** Normalizers and pre-tokenizers of published models. */
  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "null | {FLAT,\"trim_offsets\":true} | true", // GPT-2
        "{\"type\":\"Sequence\",\"normalizers\":[]} | {FLAT,\"trim_offsets\":true} | true",
        "null | {\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Split\",\"pattern\":"
            + "{\"Regex\":\"[^\\\\r\\\\n\\\\p{L}\\\\p{N}]?\\\\p{L}+\"},\"behavior\":\"Isolated\",\"invert\":false},"
            + "{FLAT,\"trim_offsets\":true,\"use_regex\":false}]} | true", // Llama 3
        "null | {\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Punctuation\","
            + "\"behavior\":\"Contiguous\"},{FLAT,\"trim_offsets\":true},"
            + "{\"type\":\"Digits\",\"individual_digits\":false}]} | true", // Falcon
        "{\"type\":\"NFC\"} | {FLAT,\"trim_offsets\":true} | false", // GPT-NeoX
        "null | {\"type\":\"ByteLevel\",\"add_prefix_space\":true,\"trim_offsets\":true} | false",
        "null | {\"type\":\"Sequence\",\"pretokenizers\":[{FLAT,\"trim_offsets\":true},"
            + "{FLAT,\"trim_offsets\":true}]} | false",
        "null | {\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Split\",\"pattern\":"
            + "{\"String\":\"e\"},\"behavior\":\"Removed\",\"invert\":false},"
            + "{FLAT,\"trim_offsets\":true}]} | false"
      })
  void byte_level_files_promise_what_they_can(
      String normalizer, String preTokenizer, boolean lossless) throws Exception {
    String content = new String(Texts.pieces(300).content(), StandardCharsets.UTF_8);
    JsonObject json = JsonParser.parseString(content).getAsJsonObject();
    json.add("normalizer", JsonParser.parseString(normalizer));
    json.add("pre_tokenizer", JsonParser.parseString(preTokenizer.replace("FLAT", FLAT)));
    json.getAsJsonObject("model").addProperty("continuing_subword_prefix", "");
    json.getAsJsonObject("model").addProperty("end_of_word_suffix", "");
    SubwordVocabulary vocabulary = of(json.toString());
    assertThat(vocabulary.lossless()).isEqualTo(lossless);
    byte[] text = "the  cat's caf\u00e9, e\u0301 12 34\n\u6f22 !?".getBytes(StandardCharsets.UTF_8);
    if (lossless) {
      assertThat(vocabulary.encode(text))
          .isEqualTo(expected(json.toString(), new String(text, StandardCharsets.UTF_8)));
      byte[] broken = Arrays.copyOf(text, text.length + 1);
      broken[text.length] = (byte) 0xFF;
      assertThat(vocabulary.decode(vocabulary.encode(broken))).isEqualTo(broken);
    } else { // rightly not
      assertThat(vocabulary.decode(vocabulary.encode(text))).isNotEqualTo(text);
    }
  }

  /** As in files whose pre-tokenizer leaves the space with the word before it, or cuts nothing. */
  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "e \u0120 | {FLAT,\"trim_offsets\":true,\"use_regex\":false}",
        "! \u0120 | {\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Split\",\"pattern\":"
            + "{\"String\":\" \"},\"behavior\":\"MergedWithPrevious\",\"invert\":false},"
            + "{FLAT,\"trim_offsets\":true,\"use_regex\":false}]}"
      })
  void a_token_may_end_with_the_space_after_a_word(String merge, String preTokenizer)
      throws Exception {
    String content = new String(Texts.pieces(300).content(), StandardCharsets.UTF_8);
    JsonObject json = JsonParser.parseString(content).getAsJsonObject();
    json.add("pre_tokenizer", JsonParser.parseString(preTokenizer.replace("FLAT", FLAT)));
    String text = "the  cat! we\u00a0 see the one! ! x";
    assertThat(of(json.toString()).encode(text)).isEqualTo(expected(json.toString(), text));
    JsonObject model = json.getAsJsonObject("model");
    String token = merge.replace(" ", "");
    model.getAsJsonObject("vocab").addProperty(token, 300);
    model.getAsJsonArray("merges").add(merge);
    SubwordVocabulary across = of(json.toString());
    assertThat(across.lossless()).isTrue();
    assertThat(across.encode(text)).contains(300).isEqualTo(expected(json.toString(), text));
    assertThat(across.decode(across.encode(text))).asString(StandardCharsets.UTF_8).isEqualTo(text);
  }

  @Test
  void added_tokens_come_after_the_vocab_or_from_it() throws Exception {
    String vocab = "\"[UNK]\":0,\"stop\":1,\"your\":2,\"head\":3";
    String json =
        words(vocab, added(3, "head") + "," + added(4, "<s>") + "," + added(5, "stop your"));
    SubwordVocabulary more = of(json);
    assertThat(more.size()).isEqualTo(6);
    String text = "<s> stop your head, your stop";
    assertThat(more.encode(text)).containsExactly(4, 5, 3, 0, 2, 1).isEqualTo(expected(json, text));
    assertThat(more.getToken(5)).isEqualTo("stop your");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "9 | <s> | the added token '<s>' has the id 9, but Hugging Face's tokenizers take 3",
        "1 | <s> | the tokens 'stop' and '<s>' both have the id 1, but each needs its own",
        "3 | stop | the token 'stop' has the ids 1 and 3, but must have exactly one",
        "1056 | <s> | ids must be from 0 to 1055 for so few tokens, but one is 1056",
        "-1 | <s> | ids must be from 0 to 1055 for so few tokens, but one is -1"
      })
  void refuses_added_tokens_that_encoding_would_number_otherwise(
      int id, String token, String message) throws Exception {
    String json = words("\"[UNK]\":0,\"stop\":1,\"head\":2", added(id, token));
    Path file = Files.writeString(folder.resolve("tokenizer.json"), json);
    assertThatThrownBy(() -> SubwordVocabulary.open(file))
        .isInstanceOf(IOException.class)
        .hasMessageStartingWith("can't read the tokenizer " + file + ": ")
        .hasMessageContaining(message);
  }

  @Test
  void a_text_of_marks_gets_one_at_its_start_and_none_at_its_words() throws Exception {
    SubwordVocabulary marks = of(MARKS);
    String text = "ab ab  a b";
    assertThat(marks.encode(text))
        .containsExactly(7, 7, 1, 6, 1, 3)
        .isEqualTo(expected(MARKS, text));
    assertThat(marks.decode(marks.encode(text))).asString().isEqualTo(text);
    byte[] broken = {'a', ' ', (byte) 0xC3, 'b'};
    assertThat(marks.encode(broken)).isEqualTo(expected(MARKS, "a \ufffdb"));
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void tokens_do_not_depend_on_how_the_text_comes(boolean spaces) throws Exception {
    SubwordVocabulary marks = of(MARKS);
    Random random = new Random(15);
    StringBuilder text = new StringBuilder();
    while (text.length() < 400_000) {
      text.append("ab".charAt(random.nextInt(2))).append(spaces ? " " : "");
    }
    byte[] bytes = text.toString().getBytes(StandardCharsets.UTF_8);
    IntStream.Builder tokens = IntStream.builder();
    TokenEncoder encoder = marks.encoder(tokens::add);
    for (int at = 0; at < bytes.length; ) {
      int some = Math.min(1 + random.nextInt(100_000), bytes.length - at);
      encoder.write(bytes, at, some);
      at += some;
    }
    encoder.end();
    assertThat(tokens.build().toArray()).isEqualTo(marks.encode(bytes));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "not JSON | it is not JSON, or not all of it",
        "{\"a\":0,\"b\":1} | it has no model; Hugging Face's tokenizers write one",
        "{\"model\":{\"type\":\"BPE\"}} | its model has no vocab",
        "{\"model\":{\"vocab\":{}}} | its vocab is empty",
        "{\"model\":{\"vocab\":{\"a\":0,\"b\":0}}} | the tokens 'a' and 'b' both have the id 0",
        "{\"model\":{\"vocab\":{\"a\":-1}}} | ids must be from 0 to 1031 for so few tokens, but one is -1",
        "{\"model\":{\"vocab\":{\"a\":9e9}}} | ids must be from 0 to 1031 for so few tokens, but one is 9000000000",
        "{\"model\":{\"vocab\":{\"a\":\"x\"}}} | its model, vocab or added_tokens are of another kind",
        "{\"model\":{\"vocab\":{\"a\":0},\"dropout\":0.1}} | dropout must be null, so that a text",
        "{\"model\":{\"vocab\":{\"a\":0}},\"added_tokens\":7} | are of another kind",
        "\uFEFF{\"model\":{\"vocab\":{\"a\":0}}} | begins with a byte order mark; save it as UTF-8",
        // the native library would end the process
        "{\"model\":{\"continuing_subword_prefix\":\"##\",\"vocab\":{\"a\":0,\"b\":1,\"ab\":2},"
            + "\"merges\":[\"a b\"]}} | must begin with its continuing_subword_prefix '##'",
        "{\"model\":{\"continuing_subword_prefix\":\"##\",\"vocab\":{\"a\":0,\"b\":1,\"ab\":2},"
            + "\"merges\":[[\"a\",\"b\"]]}} | prefix '##', but the merge [\"a\",\"b\"] has 'b'"
      })
  void says_what_is_wrong_in_one_line(String content, String problem) throws Exception {
    Path file = Files.writeString(folder.resolve("tokenizer.json"), content);
    assertThatThrownBy(() -> SubwordVocabulary.open(file))
        .isInstanceOf(IOException.class)
        .hasMessageStartingWith("can't read the tokenizer %s: this is no tokenizer.json: ", file)
        .hasMessageContaining(problem)
        .message()
        .hasLineCount(1)
        .doesNotContain("java.", "com.google");
  }

  @Test
  void names_a_file_that_is_missing_and_a_folder_in_its_place() {
    assertThatThrownBy(() -> SubwordVocabulary.open(folder.resolve("no.json")))
        .isInstanceOf(NoSuchFileException.class)
        .hasMessage(folder.resolve("no.json").toString());
    assertThatThrownBy(() -> SubwordVocabulary.open(folder))
        .isInstanceOf(IOException.class)
        .hasMessageStartingWith("can't read the tokenizer " + folder + ": ");
  }

  @Test
  void a_text_that_the_tokenizer_cannot_encode_is_named() throws Exception {
    SubwordVocabulary unigram =
        of(
            "{\"version\":\"1.0\",\"model\":{\"type\":\"Unigram\",\"unk_id\":null,\"vocab\":[[\"a\",-1]]}}");
    assertThat(unigram.encode("aa")).containsExactly(0, 0);
    assertThatIllegalArgumentException()
        .isThrownBy(() -> unigram.encode("ab \n\nb"))
        .withMessageContaining("the tokenizer has no tokens for 'ab b': ")
        .withMessageContaining("give it an unknown token");
  }

  /** One bad byte makes all of the text U+FFFD, so it never ends in a whole character. */
  @Test
  void bytes_that_make_no_text_are_not_waited_for_for_ever() throws Exception {
    StringBuilder vocab = new StringBuilder("\"<unk>\":256");
    for (int value = 0; value < 256; value++) {
      vocab.append(String.format(Locale.ROOT, ",\"<0x%02X>\":%d", value, value));
    }
    SubwordVocabulary bytes =
        of(
            "{\"version\":\"1.0\",\"decoder\":{\"type\":\"ByteFallback\"},\"model\":"
                + "{\"type\":\"BPE\",\"unk_token\":\"<unk>\",\"byte_fallback\":true,\"vocab\":{"
                + vocab
                + "},\"merges\":[]}}");
    assertThat(bytes.lossless()).isFalse();
    byte[] text = "caf\u00e9 \ud83d\ude42\u6f22".getBytes(StandardCharsets.UTF_8);
    assertThat(bytes.decode(bytes.encode(text))).isEqualTo(text);
    int[] broken = new int[100];
    Arrays.fill(broken, 0x9B);
    assertThat(new String(bytes.decode(broken), StandardCharsets.UTF_8))
        .hasSizeBetween(84, 100)
        .matches("\ufffd+");
  }

  @Test
  void a_piece_that_is_there_twice_moves_no_other() throws Exception {
    String json =
        "{\"version\":\"1.0\",\"model\":{\"type\":\"Unigram\",\"unk_id\":0,"
            + "\"vocab\":[[\"<unk>\",0],[\"a\",-1],[\"a\",-2],[\"b\",-1]]}}";
    SubwordVocabulary twice = of(json);
    assertThat(twice.size()).isEqualTo(4);
    assertThat(twice.encode("b")).containsExactly(3).isEqualTo(expected(json, "b"));
    assertThat(twice.getToken(3)).isEqualTo("b");
  }
}
