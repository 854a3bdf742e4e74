package io.github.sharnn.tokenizers;

import static io.github.sharnn.tokenizers.Fields.bytes;
import static io.github.sharnn.tokenizers.Fields.isInteger;
import static io.github.sharnn.tokenizers.Fields.isString;
import static io.github.sharnn.tokenizers.Fields.require;

import com.google.common.base.CharMatcher;
import com.google.common.base.Strings;
import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonNull;
import com.google.gson.JsonObject;
import java.io.IOException;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * A copy of a {@code tokenizer.json} that holds only what the native library is known to survive.
 * The native library can end the process, hang or take gigabytes at a file that its own checks
 * accept. It therefore gets this copy and never the original text.
 */
final class SafeTokenizer {

  private static final Set<String> MODELS = Set.of("BPE", "Unigram", "WordLevel", "WordPiece");
  private static final Set<String> POST_PROCESSORS =
      Set.of("BertProcessing", "ByteLevel", "RobertaProcessing", "Sequence", "TemplateProcessing");
  private static final int LONGEST_TOKEN = 512; // bytes; a Unigram model tries each token anywhere
  private static final int MOST_TOKEN_BYTES = 8 << 20; // its tree takes about 100 bytes for each
  private static final int LONGEST_ADDED = 256; // bytes; their automaton takes 1 KiB for each
  private static final int LONGEST_AFFIX = 16; // bytes
  private static final int MOST_WORD_PIECES = 200; // time grows with the cube
  private static final double MOST_SCORE = 1e6;
  private static final Set<String> FLAGS = Set.of("fuse_unk", "byte_fallback", "ignore_merges");

  private SafeTokenizer() {}

  /** Checks a file that {@link TokenizerJson#read} has read, and returns the copy. */
  static JsonObject copy(JsonObject json) throws IOException {
    Fields file = new Fields("file", json);
    file.drop("truncation", "padding"); // never applied
    String version = file.text("version", LONGEST_AFFIX);
    require(
        version == null || version.equals("1.0"), "its version must be 1.0, but is %s", version);
    JsonElement added = file.other("added_tokens");
    JsonArray addedTokens = added == null ? new JsonArray() : list(added, "added_tokens");
    SafeComponents components = new SafeComponents(shortest(addedTokens));
    JsonElement normalizer = components.normalizer(file.other("normalizer"));
    file.add("normalizer", normalizer);
    file.add("added_tokens", added(addedTokens, !normalizer.isJsonNull(), components));
    file.add("pre_tokenizer", components.preTokenizer(file.other("pre_tokenizer")));
    file.add("decoder", new SafeComponents(1).decoder(file.other("decoder")));
    checkPostProcessor(file.other("post_processor"));
    file.add("post_processor", JsonNull.INSTANCE); // adds only special tokens, never encoded
    JsonElement model = file.other("model");
    require(model != null, "it has no model");
    return file.add("model", model(model)).done();
  }

  private static JsonArray list(@Nullable JsonElement json, String name) throws IOException {
    require(json != null && json.isJsonArray(), "its %s must be a list", name);
    return json.getAsJsonArray();
  }

  private static int shortest(JsonArray tokens) throws IOException {
    int shortest = Integer.MAX_VALUE;
    for (JsonElement token : tokens) {
      JsonElement content = token.isJsonObject() ? token.getAsJsonObject().get("content") : null;
      require(content != null && isString(content), "each of its added_tokens must have a content");
      shortest = Math.min(shortest, bytes(content.getAsString()));
    }
    return shortest;
  }

  private static JsonArray added(JsonArray tokens, boolean hasNormalizer, SafeComponents normalizer)
      throws IOException {
    JsonArray copies = new JsonArray();
    Set<String> contents = new HashSet<>();
    boolean strips = false;
    boolean spaces = false;
    for (JsonElement token : tokens) {
      Fields fields = new Fields("added token", token);
      String content = fields.text("content", LONGEST_ADDED);
      require(
          !Strings.isNullOrEmpty(content) && contents.add(content),
          "each added token must be a text of its own, but one is '%s'",
          content);
      fields.integer("id", 0, Integer.MAX_VALUE).flags("single_word", "special");
      strips |= fields.flag("lstrip") | fields.flag("rstrip");
      spaces |= !CharMatcher.whitespace().trimFrom(content).equals(content);
      if (fields.flag("normalized") && hasNormalizer) {
        require( // an empty pattern would match everywhere
            normalizer.keeps(content),
            "the added token '%s' must not be normalized, as nothing of it may be left: set its"
                + " normalized to false",
            content);
        require(
            bytes(content) * normalizer.growth() <= LONGEST_ADDED,
            "the added token '%s' is too long to be normalized: set its normalized to false",
            content);
      }
      copies.add(fields.done());
    }
    require(
        !strips || !spaces,
        "its added tokens must not begin or end with white space, as one has lstrip or rstrip: set"
            + " both to false");
    return copies;
  }

