package io.github.sharnn.tokenizers;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;

/**
 * What this library itself needs to know of a {@code tokenizer.json}.
 *
 * @param tokens by index; null where there is none
 * @param indices of the tokens
 * @param bytes of each token where all texts come back from them; null where that is not promised
 * @param byteTokens the tokens of single bytes, by byte; null like {@code bytes}
 */
record TokenizerJson(
    String[] tokens, Map<String, Integer> indices, byte[][] bytes, int[] byteTokens) {

  private static final int MAX_TOKENS = 1 << 24;

  static TokenizerJson read(byte[] content) throws IOException {
    try {
      JsonObject root =
          JsonParser.parseString(new String(content, StandardCharsets.UTF_8)).getAsJsonObject();
      JsonObject model = root.getAsJsonObject("model");
      Map<String, Integer> indices = new HashMap<>();
      if (model.get("vocab").isJsonArray()) { // Unigram: [token, score]
        for (JsonElement entry : model.getAsJsonArray("vocab")) {
          indices.put(entry.getAsJsonArray().get(0).getAsString(), indices.size());
        }
      } else {
        model
            .getAsJsonObject("vocab")
            .entrySet()
            .forEach(entry -> indices.put(entry.getKey(), entry.getValue().getAsInt()));
      }
      Map<String, Integer> added = new HashMap<>();
      boolean strips = false;
      for (JsonElement entry : array(root, "added_tokens")) {
        JsonObject token = entry.getAsJsonObject();
        added.put(token.get("content").getAsString(), token.get("id").getAsInt());
        strips |= isTrue(token, "lstrip") || isTrue(token, "rstrip");
      }
      indices.putAll(added);
      String[] tokens = byIndex(indices);
      boolean byteLevel = !strips && isByteLevel(root);
      byte[][] bytes = byteLevel ? bytes(tokens, added) : null;
      int[] byteTokens = bytes == null ? null : byteTokens(indices);
      return new TokenizerJson(tokens, indices, byteTokens == null ? null : bytes, byteTokens);
    } catch (RuntimeException e) { // Gson has many for JSON of another shape
      throw new IOException("this is no tokenizer.json: " + e, e);
    }
  }

  private static String[] byIndex(Map<String, Integer> indices) throws IOException {
    int last = indices.values().stream().mapToInt(i -> i).max().orElse(-1);
    int first = indices.values().stream().mapToInt(i -> i).min().orElse(-1);
    if (first < 0 || last >= MAX_TOKENS) {
      throw new IOException(
          "this is no tokenizer.json: its tokens are from %s to %s".formatted(first, last));
    }
    String[] tokens = new String[last + 1];
    indices.forEach((token, index) -> tokens[index] = token);
    return tokens;
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

  private static boolean isType(JsonElement element, String type) {
    return element != null
        && element.isJsonObject()
        && element.getAsJsonObject().get("type").getAsString().equals(type);
  }

  /** Tells whether tokens are bytes of the text as it is. */
  private static boolean isByteLevel(JsonObject root) {
    JsonObject model = root.getAsJsonObject("model");
    if (!isType(model, "BPE")
        || !isNull(root, "normalizer")
        || !isNull(model, "continuing_subword_prefix")
        || !isNull(model, "end_of_word_suffix")
        || !isType(root.get("decoder"), "ByteLevel")) {
      return false;
    }
    JsonElement pre = root.get("pre_tokenizer");
    boolean found = false;
    for (JsonElement step : isType(pre, "Sequence") ? pretokenizers(pre) : single(pre)) {
      if (isType(step, "ByteLevel")) {
        JsonObject byteLevel = step.getAsJsonObject();
        found = byteLevel.has("add_prefix_space") && !isTrue(byteLevel, "add_prefix_space");
      } else if (!isType(step, "Digits")
          && !(isType(step, "Split")
              && step.getAsJsonObject().get("behavior").getAsString().equals("Isolated"))) {
        return false;
      }
    }
    return found;
  }

  private static JsonArray pretokenizers(JsonElement sequence) {
    return sequence.getAsJsonObject().getAsJsonArray("pretokenizers");
  }

  private static JsonArray single(JsonElement element) {
    JsonArray one = new JsonArray();
    one.add(element);
    return one;
  }

  /** The bytes of each token, or null where one is no text of bytes. */
  private static byte[][] bytes(String[] tokens, Map<String, Integer> added) {
    byte[][] bytes = new byte[tokens.length][];
    for (int i = 0; i < tokens.length; i++) {
      String token = tokens[i];
      if (token == null) {
        continue;
      }
      if (added.containsKey(token)) {
        bytes[i] = token.getBytes(StandardCharsets.UTF_8);
        continue;
      }
      bytes[i] = new byte[token.length()];
      for (int at = 0; at < token.length(); at++) {
        int value = ByteLevel.value(token.charAt(at));
        if (value < 0) {
          return null;
        }
        bytes[i][at] = (byte) value;
      }
    }
    return bytes;
  }

  /** The tokens of the 256 bytes, or null where one is missing. */
  private static int[] byteTokens(Map<String, Integer> indices) {
    int[] tokens = new int[ByteLevel.BYTES];
    Arrays.setAll(
        tokens, value -> indices.getOrDefault(String.valueOf(ByteLevel.character(value)), -1));
    return Arrays.stream(tokens).anyMatch(token -> token < 0) ? null : tokens;
  }
}
