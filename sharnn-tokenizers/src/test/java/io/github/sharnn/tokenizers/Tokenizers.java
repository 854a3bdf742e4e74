package io.github.sharnn.tokenizers;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.stream.Stream;
import org.junit.jupiter.params.provider.Arguments;

/** Small tokenizers whose components are those of published models. */
final class Tokenizers {

  /**
   * SentencePiece's map of the rules A to a, \u00e9, x\u00e9 and y\u00e9 to e, e\u0301 to \u00e9,
   * \ufb01 to fi, \u2026 to three full stops, and U+0001 to nothing.
   */
  static final String CHARSMAP =
      "AAQAAAAMAAAAAACAAQ0AAMwcAgAFAACAgQ0AAAwAAIDDmAIAqQUAAAcAAICAnAIAph0AAAEAAICBCQAArAgCAAkA"
          + "AIASAAAAEwAAABAAAAARAAAAFgAAABcAAAAUAAAAFQAAABoAAAAbAAAAGAAAABkAAAAeAAAAHwAAABwAAAAdAAAA"
          + "IgAAACMAAAAgAAAAIQAAACYAAAAnAAAAJAAAACUAAAAqAAAAKwAAACgAAAApAAAALgAAAC8AAAAsAAAALQAAADIA"
          + "AAAzAAAAMAAAADEAAAA2AAAANwAAADQAAAA1AAAAOgAAADsAAAA4AAAAOQAAAD4AAAA/AAAAPAAAAD0AAABCAAAA"
          + "QwAAAEEZAQBBAAAARgAAAEcAAABEAAAARQAAAEoAAABLAAAASAAAAEkAAABOAAAATwAAAEwAAABNAAAAUgAAAFMA"
          + "AABQAAAAUQAAAFYAAABXAAAAVAAAAFUAAABaAAAAWwAAAFgAAABZAAAAXgAAAF8AAABcAAAAXQAAAGIAAABjAAAA"
          + "YAAAAGEAAABmAAAAZwAAAGWkAgBlAAAAagAAAGsAAABoAAAAaQAAAG4AAABvAAAAbAAAAG0AAAByAAAAcwAAAHAA"
          + "AABxAAAAdgAAAHcAAAB0AAAAdQAAAHoAAAB7AAAAefgCAHj8AgB+AAAAfwAAAHwAAAB9AAAAggAAAIMAAACAAAAA"
          + "gQAAAIYAAACHAAAAhAAAAIUAAACKAAAAiwAAAIgAAACJAAAAjgAAAI8AAACMAAAAjQAAAJIAAACTAAAAkAAAAJEA"
          + "AACWAAAAlwAAAJQAAACVAAAAmgAAAJsAAACYAAAAmQAAAJ4AAACfAAAAnAAAAJ0AAACiAAAAowAAAKAAAAChAAAA"
          + "pgAAAKcAAACkAAAApQAAAKoAAACrAAAAqAAAAKkAAACuAAAArwAAAKwAAACtAAAAsgAAALMAAACwAAAAsQAAALYA"
          + "AAC3AAAAtAAAALUAAAC6AAAAuwAAALgAAAC5AAAAvgAAAL8AAAC8AAAAvQAAAMOEAQDDAAAAwAAAAMEAAADGAAAA"
          + "xwAAAMQAAADFAAAAygAAAMsAAADIAAAAyQAAAM4AAADPAAAAzAAAAM0AAADSAAAA0wAAANAAAADRAAAA1gAAANcA"
          + "AADUAAAA1QAAANoAAADbAAAA2AAAANkAAADeAAAA3wAAANwAAADdAAAA4gAAAOKsAQDgAAAA4QAAAOYAAADnAAAA"
          + "5AAAAOUAAADqAAAA6wAAAOgAAADpAAAA7zgBAO8AAADsAAAA7QAAAPIAAADzAAAA8AAAAPEAAAD2AAAA9wAAAPQA"
          + "AAD1AAAA+gAAAPsAAAD4AAAA+QAAAP4AAAD/AAAA/AAAAP0AAAAALi4uAGEAZQBmaQDDqQA=";