  /** Checks that a post-processor keeps the tokens of the text. The native library gets none. */
  private static void checkPostProcessor(@Nullable JsonElement json) throws IOException {
    if (json == null) {
      return;
    }
    Fields fields = new Fields("post_processor", json);
    String type = fields.type(POST_PROCESSORS);
    if (type.equals("Sequence")) {
      for (JsonElement each : fields.list("processors", LONGEST_AFFIX)) {
        checkPostProcessor(each);
      }
    } else if (type.equals("TemplateProcessing")) {
      int texts = 0;
      for (JsonElement piece : fields.list("single", LONGEST_ADDED)) {
        require(piece.isJsonObject(), "each piece of its template must be an object");
        texts += piece.getAsJsonObject().has("Sequence") ? 1 : 0;
      }
      require(
          texts == 1,
          "the template of its post_processor must have the text once, but has it %s times: set"
              + " post_processor to null",
          texts);
    }
  }

  private static JsonObject model(JsonElement json) throws IOException {
    Fields fields = new Fields("model", json);
    String type = fields.type(MODELS);
    JsonElement vocab = fields.other("vocab");
    require(vocab != null, "its model has no vocab");
    fields.text("unk_token", LONGEST_TOKEN);
    if (type.equals("Unigram")) {
      return unigram(fields, vocab);
    }
    require(vocab.isJsonObject(), "its vocab must be an object");
    Map<String, JsonElement> ids = vocab.getAsJsonObject().asMap();
    for (Map.Entry<String, JsonElement> entry : ids.entrySet()) {
      require(!entry.getKey().isEmpty(), "its vocab must have no empty token");
      require(isInteger(entry.getValue()), "the id of '%s' must be an integer", entry.getKey());
    }
    fields.add("vocab", vocab);
    if (type.equals("BPE")) {
      bytePairs(fields, ids);
    } else if (type.equals("WordPiece")) {
      fields.text("continuing_subword_prefix", LONGEST_AFFIX);
      fields.integer("max_input_chars_per_word", 1, MOST_WORD_PIECES);
    }
    return fields.done();
  }

  private static JsonObject unigram(Fields fields, JsonElement vocab) throws IOException {
    JsonArray tokens = list(vocab, "vocab");
    long total = 0;
    for (JsonElement entry : tokens) {
      JsonArray pair = list(entry, "vocab's entry");
      require(
          pair.size() == 2
              && isString(pair.get(0))
              && pair.get(1).isJsonPrimitive()
              && pair.get(1).getAsJsonPrimitive().isNumber()
              && Math.abs(pair.get(1).getAsDouble()) <= MOST_SCORE,
          "an entry of its vocab must be a token and a score from -1e6 to 1e6, but is %s",
          entry);
      int bytes = bytes(pair.get(0).getAsString());
      require(
          bytes > 0 && bytes <= LONGEST_TOKEN,
          "a token must have from 1 to %s bytes, but one has %s",
          LONGEST_TOKEN,
          bytes);
      total += bytes;
    }
    require(
        total <= MOST_TOKEN_BYTES,
        "its tokens may have at most %s bytes, but have %s",
        MOST_TOKEN_BYTES,
        total);
    fields.integer("unk_id", 0, tokens.size() - 1).flag("byte_fallback");
    return fields.add("vocab", tokens).done();
  }

  /** Checks that the tokens of each merge, and its result, are in the vocab. */
  private static void bytePairs(Fields fields, Map<String, JsonElement> vocab) throws IOException {
    fields.drop("dropout"); // is 0
    fields.flags(FLAGS.toArray(String[]::new));
    fields.text("end_of_word_suffix", LONGEST_AFFIX);
    String prefix = Strings.nullToEmpty(fields.text("continuing_subword_prefix", LONGEST_AFFIX));
    require( // the native library counts its characters and cuts as many bytes
        CharMatcher.ascii().matchesAllOf(prefix),
        "its continuing_subword_prefix must be ASCII, but is %s",
        prefix);
    JsonElement merges = fields.other("merges");
    for (JsonElement merge : list(merges, "merges")) {
      String[] pair = pair(merge);
      String result = pair[0] + pair[1].substring(Math.min(prefix.length(), pair[1].length()));
      for (String token : new String[] {pair[0], pair[1], result}) {
        require(
            vocab.containsKey(token),
            "its merge %s needs the token '%s' in the vocab",
            merge,
            token);
      }
    }
    fields.add("merges", merges);
  }

  /** Returns the two tokens of a merge, which is either a pair or a text with one space. */
  static String[] pair(JsonElement merge) throws IOException {
    String[] pair = {};
    if (merge.isJsonArray()
        && merge.getAsJsonArray().size() == 2
        && isString(merge.getAsJsonArray().get(0))
        && isString(merge.getAsJsonArray().get(1))) {
      JsonArray both = merge.getAsJsonArray();
      pair = new String[] {both.get(0).getAsString(), both.get(1).getAsString()};
    } else if (isString(merge)) {
      pair = merge.getAsString().split(" ", -1);
    }
    require(pair.length == 2, "a merge must be two tokens with a space between, but is %s", merge);
    return pair;
  }
}
