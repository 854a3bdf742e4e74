package io.github.sharnn.tokenizers;

import static io.github.sharnn.tokenizers.Fields.bytes;
import static io.github.sharnn.tokenizers.Fields.require;

import com.google.common.base.CharMatcher;
import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonNull;
import com.google.gson.JsonObject;
import com.google.gson.JsonPrimitive;
import java.io.IOException;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * The normalizer, pre-tokenizer and decoder of a {@code tokenizer.json}, checked and copied. The
 * check also bounds how much longer they make a text.
 */
final class SafeComponents {

  /** ASCII letters and digits. No normalizer but a Replace removes them. */
  static final CharMatcher WORD =
      CharMatcher.inRange('a', 'z')
          .or(CharMatcher.inRange('A', 'Z'))
          .or(CharMatcher.inRange('0', '9'));

  private static final Set<String> FORMS = Set.of("NFC", "NFD", "NFKC", "NFKD");
  private static final Set<String> NORMALIZERS =
      Set.of(
          "BertNormalizer",
          "ByteLevel",
          "Lowercase",
          "NFC",
          "NFD",
          "NFKC",
          "NFKD",
          "Nmt",
          "Precompiled",
          "Prepend",
          "Replace",
          "Sequence",
          "Strip",
          "StripAccents");
  private static final Set<String> PRE_TOKENIZERS =
      Set.of(
          "BertPreTokenizer",
          "ByteLevel",
          "CharDelimiterSplit",
          "Digits",
          "Metaspace",
          "Punctuation",
          "Sequence",
          "Split",
          "UnicodeScripts",
          "Whitespace",
          "WhitespaceSplit");
  private static final Set<String> DECODERS =
      Set.of(
          "BPEDecoder",
          "ByteFallback",
          "ByteLevel",
          "Fuse",
          "Metaspace",
          "Replace",
          "Sequence",
          "Strip",
          "WordPiece");
  private static final Set<String> BEHAVIORS =
      Set.of("Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous");
  private static final Set<String> SCHEMES = Set.of("always", "never", "first");
  private static final String SPACES = " {2,}"; // of XLNet and ALBERT
  private static final int MOST_STEPS = 16;
  private static final int MOST_GROWTH = 64; // times, for any text of usual characters
  private static final int FORM_GROWTH = 11; // U+FDFA: 3 bytes become 33
  private static final int LONGEST_TEXT = 64; // bytes

  private final int shortestAdded;
  private double growth = 1;
  private boolean deletes;
  private boolean unusual; // a step has written characters that another one may make longer
  private boolean mapped;

  /** Creates a check. A normalizer gets the text between two added tokens on its own. */
  SafeComponents(int shortestAdded) {
    this.shortestAdded = shortestAdded;
  }

  /** Returns how many times longer the checked components make a text of usual characters. */
  double growth() {
    return growth;
  }

  /** Tells if the checked normalizer leaves some of a text, so that an added token matches it. */
  boolean keeps(String text) {
    return !deletes
        && WORD.matchesAnyOf(text)
        && (!mapped || CharMatcher.ascii().matchesAllOf(text));
  }

  private interface Check {
    JsonElement of(String type, Fields fields) throws IOException;
  }

  JsonElement normalizer(@Nullable JsonElement json) throws IOException {
    return steps("normalizer", json, NORMALIZERS, "normalizers", this::normalizer);
  }

  JsonElement preTokenizer(@Nullable JsonElement json) throws IOException {
    return steps("pre_tokenizer", json, PRE_TOKENIZERS, "pretokenizers", this::preTokenizer);
  }

  JsonElement decoder(@Nullable JsonElement json) throws IOException {
    return steps("decoder", json, DECODERS, "decoders", this::decoder);
  }

  /** Checks a component, or the components of a sequence. A sequence contains no other one. */
  private JsonElement steps(
      String name, @Nullable JsonElement json, Set<String> allowed, String list, Check check)
      throws IOException {
    if (json == null || json.isJsonNull()) {
      return JsonNull.INSTANCE;
    }
    Fields fields = new Fields(name, json);
    String type = fields.type(allowed);
    if (!type.equals("Sequence")) {
      return check.of(type, fields);
    }
    JsonArray steps = new JsonArray();
    for (JsonElement each : fields.list(list, MOST_STEPS)) {
      Fields step = new Fields(name, each);
      String stepType = step.type(allowed);
      require(
          !stepType.equals("Sequence"), "its %s has a Sequence in a Sequence: merge them", name);
      steps.add(check.of(stepType, step));
    }
    return fields.add(list, steps).done();
  }

