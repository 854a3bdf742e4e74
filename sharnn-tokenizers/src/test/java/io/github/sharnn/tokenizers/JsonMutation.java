package io.github.sharnn.tokenizers;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonNull;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import com.google.gson.JsonPrimitive;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;

/**
 * Valid JSON with a few parts exchanged for parts of other files, or for values that are seldom
 * thought of.
 */
final class JsonMutation {

  private static final String[] TEXTS = {
    "",
    " ",
    "a",
    "x",
    "the",
    "\u2581",
    "\ufdfa",
    "e\u0301",
    "\u0000",
    "##",
    "<unk>",
    "[UNK]",
    "\\s+",
    "(a+)+b",
    " {2,}",
    "^",
    "AAAA",
    "xxxxxxxxxxxxxxxx",
    "always",
    "Isolated",
    "Removed"
  };
  private static final Number[] NUMBERS = {
    0L,
    1L,
    -1L,
    2L,
    7L,
    299L,
    300L,
    301L,
    1000L,
    65_535L,
    16_777_215L,
    1L << 31,
    1L << 40,
    0.5,
    -1e6,
    1e300
  };
  private static final String[] PARTS = {
    "{\"type\":\"FixedLength\",\"length\":0}",
    "{\"type\":\"Replace\",\"pattern\":{\"Regex\":\"\"},\"content\":\"xx\"}",
    "{\"type\":\"Replace\",\"pattern\":{\"String\":\"a\"},\"content\":\"\"}",
    "{\"type\":\"Replace\",\"pattern\":{\"Regex\":\"[a-z]+\"},\"content\":\" \"}",
    "{\"type\":\"Prepend\",\"prepend\":\"aa\"}",
    "{\"type\":\"Strip\",\"strip_left\":true,\"strip_right\":true}",
    "{\"type\":\"Strip\",\"content\":\"a\",\"start\":3,\"stop\":3}",
    "{\"type\":\"Split\",\"pattern\":{\"Regex\":\"\\\\s+|[a-z]\"},\"behavior\":\"Removed\",\"invert\":true}",
    "{\"type\":\"Digits\",\"individual_digits\":true}",
    "{\"type\":\"UnicodeScripts\"}",
    "{\"type\":\"Punctuation\",\"behavior\":\"MergedWithNext\"}",
    "{\"type\":\"CharDelimiterSplit\",\"delimiter\":\" \"}",
    "{\"type\":\"BPEDecoder\",\"suffix\":\"\"}",
    "{\"type\":\"CTC\",\"pad_token\":\"a\",\"word_delimiter_token\":\"b\",\"cleanup\":true}",
    "{\"type\":\"ByteFallback\"}",
    "{\"type\":\"Fuse\"}",
    "{\"type\":\"NFKD\"}",
    "{\"type\":\"StripAccents\"}",
    "{\"type\":\"Nmt\"}",
    "{\"id\":0,\"content\":\"a\",\"single_word\":true,\"lstrip\":true,\"rstrip\":true,"
        + "\"normalized\":true,\"special\":false}"
  };

  private final Random random;
  private final List<JsonElement> parts = new ArrayList<>(); // of all files

  JsonMutation(List<String> files, Random random) {
    this.random = random;
    for (String part : PARTS) {
      parts.add(JsonParser.parseString(part));
    }
    for (String file : files) {
      collect(JsonParser.parseString(file));
    }
  }

  private void collect(JsonElement json) {
    if (json.isJsonObject() && json.getAsJsonObject().size() < 20) {
      parts.add(json);
      json.getAsJsonObject().asMap().values().forEach(this::collect);
    } else if (json.isJsonArray() && json.getAsJsonArray().size() < 20) {
      parts.add(json);
      json.getAsJsonArray().forEach(this::collect);
    }
  }

  String of(String file) {
    JsonObject json = JsonParser.parseString(file).getAsJsonObject();
    for (int n = random.nextInt(3); n >= 0; n--) {
      change(json);
    }
    return json.toString();
  }

  /** Walks down a random way, and changes something at its end. */
  private void change(JsonElement json) {
    if (json.isJsonObject() && !json.getAsJsonObject().isEmpty()) {
      JsonObject object = json.getAsJsonObject();
      List<String> names = List.copyOf(object.keySet());
      String name = names.get(random.nextInt(names.size()));
      JsonElement child = object.get(name);
      switch (goesDown(child) ? 4 : random.nextInt(4)) {
        case 0 -> object.remove(name);
        case 1 -> object.add(TEXTS[random.nextInt(TEXTS.length)], child);
        case 4 -> change(child);
        default -> object.add(name, other(child));
      }
    } else if (json.isJsonArray() && !json.getAsJsonArray().isEmpty()) {
      JsonArray array = json.getAsJsonArray();
      int at = random.nextInt(array.size());
      JsonElement child = array.get(at);
      switch (goesDown(child) ? 4 : random.nextInt(4)) {
        case 0 -> array.remove(at);
        case 1 -> array.add(other(child));
        case 4 -> change(child);
        default -> array.set(at, other(child));
      }
    } else if (json.isJsonArray()) {
      json.getAsJsonArray().add(other(json));
    }
  }

  private boolean goesDown(JsonElement child) {
    return (child.isJsonObject() || child.isJsonArray()) && random.nextInt(4) > 0;
  }

  private JsonElement other(JsonElement before) {
    switch (random.nextInt(8)) {
      case 0:
        return JsonNull.INSTANCE;
      case 1:
        return new JsonPrimitive(random.nextBoolean());
      case 2:
        return new JsonPrimitive(NUMBERS[random.nextInt(NUMBERS.length)]);
      case 3:
        return new JsonPrimitive(TEXTS[random.nextInt(TEXTS.length)]);
      case 4:
        JsonArray list = new JsonArray();
        for (int n = random.nextInt(20); n > 0; n--) {
          list.add(before.deepCopy());
        }
        return list;
      default:
        return parts.get(random.nextInt(parts.size())).deepCopy();
    }
  }
}