  private static final String GPT2 =
      "{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"trim_offsets\":true,\"use_regex\":%s}";
  private static final String LLAMA_3 =
      "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\\\r\\\\n\\\\p{L}\\\\p{N}]?\\\\p{L}+|\\\\p{N}{1,3}"
          + "| ?[^\\\\s\\\\p{L}\\\\p{N}]+[\\\\r\\\\n]*|\\\\s*[\\\\r\\\\n]+|\\\\s+(?!\\\\S)|\\\\s+";
  private static final String BERT =
      """
      {"version":"1.0","truncation":
        {"direction":"Right","max_length":512,"strategy":"LongestFirst","stride":0},"padding":null,"added_tokens":[
        {"id":0,"content":"[UNK]","single_word":false,"lstrip":false,"rstrip":false,
         "normalized":false,"special":true}],
       "normalizer":%s,"pre_tokenizer":{"type":"BertPreTokenizer"},
       "post_processor":{"type":"TemplateProcessing","single":[
        {"SpecialToken":{"id":"[CLS]","type_id":0}},{"Sequence":{"id":"A","type_id":0}}],
        "pair":[{"Sequence":{"id":"A","type_id":0}},{"Sequence":{"id":"B","type_id":1}}],
        "special_tokens":{"[CLS]":{"id":"[CLS]","ids":[0],"tokens":["[CLS]"]}}},
       "decoder":{"type":"WordPiece","prefix":"##","cleanup":true},
       "model":{"type":"WordPiece","unk_token":"[UNK]","continuing_subword_prefix":"##",
        "max_input_chars_per_word":100,
        "vocab":{"[UNK]":0,"head":1,"##d":2,"ol":3,"man":4,"the":5}}}
      """;
  private static final String T5 =
      """
      {"version":"1.0","truncation":null,"padding":null,"added_tokens":[
        {"id":0,"content":"<unk>","single_word":false,"lstrip":false,"rstrip":false,
         "normalized":false,"special":true},
        {"id":8,"content":"<extra_id_0>","single_word":false,"lstrip":true,"rstrip":true,
         "normalized":true,"special":true}],
       "normalizer":%s,
       "pre_tokenizer":{"type":"Sequence","pretokenizers":[{"type":"WhitespaceSplit"},
        {"type":"Metaspace","replacement":"\u2581","prepend_scheme":"always","split":true}]},
       "post_processor":null,
       "decoder":{"type":"Metaspace","replacement":"\u2581","prepend_scheme":"always","split":true},
       "model":{"type":"Unigram","unk_id":0,"byte_fallback":false,"vocab":[["<unk>",0],
        ["\u2581",-2.5],["\u2581the",-3],["\u2581o",-3.5],["ld",-3],["fi",-4],["re",-4],["...",-5]]}}
      """;
  private static final String LLAMA_2 =
      """
      {"version":"1.0","truncation":null,"padding":null,"added_tokens":[
        {"id":0,"content":"<unk>","single_word":false,"lstrip":false,"rstrip":false,
         "normalized":true,"special":true},
        {"id":7,"content":"<s>","single_word":false,"lstrip":false,"rstrip":false,
         "normalized":true,"special":true}],
       "normalizer":{"type":"Sequence","normalizers":[{"type":"Prepend","prepend":"\u2581"},
        {"type":"Replace","pattern":{"String":" "},"content":"\u2581"}]},
       "pre_tokenizer":null,
       "post_processor":{"type":"TemplateProcessing","single":[
        {"SpecialToken":{"id":"<s>","type_id":0}},{"Sequence":{"id":"A","type_id":0}}],
        "pair":[{"Sequence":{"id":"A","type_id":0}},{"Sequence":{"id":"B","type_id":1}}],
        "special_tokens":{"<s>":{"id":"<s>","ids":[7],"tokens":["<s>"]}}},
       "decoder":{"type":"Sequence","decoders":[
        {"type":"Replace","pattern":{"String":"\u2581"},"content":" "},{"type":"ByteFallback"},
        {"type":"Fuse"},{"type":"Strip","content":" ","start":1,"stop":0}]},
       "model":{"type":"BPE","dropout":null,"unk_token":"<unk>","continuing_subword_prefix":null,
        "end_of_word_suffix":null,"fuse_unk":true,"byte_fallback":true,"ignore_merges":false,
        "vocab":{"<unk>":0,"\u2581":1,"t":2,"h":3,"e":4,"th":5,"\u2581th":6},
        "merges":["t h","\u2581 th"]}}
      """;

  private Tokenizers() {}

  static String precompiled() {
    return "{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"" + CHARSMAP + "\"}";
  }

  static String named(String name, String normalizer) throws IOException {
    return switch (name) {
      case "BERT" -> BERT.replace("%s", normalizer);
      case "T5" -> T5.replace("%s", normalizer);
      default -> throw new IllegalArgumentException(name);
    };
  }

  private static String byteLevel(String preTokenizer) throws IOException {
    return new String(Texts.pieces(300).content(), StandardCharsets.UTF_8)
        .replaceFirst(
            "\"pre_tokenizer\":\\{[^}]*\\}",
            "\"pre_tokenizer\":" + preTokenizer.replace("\\", "\\\\"))
        .replace(
            "\"added_tokens\":[]",
            "\"added_tokens\":[{\"id\":300,\"content\":\"<s>\",\"single_word\":false,\"lstrip\":false,"
                + "\"rstrip\":false,\"normalized\":false,\"special\":true}]");
  }

  static Stream<Arguments> all() throws IOException {
    String bert =
        "{\"type\":\"BertNormalizer\",\"clean_text\":true,\"handle_chinese_chars\":true,"
            + "\"strip_accents\":null,\"lowercase\":true}";
    String albert =
        "{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"Replace\",\"pattern\":"
            + "{\"String\":\"``\"},\"content\":\"\\\"\"},{\"type\":\"NFKD\"},{\"type\":\"StripAccents\"},"
            + "{\"type\":\"Lowercase\"},"
            + precompiled()
            + ",{\"type\":\"Replace\",\"pattern\":"
            + "{\"Regex\":\" {2,}\"},\"content\":\" \"}]}";
    return Stream.of(
        Arguments.of("GPT-2", byteLevel(GPT2.replace("%s", "true"))),
        Arguments.of(
            "Llama 3",
            byteLevel(
                "{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Split\","
                    + "\"pattern\":{\"Regex\":\""
                    + LLAMA_3
                    + "\"},\"behavior\":\"Isolated\",\"invert\":false},"
                    + GPT2.replace("%s", "false")
                    + "]}")),
        Arguments.of("Llama 2", LLAMA_2),
        Arguments.of("BERT", BERT.replace("%s", bert)),
        Arguments.of("T5 without a charsmap", T5.replace("%s", "null")),
        Arguments.of("T5", T5.replace("%s", precompiled())),
        Arguments.of("ALBERT", T5.replace("%s", albert)));
  }
}