  private JsonObject normalizer(String type, Fields fields) throws IOException {
    switch (type) {
      case "BertNormalizer" -> {
        fields.flags("clean_text", "handle_chinese_chars", "strip_accents", "lowercase");
        grow(unusual ? 3 : 1);
      }
      case "ByteLevel" -> writes(2, true);
      case "Lowercase" -> grow(unusual ? 1.5 : 1);
      case "Precompiled" -> {
        require(!mapped, "its normalizer has two of Precompiled: remove one");
        mapped = true;
        JsonElement map = fields.other("precompiled_charsmap");
        require(map != null && Fields.isString(map), "its Precompiled has no precompiled_charsmap");
        fields.add("precompiled_charsmap", new JsonPrimitive(Charsmap.check(map.getAsString())));
        writes(Charsmap.GROWTH, true);
      }
      case "Prepend" -> {
        String text = fields.text("prepend", LONGEST_TEXT);
        require(text != null, "its Prepend has no text to prepend");
        writes(1 + bytes(text) / (1.0 + shortestAdded), !CharMatcher.ascii().matchesAllOf(text));
      }
      case "Replace" -> replace(fields);
      case "Strip" -> fields.flags("strip_left", "strip_right");
      default -> grow(FORMS.contains(type) && unusual ? FORM_GROWTH : 1);
    }
    return fields.done();
  }

  private JsonObject preTokenizer(String type, Fields fields) throws IOException {
    switch (type) {
      case "ByteLevel" -> {
        boolean prefix = fields.flag("add_prefix_space");
        fields.flags("trim_offsets", "use_regex");
        grow(prefix ? 4 : 2);
      }
      case "CharDelimiterSplit" -> fields.character("delimiter");
      case "Digits" -> fields.flag("individual_digits");
      case "Metaspace" -> metaspace(fields);
      case "Punctuation" -> fields.oneOf("behavior", BEHAVIORS);
      case "Split" -> {
        pattern(fields);
        fields.oneOf("behavior", BEHAVIORS).flag("invert");
      }
      default -> {}
    }
    return fields.done();
  }

  private JsonObject decoder(String type, Fields fields) throws IOException {
    switch (type) {
      case "BPEDecoder" -> fields.text("suffix", LONGEST_TEXT);
      case "ByteLevel" -> fields.flags("add_prefix_space", "trim_offsets", "use_regex");
      case "Metaspace" -> metaspace(fields);
      case "Replace" -> replace(fields);
      case "Strip" -> {
        fields.character("content");
        fields.integer("start", 0, LONGEST_TEXT).integer("stop", 0, 0); // a stop ends the process
      }
      case "WordPiece" -> {
        fields.text("prefix", LONGEST_TEXT);
        fields.flag("cleanup");
      }
      default -> {}
    }
    return fields.done();
  }

  private void metaspace(Fields fields) throws IOException {
    int length = fields.character("replacement");
    fields.flag("add_prefix_space");
    fields.oneOf("prepend_scheme", SCHEMES).flags("split").drop("str_rep");
    grow(1 + length);
  }

  private void replace(Fields fields) throws IOException {
    String pattern = pattern(fields);
    String content = fields.text("content", LONGEST_TEXT);
    require(content != null, "its Replace has no content");
    require(content.indexOf('$') < 0, "its Replace must have no $ in its content: %s", content);
    writes(
        Math.max(1, (double) bytes(content) / Math.max(1, bytes(pattern))),
        !CharMatcher.ascii().matchesAllOf(content));
    deletes |= !WORD.matchesAnyOf(content) && (pattern.isEmpty() || WORD.matchesAnyOf(pattern));
  }

  /** Checks a pattern, and returns its text, or an empty text for a regular expression. */
  private static String pattern(Fields fields) throws IOException {
    JsonElement pattern = fields.other("pattern");
    require(
        pattern != null && pattern.isJsonObject() && pattern.getAsJsonObject().size() == 1,
        "a pattern must be one String or one Regex");
    Map.Entry<String, JsonElement> entry = pattern.getAsJsonObject().entrySet().iterator().next();
    require(Fields.isString(entry.getValue()), "a pattern must be a text");
    String text = entry.getValue().getAsString();
    if (entry.getKey().equals("String")) {
      require(
          !text.isEmpty() && bytes(text) <= LONGEST_TEXT,
          "a pattern must have from 1 to %s bytes, but has %s: remove its component",
          LONGEST_TEXT,
          bytes(text));
    } else {
      require(entry.getKey().equals("Regex"), "a pattern must be a String or a Regex");
      require(
          SafePattern.isSafe(text),
          "the regular expression %s is not known to match in linear time, and at least one"
              + " character: remove its component, or use another tokenizer",
          text);
    }
    JsonObject copy = new JsonObject();
    copy.addProperty(entry.getKey(), text);
    fields.add("pattern", copy);
    return entry.getKey().equals("String") ? text : text.equals(SPACES) ? " " : "";
  }

  private void writes(double times, boolean unusualCharacters) throws IOException {
    grow(times);
    unusual |= unusualCharacters;
  }

  private void grow(double times) throws IOException {
    growth *= times;
    require(
        growth <= MOST_GROWTH,
        "its components may make a text at most %s times longer, but may make it %s times longer:"
            + " remove some of them",
        MOST_GROWTH,
        Math.round(growth));
  }
}
