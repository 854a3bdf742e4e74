package io.github.sharnn.cli.options;

import static io.github.sharnn.cli.Outcome.run;
import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.Model;
import io.github.sharnn.SHARNN;
import io.github.sharnn.cli.Outcome;
import io.github.sharnn.cli.TrainedModelTest;
import io.github.sharnn.vocabulary.WordCount;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** {@code --vocabulary}, and every command on a model of words or subwords. */
class VocabularyOptionsTest extends TrainedModelTest {

  @ParameterizedTest
  @CsvSource({"words, vocabulary.txt", "words:5, vocabulary.txt", "bpe:260, tokenizer.json"})
  void trains_evaluates_and_goes_on_with_words_and_subwords(
      String kind, String file, @TempDir Path folder) throws IOException {
    Path tokens = folder.resolve("model");
    Outcome trained = train("--output", tokens, "--steps", 2, "--vocabulary", kind);
    assertThat(trained.err()).isEmpty();
    assertThat(trained.code()).isZero();
    assertThat(trained.out())
        .containsPattern("; as \\d+ (sub)?words: [\\d,]+, \\d+ and \\d+ tokens\n")
        .containsPattern("test \\d+\\.\\d{4} BPC")
        .containsPattern("\nperplexity \\S+ a token \\(\\d+\\), \\S+ a word \\(\\d+, ends of");
    assertThat(tokens.resolve(file)).exists();
    Outcome evaluated = run("evaluate", tokens, "--corpus", corpus, "--streams", 1);
    assertThat(evaluated.out())
        .containsPattern("BPC \\(\\d+ bytes of the test part.*1 streams\\)")
        .containsPattern("perplexity .* a word .*; segments of 128, memory of 32");
    assertThat(evaluated.out().contains("the tokens lose")).isEqualTo(kind.startsWith("words"));
    String report = Files.readString(tokens.resolve("report.html"));
    assertThat(report).contains("test, perplexity of a word");
    assertThat(report.contains("; the tokens lose")).isEqualTo(kind.startsWith("words"));
    Outcome resumed = train("--resume", tokens, "--vocabulary", kind);
    assertThat(resumed.err()).contains("--vocabulary and --resume exclude each other");
    resumed = run("train", "--resume", tokens, "--steps", 3);
    assertThat(resumed.err()).isEmpty();
    assertThat(resumed.out()).contains("step 3");
    Files.writeString(tokens.resolve(file), "other");
    assertThat(run("evaluate", tokens, "--corpus", corpus).err())
        .contains(file + " is damaged: its SHA-256 is");
    Files.delete(tokens.resolve(file));
    Outcome missing = run("evaluate", tokens, "--corpus", corpus);
    assertThat(missing.err())
        .contains(file + "; this file of the saved model is missing: copy it from the folder")
        .hasLineCount(1);
  }

  @ParameterizedTest
  @CsvSource({"words, 2", "bpe:260, 100"})
  void generates_scores_and_compresses_with_words_and_subwords(
      String kind, String splits, @TempDir Path folder) throws Exception {
    boolean words = kind.equals("words");
    Path tokens = folder.resolve("model");
    Outcome trained =
        train("--output", tokens, "--steps", 2, "--vocabulary", kind, "--splits", splits);
    assertThat(trained.err()).isEmpty();
    assertThat(tokens.resolve("metrics.jsonl")).content().contains("{\"sample\":{\"text\":\"");
    assertThat(tokens.resolve("report.html"))
        .content()
        .contains("<div data-attention=\"0\"></div>");
    Outcome evaluated = run("evaluate", tokens, "--corpus", corpus);
    assertThat(evaluated.out()).contains(" BPC (").containsPattern("perplexity .* a word");

    List<Object> generate =
        List.of("generate", tokens, "--prompt", "abcd ", "--length", 7, "--seed", 42);
    Outcome generated = run(generate.toArray());
    assertThat(generated.code()).isZero();
    assertThat(generated.out()).startsWith("abcd ").doesNotStartWith("abcd  ");
    if (words) {
      WordCount count = new WordCount();
      byte[] text = generated.out().stripTrailing().getBytes(StandardCharsets.UTF_8);
      count.write(text, 0, text.length);
      assertThat(count.words()).isBetween(1L, 1L + 7 + 1);
      Outcome blank = run("generate", tokens, "--prompt", "  ");
      assertThat(blank.err())
          .contains("prompt must have at least one token of the model's vocabulary (6 words)");
      assertThat(blank.code()).isEqualTo(2);
    }
    List<Object> atTheEnd = new ArrayList<>(generate);
    atTheEnd.add("--no-stream");
    assertThat(run(atTheEnd.toArray()).out()).isEqualTo(generated.out());

    Path file = Files.writeString(folder.resolve("text"), "abcd efgh\nijkl mnop. new\n");
    int length;
    try (Model saved = SHARNN.load(tokens)) {
      length = SHARNN.of(saved).vocabulary().encode(Files.readAllBytes(file)).length;
    }
    Outcome scored = run("score", tokens, file);
    assertThat(scored.code()).isZero();
    assertThat(scored.out())
        .containsPattern("^25 bytes, \\S+ bits per byte, .*\n")
        .contains("(" + length + ")")
        .containsPattern(
            "\nperplexity \\S+ a token .*, \\S+ a word \\(7, ends of lines included\\)");
    assertThat(scored.out().contains("the tokens lose 3 bytes")).isEqualTo(words);
    Outcome detail = run("score", tokens, file, "--tokens");
    assertThat(detail.out()).hasLineCount(length + 2).endsWith(scored.out());
    assertThat(detail.out().lines().findFirst().orElseThrow())
        .matches("0\t\\d+\t\\S+\t\\d+\t\\S+\t" + (words ? "abcd" : "a.*"));
    assertThat(run("score", tokens, file, "--lines").out())
        .containsPattern("^\\S+\t1\t.*\tabcd efgh\n\\S+\t2\t.*\tijkl mnop. new\n$");

    Outcome compressed = run("compress", tokens, file);
    if (words) {
      assertThat(compressed.err()).contains("must have tokens that give any file back");
      assertThat(compressed.code()).isEqualTo(2);
    } else {
      Path back = folder.resolve("back");
      assertThat(compressed.err()).isEmpty();
      Outcome decompressed =
          run("decompress", tokens, folder.resolve("text.sharnn"), "--output", back);
      assertThat(decompressed.err()).isEmpty();
      assertThat(back).hasSameBinaryContentAs(file);
    }
  }

