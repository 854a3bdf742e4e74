package io.github.sharnn.tokenizers;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import com.google.gson.JsonParser;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * The facts of a {@code tokenizer.json} that the native library does not tell.
 *
 * @param tokens the tokens by index; null for an index without a token
 * @param indices the index of each token
 * @param added the tokens that a text contains as they are, such as {@code <|endoftext|>}
 * @param bytes the bytes of each token, empty for an index without a token; null if the tokenizer
 *     is not lossless
 * @param byteTokens the tokens of the 256 bytes; null if the tokenizer is not lossless
 * @param cutsAtSpaces whether no token has a space after a character that is not white space, so
 *     that a text may be cut there
 */
record TokenizerJson(
    String[] tokens,
    Map<String, Integer> indices,
    Set<String> added,
    byte[][] bytes,
    int[] byteTokens,
    boolean cutsAtSpaces) {

  private static final int MAX_TOKENS = 1 << 24;

  static TokenizerJson read(byte[] content) throws IOException {
    String text = new String(content, StandardCharsets.UTF_8);
    check( // the native library does not accept it, Gson does
        !text.startsWith("\uFEFF"),
        "it begins with a byte order mark; save it as UTF-8 without one");
    try {
      return read(JsonParser.parseString(text));
    } catch (JsonParseException e) {
      throw new IOException("this is no tokenizer.json: it is not JSON, or not all of it", e);
    } catch (RuntimeException e) { // Gson throws many for JSON of another shape
      throw new IOException(
          "this is no tokenizer.json: its model, vocab or added_tokens are of another kind", e);
    }
  }

  private static TokenizerJson read(JsonElement json) throws IOException {
    check(
        json.isJsonObject() && isObject(json.getAsJsonObject().get("model")),
        "it has no model; Hugging Face's tokenizers write one with save or save_pretrained");
    JsonObject root = json.getAsJsonObject();
    JsonObject model = root.getAsJsonObject("model");
    check(model.has("vocab"), "its model has no vocab");
    check(
        isNull(model, "dropout") || model.get("dropout").getAsDouble() == 0,
        "its model's dropout must be null, so that a text always has the same tokens, but is %s",
        model.get("dropout"));
    checkMerges(model);
    String[] tokens = vocabulary(model.get("vocab"));
    Map<String, Integer> indices = new HashMap<>();
    for (int i = 0; i < tokens.length; i++) {
      if (tokens[i] != null) {
        indices.put(tokens[i], i);
      }
    }
    Set<String> added = new HashSet<>();
    Set<String> both = new HashSet<>(); // added ones that the vocab has too
    boolean strips = false;
    for (JsonElement entry : array(root, "added_tokens")) {
      JsonObject token = entry.getAsJsonObject();
      String text = token.get("content").getAsString();
      int index = index(token.get("id"));
      tokens = Arrays.copyOf(tokens, Math.max(tokens.length, index + 1));
      check(
          tokens[index] == null || tokens[index].equals(text),
          "the tokens '%s' and '%s' both have the id %s, but each needs its own",
          tokens[index],
          text,
          index);
      Integer before = indices.put(text, index);
      check(
          before == null || before == index,
          "the token '%s' has the ids %s and %s, but needs one",
          text,
          before,
          index);
      tokens[index] = text;
      if (added.add(text) && before != null) {
        both.add(text);
      }
      strips |= isTrue(token, "lstrip") || isTrue(token, "rstrip");
    }
    check(!indices.isEmpty(), "its vocab is empty");
    byte[][] bytes = !strips && isByteLevel(root) ? bytes(tokens, added, both) : null;
    int[] byteTokens = bytes == null ? null : byteTokens(indices);
    if (byteTokens == null) {
      return new TokenizerJson(tokens, indices, added, null, null, false);
    }
    boolean cuts =
        added.stream().noneMatch(token -> token.indexOf(' ') >= 0)
            && Arrays.stream(bytes).noneMatch(TokenizerJson::crossesSpace);
    return new TokenizerJson(tokens, indices, added, bytes, byteTokens, cuts);
  }

  /** Tells whether a token has a space after a character that is not white space. */
  private static boolean crossesSpace(byte[] token) {
    String text = new String(token, StandardCharsets.UTF_8);
    for (int at = text.indexOf(' ', 1); at > 0; at = text.indexOf(' ', at + 1)) {
      if (!ByteLevel.isSpace(text.charAt(at - 1))) {
        return true;
      }
    }
    return false;
  }

  private static String[] vocabulary(JsonElement vocabulary) throws IOException {
    if (vocabulary.isJsonArray()) { // Unigram: [token, score]
      JsonArray pairs = vocabulary.getAsJsonArray();
      String[] tokens = new String[pairs.size()];
      Arrays.setAll(tokens, i -> pairs.get(i).getAsJsonArray().get(0).getAsString());
      return tokens;
    }
    String[] tokens = {};
    for (Map.Entry<String, JsonElement> entry : vocabulary.getAsJsonObject().entrySet()) {
      int index = index(entry.getValue());
      if (index >= tokens.length) {
        tokens = Arrays.copyOf(tokens, Math.max(index + 1, 2 * tokens.length));
      }
      check(
          tokens[index] == null,
          "the tokens '%s' and '%s' both have the id %s, but each needs its own",
          tokens[index],
          entry.getKey(),
          index);
      tokens[index] = entry.getKey();
    }
    int length = tokens.length;
    while (length > 0 && tokens[length - 1] == null) {
      length--;
    }
    return Arrays.copyOf(tokens, length);
  }

  /** Checks an invariant of merges. The native library ends the process without it. */
  private static void checkMerges(JsonObject model) throws IOException {
    if (isEmpty(model, "continuing_subword_prefix")) {
      return;
    }
    String prefix = model.get("continuing_subword_prefix").getAsString();
    for (JsonElement merge : array(model, "merges")) {
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

  private static int index(JsonElement id) throws IOException {
    long index = id.getAsLong();
    check(
        index >= 0 && index < MAX_TOKENS,
        "ids must be from 0 to %s, but one is %s",
        MAX_TOKENS - 1,
        index);
    return (int) index;
  }

  private static void check(boolean condition, String problem, Object... values)
      throws IOException {
    if (!condition) {
      throw new IOException("this is no tokenizer.json: " + problem.formatted(values));
    }
  }

  private static boolean isObject(JsonElement element) {
    return element != null && element.isJsonObject();
  }

  private static JsonArray array(JsonObject object, String name) {
    JsonElement value = object.get(name);
    return value == null || value.isJsonNull() ? new JsonArray() : value.getAsJsonArray();
  }

  private static boolean isTrue(JsonObject object, String name) {
    JsonElement value = object.get(name);
    return value != null && !value.isJsonNull() && value.getAsBoolean();
  }

  private static boolean isNull(JsonObject object, String name) {
    return object.get(name) == null || object.get(name).isJsonNull();
  }

  private static boolean isEmpty(JsonObject object, String name) {
    return isNull(object, name) || object.get(name).getAsString().isEmpty();
  }

  private static boolean isType(JsonElement element, String type) {
    return isObject(element) && element.getAsJsonObject().get("type").getAsString().equals(type);
  }

  /** Tells whether the tokens are the bytes of the unchanged text. */
  private static boolean isByteLevel(JsonObject root) {
    JsonObject model = root.getAsJsonObject("model");
    if (!isType(model, "BPE")
        || normalizes(root)
        || !keepsTokens(root.get("post_processor"))
        || !isEmpty(model, "continuing_subword_prefix")
        || !isEmpty(model, "end_of_word_suffix")
        || !isType(root.get("decoder"), "ByteLevel")) {
      return false;
    }
    JsonElement pre = root.get("pre_tokenizer");
    boolean found = false;
    for (JsonElement step :
        isType(pre, "Sequence") ? steps(pre, "pretokenizers") : Collections.singletonList(pre)) {
      if (isType(step, "ByteLevel") && !found) {
        JsonObject byteLevel = step.getAsJsonObject();
        found = byteLevel.has("add_prefix_space") && !isTrue(byteLevel, "add_prefix_space");
      } else if (!isType(step, "Digits") && !cutsAlone(step)) {
        return false;
      }
    }
    return found;
  }

  /** Tells whether a step cuts a text and removes nothing. */
  private static boolean cutsAlone(JsonElement step) {
    return (isType(step, "Split") || isType(step, "Punctuation"))
        && step.getAsJsonObject().has("behavior")
        && !step.getAsJsonObject().get("behavior").getAsString().equals("Removed");
  }

  /** Tells whether the result of a post-processor contains the text once. */
  private static boolean keepsTokens(JsonElement step) {
    if (isType(step, "Sequence")) {
      return steps(step, "processors").stream().allMatch(TokenizerJson::keepsTokens);
    }
    if (!isType(step, "TemplateProcessing")) {
      return true; // encoding leaves out special tokens
    }
    return steps(step, "single").stream()
            .filter(piece -> piece.getAsJsonObject().has("Sequence"))
            .count()
        == 1;
  }

  private static boolean normalizes(JsonObject root) {
    JsonElement normalizer = root.get("normalizer");
    return !isNull(root, "normalizer")
        && !(isType(normalizer, "Sequence") && steps(normalizer, "normalizers").isEmpty());
  }

  private static List<JsonElement> steps(JsonElement sequence, String name) {
    return sequence.getAsJsonObject().getAsJsonArray(name).asList();
  }

  /**
   * Returns the bytes of each token, or null if a token is no text of bytes or stands for two
   * texts. A token may be both an added one, which stands for itself, and in the vocab, where it
   * stands for the bytes of its characters.
   */
  private static byte[][] bytes(String[] tokens, Set<String> added, Set<String> both) {
    byte[][] bytes = new byte[tokens.length][];
    for (int i = 0; i < tokens.length; i++) {
      String token = tokens[i];
      if (token == null) {
        bytes[i] = new byte[0];
        continue;
      }
      byte[] merged = bytes(token);
      bytes[i] = added.contains(token) ? token.getBytes(StandardCharsets.UTF_8) : merged;
      boolean two = both.contains(token) && merged != null && !Arrays.equals(merged, bytes[i]);
      if (bytes[i] == null || two) {
        return null;
      }
    }
    return bytes;
  }

  /** Returns the bytes of a token's characters, or null if a character stands for none. */
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
