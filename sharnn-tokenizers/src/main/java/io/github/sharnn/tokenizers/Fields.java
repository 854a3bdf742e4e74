package io.github.sharnn.tokenizers;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/**
 * The fields of one component of a {@code tokenizer.json}. Each check copies a field into a new
 * component. A field that no check has named is rejected.
 */
final class Fields {

  private final String name;
  private final Map<String, JsonElement> unchecked;
  private final JsonObject checked = new JsonObject();

  /** Reads a component, whose name stands in errors. */
  Fields(String name, JsonElement json) throws IOException {
    this.name = name;
    require(json.isJsonObject(), "its %s must be a JSON object", name);
    unchecked = new HashMap<>(json.getAsJsonObject().asMap());
    unchecked.values().removeIf(JsonElement::isJsonNull);
  }

  /** Rejects a file that the native library might not survive. */
  static void require(boolean condition, String problem, Object... values) throws IOException {
    if (!condition) {
      throw new IOException(
          "this is no tokenizer.json that is safe to use: "
              + String.format(Locale.ROOT, problem, values));
    }
  }

  private void require(String field, boolean condition, String rule) throws IOException {
    require(condition, "the field '%s' of its %s must be %s", field, name, rule);
  }

  private @Nullable JsonElement take(String field) {
    return unchecked.remove(field);
  }

  /** Returns the component's type. */
  String type(Set<String> allowed) throws IOException {
    String type = text("type", 64);
    require(
        type != null && allowed.contains(type),
        "its %s has the type '%s', but only %s are known to be safe: remove it, or use another"
            + " tokenizer",
        name,
        type,
        String.join(", ", new TreeSet<>(allowed)));
    return type;
  }

  @Nullable String text(String field, int maximumBytes) throws IOException {
    JsonElement value = take(field);
    if (value == null) {
      return null;
    }
    require(
        field,
        isString(value) && bytes(value.getAsString()) <= maximumBytes,
        "a text of at most " + maximumBytes + " bytes");
    checked.add(field, value);
    return value.getAsString();
  }

  static boolean isString(JsonElement value) {
    return value.isJsonPrimitive() && value.getAsJsonPrimitive().isString();
  }

  static int bytes(String text) {
    return text.getBytes(StandardCharsets.UTF_8).length;
  }

  /** Checks a field that must hold one character, and returns its length in bytes. */
  int character(String field) throws IOException {
    String text = text(field, 4);
    require(field, text != null && text.codePointCount(0, text.length()) == 1, "one character");
    return bytes(text);
  }

  boolean flag(String field) throws IOException {
    JsonElement value = take(field);
    if (value == null) {
      return false;
    }
    require(
        field, value.isJsonPrimitive() && value.getAsJsonPrimitive().isBoolean(), "true or false");
    checked.add(field, value);
    return value.getAsBoolean();
  }

  Fields flags(String... fields) throws IOException {
    for (String field : fields) {
      flag(field);
    }
    return this;
  }

  Fields oneOf(String field, Set<String> allowed) throws IOException {
    String value = text(field, 64);
    require(
        field,
        value == null || allowed.contains(value),
        "one of " + String.join(", ", new TreeSet<>(allowed)));
    return this;
  }

  Fields integer(String field, long from, long to) throws IOException {
    JsonElement value = take(field);
    if (value != null) {
      require(
          field,
          isInteger(value) && value.getAsLong() >= from && value.getAsLong() <= to,
          "an integer from " + from + " to " + to);
      checked.add(field, value);
    }
    return this;
  }

  static boolean isInteger(JsonElement value) {
    return value.isJsonPrimitive()
        && value.getAsJsonPrimitive().isNumber()
        && value.getAsNumber() instanceof Long;
  }

  /** Returns a field that the caller checks and adds. */
  @Nullable JsonElement other(String field) {
    return take(field);
  }

  JsonArray list(String field, int most) throws IOException {
    JsonElement value = take(field);
    require(
        field,
        value != null && value.isJsonArray() && value.getAsJsonArray().size() <= most,
        "a list of at most " + most + " entries");
    return value.getAsJsonArray();
  }

  /** Drops a field that the native library does not get. */
  Fields drop(String... fields) {
    for (String field : fields) {
      take(field);
    }
    return this;
  }

  Fields add(String field, JsonElement value) {
    checked.add(field, value);
    return this;
  }

  /** Returns the checked component. */
  JsonObject done() throws IOException {
    require(
        unchecked.isEmpty(),
        "its %s has the field '%s', which is not known to be safe: remove it",
        name,
        unchecked.isEmpty() ? "" : unchecked.keySet().iterator().next());
    return checked;
  }
}
