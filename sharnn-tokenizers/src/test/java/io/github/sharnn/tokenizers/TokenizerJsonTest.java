package io.github.sharnn.tokenizers;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Locale;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Tests which files have known bytes for all tokens. */
class TokenizerJsonTest {

  private static final String FLAT = "\"type\":\"ByteLevel\",\"add_prefix_space\":false";

  /** Returns a byte-level file with some changes. */
  private static JsonObject byteLevel() throws IOException {
    String content = new String(Texts.pieces(300).content(), StandardCharsets.UTF_8);
    return JsonParser.parseString(content).getAsJsonObject();
  }

  private static TokenizerJson read(JsonObject json) throws IOException {
    return TokenizerJson.read(StrictJson.parse(json.toString().getBytes(StandardCharsets.UTF_8)));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "model | dropout | 0.0 | true",
        "model | end_of_word_suffix | \"</w>\" | false",
        "model | type | \"Unigram\" | false",
        "decoder | type | \"Fuse\" | false",
        "pre_tokenizer | type | \"Whitespace\" | false",
        "pre_tokenizer | add_prefix_space | true | false",
        "| decoder | null | false",
        "| pre_tokenizer | null | false",
        "| pre_tokenizer | {\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Split\"},{FLAT}]}"
            + " | false",
        "| added_tokens | null | true",
        "| post_processor | {FLAT} | true",
        "| post_processor |"
            + " {\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{}},{\"Sequence\":{}}]}"
            + " | true",
        "| post_processor | {\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{}}]} |"
            + " false",
        "| post_processor |"
            + " {\"type\":\"Sequence\",\"processors\":[{FLAT},{\"type\":\"TemplateProcessing\",\"single\":[{\"Sequence\":{}},{\"Sequence\":{}}]}]}"
            + " | false",
        "| normalizer | {\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"NFC\"}]} | false"
      })
  void promises_the_bytes_where_every_step_keeps_them(
      String part, String name, String value, boolean lossless) throws Exception {
    JsonObject json = byteLevel();
    JsonObject owner = part == null ? json : json.getAsJsonObject(part);
    owner.add(name, JsonParser.parseString(value.replace("FLAT", FLAT)));
    assertThat(read(json).bytes() != null).isEqualTo(lossless);
    assertThat(read(json).byteTokens() != null).isEqualTo(lossless);
    assertThat(read(json).cutsAtSpaces()).isEqualTo(lossless);
  }

  @Test
  void promises_no_bytes_where_tokens_begin_with_marks_of_words() throws Exception {
    JsonObject json = byteLevel();
    JsonObject model = json.getAsJsonObject("model");
    model.add("merges", new JsonArray()); // those there have no such mark
    assertThat(read(json).bytes()).isNotNull();
    model.addProperty("continuing_subword_prefix", "##");
    assertThat(read(json).bytes()).isNull();
  }

  @Test
  void promises_no_bytes_where_one_has_no_token_or_a_token_is_none() throws Exception {
    JsonObject lacking = byteLevel();
    lacking.getAsJsonObject("model").getAsJsonObject("vocab").remove("a");
    assertThat(read(lacking).bytes()).isNull();
    JsonObject alien = byteLevel();
    alien.getAsJsonObject("model").getAsJsonObject("vocab").addProperty("a b", 300);
    assertThat(read(alien).bytes()).isNull();
    assertThat(read(alien).byteTokens()).isNull();
  }

  @ParameterizedTest
  @CsvSource({
    "\u0120\u0120x, true",
    "x\u0120, false",
    "\u00c2\u0142\u0120, true",
    "!\u0120\u0120, false"
  })
  void cuts_where_no_token_goes_across_a_space_after_a_word(String token, boolean cuts)
      throws Exception {
    JsonObject json = byteLevel();
    json.getAsJsonObject("model").getAsJsonObject("vocab").addProperty(token, 300);
    assertThat(read(json).bytes()).isNotNull();
    assertThat(read(json).cutsAtSpaces()).isEqualTo(cuts);
  }

  /** Hugging Face's library gives such a token its id in the vocab. */
  @ParameterizedTest
  @CsvSource({
    "97, true, a", // the byte a
    "233, false, \u00e9", // the byte E9, whose character is \u00e9
    "300, false, \u0120z", // of the vocab, a space and z
    "300, true, \u2581z", // of the vocab, but made of no bytes
    "301, true, \u0120z" // not of the vocab
  })
  void promises_no_bytes_where_a_token_stands_for_two_texts(
      int id, boolean lossless, String content) throws Exception {
    JsonObject json = byteLevel();
    JsonObject vocab = json.getAsJsonObject("model").getAsJsonObject("vocab");
    if (id == 300) {
      vocab.addProperty(content, id);
    }
    int index = vocab.has(content) ? vocab.get(content).getAsInt() : id;
    JsonObject token =
        JsonParser.parseString(
                String.format(Locale.ROOT, "{\"id\":%d,\"content\":\"%s\"}", index, content))
            .getAsJsonObject();
    json.getAsJsonArray("added_tokens").add(token);
    assertThat(read(json).bytes() != null).isEqualTo(lossless);
    if (lossless) {
      assertThat(read(json).bytes()[index]).asString(StandardCharsets.UTF_8).isEqualTo(content);
    }
  }

  @Test
  void an_added_token_may_have_a_space_but_takes_none_beside_it() throws Exception {
    JsonObject json = byteLevel();
    JsonObject token =
        JsonParser.parseString(
                "{\"id\":300,\"content\":\"stop your\","
                    + "\"single_word\":false,\"lstrip\":false,\"rstrip\":false,"
                    + "\"normalized\":false,\"special\":true}")
            .getAsJsonObject();
    json.getAsJsonArray("added_tokens").add(token);
    assertThat(read(json).cutsAtSpaces()).isFalse();
    assertThat(read(json).bytes()[300]).asString(StandardCharsets.UTF_8).isEqualTo("stop your");
    SubwordVocabulary vocabulary =
        SubwordVocabulary.of(json.toString().getBytes(StandardCharsets.UTF_8));
    assertThat(vocabulary.decode(vocabulary.encode("head stop your head")))
        .asString(StandardCharsets.UTF_8)
        .isEqualTo("head stop your head");
    assertThat(vocabulary.encode("head stop your head")).contains(300);
    for (String strip : new String[] {"lstrip", "rstrip"}) {
      token.addProperty(strip, true);
      assertThat(read(json).bytes()).as(strip).isNull();
      token.addProperty(strip, false);
    }
  }
}
