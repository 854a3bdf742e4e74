package io.github.sharnn.tokenizers;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonNull;
import com.google.gson.JsonObject;
import com.google.gson.JsonPrimitive;
import com.google.gson.Strictness;
import com.google.gson.stream.JsonReader;
import com.google.gson.stream.JsonToken;
import com.google.gson.stream.MalformedJsonException;
import java.io.EOFException;
import java.io.IOException;
import java.io.StringReader;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;

/**
 * A parser of a {@code tokenizer.json} of unknown origin. It limits size, depth, number of values
 * and length of numbers. It rejects what two parsers may read in two ways: names that occur twice,
 * and text that is not valid Unicode.
 */
final class StrictJson {

  static final int MAX_BYTES = 64 << 20;

  private static final int MAX_DEPTH = 16;
  private static final int MAX_VALUES = 1 << 22;
  private static final int MAX_DIGITS = 32;
  private static final int MAX_LONG_DIGITS = 18;

  private final JsonReader reader;
  private int values;

  private StrictJson(String text) {
    reader = new JsonReader(new StringReader(text));
    reader.setStrictness(Strictness.STRICT);
  }

  static JsonObject parse(byte[] content) throws IOException {
    TokenizerJson.check(
        content.length <= MAX_BYTES,
        "it may have at most %s bytes, but has %s",
        MAX_BYTES,
        content.length);
    String text;
    try {
      text = StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(content)).toString();
    } catch (CharacterCodingException e) {
      throw new IOException("this is no tokenizer.json: it is not UTF-8", e);
    }
    TokenizerJson.check( // Gson accepts it, the native library does not
        !text.startsWith("\uFEFF"),
        "it begins with a byte order mark; save it as UTF-8 without one");
    try {
      StrictJson parser = new StrictJson(text);
      JsonElement json = parser.value(0);
      TokenizerJson.check(
          json.isJsonObject() && parser.reader.peek() == JsonToken.END_DOCUMENT,
          "it must be one JSON object");
      return json.getAsJsonObject();
    } catch (MalformedJsonException | EOFException | IllegalStateException e) {
      throw new IOException("this is no tokenizer.json: it is not JSON, or not all of it", e);
    }
  }

  private JsonElement value(int depth) throws IOException {
    TokenizerJson.check(depth <= MAX_DEPTH, "it may be nested at most %s deep", MAX_DEPTH);
    values++;
    TokenizerJson.check(values <= MAX_VALUES, "it may have at most %s values", MAX_VALUES);
    return switch (reader.peek()) {
      case BEGIN_OBJECT -> object(depth);
      case BEGIN_ARRAY -> array(depth);
      case STRING -> new JsonPrimitive(text(reader.nextString()));
      case NUMBER -> new JsonPrimitive(number(reader.nextString()));
      case BOOLEAN -> new JsonPrimitive(reader.nextBoolean());
      case NULL -> {
        reader.nextNull();
        yield JsonNull.INSTANCE;
      }
      default -> throw new MalformedJsonException("no value");
    };
  }

  private JsonObject object(int depth) throws IOException {
    JsonObject object = new JsonObject();
    reader.beginObject();
    while (reader.hasNext()) {
      String name = text(reader.nextName());
      TokenizerJson.check(!object.has(name), "the name '%s' occurs twice in one object", name);
      object.add(name, value(depth + 1));
    }
    reader.endObject();
    return object;
  }

  private JsonArray array(int depth) throws IOException {
    JsonArray array = new JsonArray(1);
    reader.beginArray();
    while (reader.hasNext()) {
      array.add(value(depth + 1));
    }
    reader.endArray();
    return array;
  }

  private static String text(String text) throws IOException {
    for (int i = 0; i < text.length(); i++) {
      char unit = text.charAt(i);
      if (Character.isHighSurrogate(unit)
          && i + 1 < text.length()
          && Character.isLowSurrogate(text.charAt(i + 1))) {
        i++;
      } else {
        TokenizerJson.check(
            !Character.isSurrogate(unit), "its text must not have half a surrogate pair");
      }
    }
    return text;
  }

  /** Returns an integer as a Long, and any other number as a Double. */
  private static Number number(String digits) throws IOException {
    TokenizerJson.check(
        digits.length() <= MAX_DIGITS,
        "a number may have at most %s characters, but one has %s",
        MAX_DIGITS,
        digits.length());
    if (digits.length() <= MAX_LONG_DIGITS
        && digits.chars().allMatch(c -> c == '-' || (c >= '0' && c <= '9'))) {
      return Long.valueOf(digits);
    }
    double value = Double.parseDouble(digits);
    TokenizerJson.check(Double.isFinite(value), "the number %s is too large", digits);
    return value;
  }
}