  @ParameterizedTest
  @CsvSource({
    "bpe, 'must be bytes, words, words:SIZE, bpe:SIZE or a file, but is ''bpe'', and there is'",
    "bpe:many, a number of tokens after the colon",
    "bpe:100, 'must be at least 256, but is 100'",
    "words:1, 'maximumSize must be at least 2'",
    "no.json, 'bpe:SIZE or a file, but is ''no.json'', and there is no such file'",
    "pom.xml, 'tokenizer pom.xml: this is no tokenizer.json: it is not JSON, or not all of it'",
    "src, 'or a file, but is ''src'', a folder: name the tokenizer.json or vocabulary.txt in it'",
    "CORPUS, 'corpus.txt: not a vocabulary of one word a line: a word must not be empty'"
  })
  void refuses_what_is_no_vocabulary(String kind, String message, @TempDir Path folder) {
    String given = kind.equals("CORPUS") ? corpus.toString() : kind;
    Outcome outcome = train("--output", folder.resolve("m"), "--vocabulary", given);
    assertThat(outcome.err()).contains(message).hasLineCount(1);
    assertThat(outcome.code()).isIn(1, 2);
    assertThat(folder.resolve("m")).doesNotExist();
  }

  /** The corpus that is not there would be the next thing to go wrong. */
  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "--label-smoothing 1 | --label-smoothing must be at least 0 and below 1, but is 1.0",
        "--lookahead 5 | --lookahead takes a whole number of steps and alpha",
        "--average-decay 1 | --average-decay must be at least 0 and below 1, but is 1.0",
        "--batch-size 0 | --batch-size must be at least 1, but is 0",
        "--boom-size 33 | --boom-size (33) must be a multiple of --embedding-size (192)",
        "--weight-drop 1 | --weight-drop must be at least 0 and below 1",
        "--splits 9,5 | --splits must ascend from above 0, as the first tokens of the tails, but"
            + " are [9, 5]",
        "--splits 0 | --splits must ascend from above 0",
        "--splits 9 --default-splits | --splits and --default-splits exclude each other",
        "--splits 9 --label-smoothing 0.1 | --label-smoothing must be 0 for a model with splits"
      })
  void refuses_bad_options_before_it_trains_a_vocabulary(String options, String message) {
    List<Object> args = new ArrayList<>(List.of("train", "--vocabulary", "bpe:260"));
    args.addAll(List.of("--corpus", "not-there"));
    args.addAll(List.of(options.trim().split(" ")));
    Outcome outcome = run(args.toArray());
    assertThat(outcome.err()).contains(message).hasLineCount(1);
    assertThat(outcome.code()).isEqualTo(2);
  }

  @Test
  void refuses_a_minimum_count_without_words(@TempDir Path folder) {
    Outcome outcome =
        train("--output", folder.resolve("m"), "--vocabulary", "bpe:260", "--minimum-count", 2);
    assertThat(outcome.err())
        .contains("--minimum-count is for --vocabulary words, but that is 'bpe:260'")
        .hasLineCount(1);
    assertThat(outcome.code()).isNotZero();
  }
}
