package io.github.sharnn.tokenizers;

import static java.util.Objects.requireNonNullElse;

import com.google.common.base.Strings;
import com.google.gson.FieldNamingPolicy;
import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * The contents of a {@code tokenizer.json} that the native library does not expose.
 *
 * @param tokens the tokens by index; null for an index without a token
 * @param indices the index of each token
 * @param added the added tokens, which a text contains literally, such as {@code <|endoftext|>}
 * @param bytes the bytes of each token, empty for an index without a token; null if the tokenizer
 *     is not lossless
 * @param byteTokens the tokens of the 256 bytes; null if the tokenizer is not lossless
 * @param cutsAtSpaces true if no token has a space after a character that is not white space, so
 *     that a text may be cut between the two
 */
record TokenizerJson(
    String[] tokens,
    Map<String, Integer> indices,
    Set<String> added,
    byte[][] bytes,
    int[] byteTokens,
    boolean cutsAtSpaces) {

  private static final int IDS_PER_TOKEN = 8;
  private static final int MORE_IDS = 1024;
  private static final Gson GSON =
      new GsonBuilder()
          .setFieldNamingPolicy(FieldNamingPolicy.LOWER_CASE_WITH_UNDERSCORES)
          .create();

  /** The entries of the file that this class uses. Missing entries are null. */
  private record Content(
      @Nullable Model model,
      @Nullable List<Added> addedTokens,
      @Nullable Step normalizer,
      @Nullable Step preTokenizer,
      @Nullable Step postProcessor,
      @Nullable Step decoder) {}

  private record Model(
      @Nullable String type,
      @Nullable Double dropout,
      @Nullable String continuingSubwordPrefix,
      @Nullable String endOfWordSuffix,
      @Nullable JsonElement vocab,
      @Nullable List<JsonElement> merges) {}

  private record Added(
      String content, long id, @Nullable Boolean lstrip, @Nullable Boolean rstrip) {}

  /** A normalizer, pre-tokenizer, post-processor or decoder. */
  private record Step(
      @Nullable String type,
      @Nullable Boolean addPrefixSpace,
      @Nullable String behavior,
      List<JsonObject> single,
      List<Step> normalizers,
      List<Step> pretokenizers,
      List<Step> processors) {}

  static TokenizerJson read(JsonObject json) throws IOException {
    try {
      return read(GSON.fromJson(json, Content.class));
    } catch (RuntimeException e) { // Gson throws various exceptions for unexpected JSON
      throw new IOException(
          "this is no tokenizer.json: its model, vocab or added_tokens are of another kind", e);
    }
  }

  private static TokenizerJson read(@Nullable Content content) throws IOException {
    check(
        content != null && content.model != null,
        "it has no model; Hugging Face's tokenizers write one with save or save_pretrained");
    Model model = content.model;
    check(model.vocab != null, "its model has no vocab");
    check(
        model.dropout == null || model.dropout == 0,
        "its model's dropout must be null, so that a text always has the same tokens, but is %s",
        model.dropout);
    checkMerges(model);
    List<Added> addedTokens = requireNonNullElse(content.addedTokens, List.of());
    int limit = limit(model.vocab, addedTokens);
    String[] tokens = vocabulary(model.vocab, limit);
    Map<String, Integer> indices = new HashMap<>();
    for (int i = 0; i < tokens.length; i++) {
      if (tokens[i] != null) {
        indices.put(tokens[i], i);
      }
    }
    int size = tokens.length;
    Set<String> added = new HashSet<>();
    Set<String> both = new HashSet<>(); // added tokens that are also in the vocab
    boolean strips = false;
    for (Added token : addedTokens) {
      String text = token.content;
      int index = index(token.id, limit);
      if (index >= tokens.length) {
        tokens = Arrays.copyOf(tokens, Math.min(limit, Math.max(index + 1, 2 * tokens.length)));
      }
      size = Math.max(size, index + 1);
      put(tokens, index, text);
      Integer before = indices.put(text, index);
      check(
          before == null || before == index,
          "the token '%s' has the ids %s and %s, but must have exactly one",
          text,
          before,
          index);
      if (added.add(text) && before != null) {
        both.add(text);
      }
      strips |= Boolean.TRUE.equals(token.lstrip) || Boolean.TRUE.equals(token.rstrip);
    }
    tokens = Arrays.copyOf(tokens, size);
    check(!indices.isEmpty(), "its vocab is empty");
    byte[][] bytes = !strips && isByteLevel(content) ? bytes(tokens, added, both) : null;
    int[] byteTokens = bytes == null ? null : byteTokens(indices);
    if (byteTokens == null) {
      return new TokenizerJson(tokens, indices, added, null, null, false);
    }
    boolean cuts =
        added.stream().noneMatch(token -> token.indexOf(' ') >= 0)
            && Arrays.stream(bytes)
                .map(token -> new String(token, StandardCharsets.UTF_8))
                .noneMatch(token -> TextPieces.CUT.matcher(token).find());
    return new TokenizerJson(tokens, indices, added, bytes, byteTokens, cuts);
  }

  /** Returns a bound for ids: a few tokens with a huge id would make a huge model. */
  private static int limit(JsonElement vocabulary, List<Added> added) {
    int entries =
        vocabulary.isJsonArray()
            ? vocabulary.getAsJsonArray().size()
            : vocabulary.getAsJsonObject().size();
    return IDS_PER_TOKEN * (entries + added.size()) + MORE_IDS;
  }

  private static String[] vocabulary(JsonElement vocabulary, int limit) throws IOException {
    if (vocabulary.isJsonArray()) { // Unigram: [token, score]
      return vocabulary.getAsJsonArray().asList().stream()
          .map(pair -> pair.getAsJsonArray().get(0).getAsString())
          .toArray(String[]::new);
    }
    Map<String, JsonElement> entries = vocabulary.getAsJsonObject().asMap();
    int size = 0;
    for (JsonElement id : entries.values()) {
      size = Math.max(size, index(id.getAsLong(), limit) + 1);
    }
    String[] tokens = new String[size];
    for (Map.Entry<String, JsonElement> entry : entries.entrySet()) {
      put(tokens, entry.getValue().getAsInt(), entry.getKey());
    }
    return tokens;
  }

  private static void put(String[] tokens, int index, String text) throws IOException {
    check(
        tokens[index] == null || tokens[index].equals(text),
        "the tokens '%s' and '%s' both have the id %s, but each needs its own",
        tokens[index],
        text,
        index);
    tokens[index] = text;
  }

  /**
   * Checks the second token of each merge. The native library would end the process at a wrong one.
   */
  private static void checkMerges(Model model) throws IOException {
    String prefix = Strings.nullToEmpty(model.continuingSubwordPrefix);
    for (JsonElement merge : requireNonNullElse(model.merges, List.<JsonElement>of())) {
      String second =
          merge.isJsonArray()
              ? merge.getAsJsonArray().get(1).getAsString()
              : merge.getAsString().substring(merge.getAsString().indexOf(' ') + 1);
      check(
          second.startsWith(prefix),
          "each merge's second token must begin with its continuing_subword_prefix '%s', but the merge"
              + " %s has '%s'",
          prefix,
          merge,
          second);
    }
  }

  private static int index(long id, int limit) throws IOException {
    check(
        id >= 0 && id < limit,
        "ids must be from 0 to %s for so few tokens, but one is %s; give the tokens ids without"
            + " large gaps",
        limit - 1,
        id);
    return (int) id;
  }

  static void check(boolean condition, String problem, Object... values) throws IOException {
    if (!condition) {
      throw new IOException(
          "this is no tokenizer.json: " + String.format(Locale.ROOT, problem, values));
    }
  }

  private static boolean is(@Nullable Step step, String type) {
    return step != null && type.equals(step.type);
  }

  /** Tells if the tokens stand for the bytes of the unchanged text. */
  private static boolean isByteLevel(Content content) {
    Step normalizer = content.normalizer;
    if (!"BPE".equals(content.model.type)
        || (normalizer != null && !(is(normalizer, "Sequence") && normalizer.normalizers.isEmpty()))
        || !keepsTokens(content.postProcessor)
        || !Strings.isNullOrEmpty(content.model.continuingSubwordPrefix)
        || !Strings.isNullOrEmpty(content.model.endOfWordSuffix)
        || !is(content.decoder, "ByteLevel")) {
      return false;
    }
    Step pre = content.preTokenizer;
    boolean found = false;
    for (Step step : is(pre, "Sequence") ? pre.pretokenizers : Collections.singletonList(pre)) {
      if (is(step, "ByteLevel") && !found) {
        found = Boolean.FALSE.equals(step.addPrefixSpace);
      } else if (!is(step, "Digits") && !cutsAlone(step)) {
        return false;
      }
    }
    return found;
  }

  /** Tells if a step only cuts a text and removes nothing. */
  private static boolean cutsAlone(@Nullable Step step) {
    return (is(step, "Split") || is(step, "Punctuation"))
        && step.behavior != null
        && !step.behavior.equals("Removed");
  }

  /** Tells if the result of a post-processor contains the text exactly once. */
  private static boolean keepsTokens(@Nullable Step step) {
    if (is(step, "Sequence")) {
      return step.processors.stream().allMatch(TokenizerJson::keepsTokens);
    }
    return !is(step, "TemplateProcessing") // special tokens are never encoded
        || step.single.stream().filter(piece -> piece.has("Sequence")).count() == 1;
  }

  /**
   * Returns the bytes of each token, or null if a token does not stand for exactly one sequence of
   * bytes. An added token stands for itself; a token of the vocab stands for the bytes that its
   * characters spell. A token may be both.
   */
  private static byte[][] bytes(String[] tokens, Set<String> added, Set<String> both) {
    byte[][] bytes = new byte[tokens.length][];
    for (int i = 0; i < tokens.length; i++) {
      String token = Strings.nullToEmpty(tokens[i]);
      byte[] merged = bytes(token);
      bytes[i] = added.contains(token) ? token.getBytes(StandardCharsets.UTF_8) : merged;
      boolean two = both.contains(token) && merged != null && !Arrays.equals(merged, bytes[i]);
      if (bytes[i] == null || two) {
        return null;
      }
    }
    return bytes;
  }

  /** Returns the bytes that a token's characters spell, or null if one stands for no byte. */
  private static byte[] bytes(String token) {
    byte[] bytes = new byte[token.length()];
    for (int at = 0; at < token.length(); at++) {
      int value = ByteLevel.value(token.charAt(at));
      if (value < 0) {
        return null;
      }
      bytes[at] = (byte) value;
    }
    return bytes;
  }

  /** Returns the tokens of the 256 bytes, or null if one is missing. */
  private static int[] byteTokens(Map<String, Integer> indices) {
    int[] tokens = new int[ByteLevel.BYTES];
    Arrays.setAll(
        tokens, value -> indices.getOrDefault(String.valueOf(ByteLevel.character(value)), -1));
    return Arrays.stream(tokens).anyMatch(token -> token < 0) ? null : tokens;
  }
}
