package io.github.sharnn.examples;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.Device;
import ai.djl.Model;
import ai.djl.training.tracker.Tracker;
import ai.onnxruntime.OrtSession;
import io.github.sharnn.SHARNN;
import io.github.sharnn.generate.SHARNNGenerator;
import io.github.sharnn.train.Budget;
import io.github.sharnn.train.Checkpoint;
import io.github.sharnn.train.CheckpointPolicy;
import io.github.sharnn.train.Corpus;
import io.github.sharnn.train.LearningRateSchedule;
import io.github.sharnn.train.SHARNNTrainer;
import io.github.sharnn.train.TrainingOptions;
import io.github.sharnn.vocabulary.WordCount;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class SharnnTest {

  private static final String GOLDEN = "../sharnn-core/src/test/resources/golden/";

  @TempDir private static Path shared;
  private static Path corpus;
  private static Path model;

  /** What a command printed, and its exit code. */
  record Outcome(int code, String out, String err) {}

  private static Outcome run(Object... args) {
    List<String> words = new ArrayList<>();
    for (Object arg : args) {
      words.add(arg.toString());
    }
    return capture(() -> Sharnn.run(words.toArray(String[]::new)));
  }

  static Outcome capture(Callable<Integer> program) {
    PrintStream out = System.out;
    PrintStream err = System.err;
    ByteArrayOutputStream outBytes = new ByteArrayOutputStream();
    ByteArrayOutputStream errBytes = new ByteArrayOutputStream();
    System.setOut(new PrintStream(outBytes, true, StandardCharsets.UTF_8));
    System.setErr(new PrintStream(errBytes, true, StandardCharsets.UTF_8));
    try {
      int code = program.call();
      return new Outcome(
          code,
          outBytes.toString(StandardCharsets.UTF_8),
          errBytes.toString(StandardCharsets.UTF_8));
    } catch (Exception e) {
      throw new AssertionError("the program failed", e);
    } finally {
      System.setOut(out);
      System.setErr(err);
    }
  }

  private static Outcome train(Object... more) {
    List<Object> args =
        new ArrayList<>(
            List.of("train", "--corpus", corpus, "--embedding-size", 16, "--boom-size", 32));
    args.addAll(List.of("--memory-length", 32, "--batch-size", 4, "--sequence-length", 16));
    args.addAll(List.of(more));
    return run(args.toArray());
  }

  @BeforeAll
  static void train_a_model_to_use() throws IOException {
    corpus = shared.resolve("corpus.txt");
    model = shared.resolve("model");
    Files.writeString(corpus, "abcd efgh ijkl mnop. ".repeat(200));
    Outcome outcome = train("--output", model, "--steps", 60);
    assertThat(outcome.err()).isEmpty();
    assertThat(outcome.code()).isZero();
    assertThat(outcome.out()).contains("step 60", "valid", "bytes/s", "test", "saved in " + model);
    assertThat(outcome.out())
        .containsSubsequence(
            "device cpu, precision FLOAT32\n", " trained, ", " collapsed\nsharnn ", "step 1 ");
  }

  @Test
  void exported_model_generates_the_same_text_with_onnx_runtime_alone(@TempDir Path folder)
      throws Exception {
    Path file = folder.resolve("model.onnx");
    Outcome exported = run("export", model, "--output", file);
    assertThat(exported.err()).isEmpty();
    assertThat(exported.code()).isZero();
    assertThat(exported.out()).contains(file + ": ", " bytes, ONNX opset 17");

    Path onnxRuntime =
        Path.of(OrtSession.class.getProtectionDomain().getCodeSource().getLocation().toURI());
    Path source = Path.of("src/main/java/io/github/sharnn/examples/OnnxGenerate.java");
    List<String> command =
        new ArrayList<>(List.of(System.getProperty("java.home") + "/bin/java", "-cp"));
    command.addAll(List.of(onnxRuntime.toString(), source.toString(), file.toString()));
    command.addAll(List.of("efgh", "64", "9", "2"));
    Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
    byte[] text = process.getInputStream().readAllBytes();
    assertThat(process.waitFor()).isZero();

    ByteArrayOutputStream ours = new ByteArrayOutputStream();
    try (Model saved = SHARNN.load(model)) {
      SHARNNGenerator.builder(saved)
          .length(64)
          .seed(9)
          .temperature(2)
          .build()
          .generate("efgh".getBytes(StandardCharsets.UTF_8), ours::write);
    }
    String newline = System.lineSeparator();
    assertThat(new String(text, StandardCharsets.ISO_8859_1))
        .isEqualTo("efgh" + ours.toString(StandardCharsets.ISO_8859_1) + newline)
        .hasSize(4 + 64 + newline.length());
  }

  @Test
  void export_keeps_what_is_there(@TempDir Path folder) throws IOException {
    Path file = Files.writeString(folder.resolve("model.onnx"), "mine");
    Outcome there = run("export", model, "--output", file);
    assertThat(there.code()).isEqualTo(Sharnn.FAILED);
    assertThat(there.err()).contains(file + " exists already", "--output");
    assertThat(file).hasContent("mine");
    Outcome nowhere = run("export", model, "--output", folder.resolve("no/model.onnx"));
    assertThat(nowhere.code()).isEqualTo(Sharnn.FAILED);
    assertThat(nowhere.err()).contains("no such file or folder: " + folder.resolve("no"));
    Outcome empty = run("export", folder, "--output", folder.resolve("new.onnx"));
    assertThat(empty.code()).isEqualTo(Sharnn.FAILED);
    assertThat(empty.err()).startsWith("error: ").contains(folder.toString());
  }

  @Test
  void options_override_those_of_a_recipe(@TempDir Path folder) throws IOException {
    Outcome outcome =
        train(
            "--recipe",
            "fast",
            "--steps",
            3,
            "--layers",
            3,
            "--output",
            folder.resolve("model"),
            "--metrics",
            folder.resolve("metrics.jsonl"));
    assertThat(outcome.err()).isEmpty();
    assertThat(outcome.code()).isZero();
    assertThat(outcome.out())
        .contains("layers=3", "attentionLayers=[1]", "hiddenDropout=0.0", "embeddingSize=16")
        .contains(
            "fast: ", "peak=0.0012", "warmUpSteps=1000", "finalRate=0.0", "unit=STEPS, amount=3")
        .contains("best: step 3", "4 streams");
    assertThat(folder.resolve("model/metrics.jsonl")).doesNotExist();
    assertThat(Files.readAllLines(folder.resolve("metrics.jsonl")))
        .filteredOn(line -> line.contains("\"stage\""))
        .hasSize(3)
        .last()
        .asString()
        .contains("\"step\":3", "\"validationBpc\":", "\"learningRate\":3.6");
  }

  @Test
  void a_recipe_takes_more_options_and_a_run_that_goes_on_keeps_them(@TempDir Path folder)
      throws IOException {
    Path more = folder.resolve("model");
    Outcome outcome =
        train(
            "--output",
            more,
            "--steps",
            4,
            "--learning-rate",
            0.5,
            "--linear",
            "--cooldown",
            40,
            "--decay-after",
            "15,18",
            "--plateau",
            "0.5,1",
            "--weight-drop",
            0.2,
            "--label-smoothing",
            0.1,
            "--average-decay",
            0.9,
            "--lookahead",
            "6,0.75");
    assertThat(outcome.err()).isEmpty();
    assertThat(outcome.out()).contains("weightDrop=0.2", "fall=LINEAR", "plateauPatience=1");
    Checkpoint checkpoint = Checkpoint.open(more);
    assertThat(checkpoint.config().weightDrop()).isEqualTo(0.2f);
    LearningRateSchedule expected =
        LearningRateSchedule.peak(0.5f)
            .warmUp(50)
            .linear()
            .cooldown(40)
            .decayAfter(15, 18)
            .plateau(0.5f, 1);
    assertThat(checkpoint.stages().get(0).learningRate()).isEqualTo(expected);
    TrainingOptions options = checkpoint.options();
    assertThat(options.labelSmoothing()).isEqualTo(0.1f);
    assertThat(options.averageDecay()).isEqualTo(0.9);
    assertThat(options.lookaheadSteps()).isEqualTo(6);
    assertThat(options.lookaheadAlpha()).isEqualTo(0.75f);
    Outcome longer = run("train", "--resume", more, "--steps", 5, "--no-linear");
    assertThat(longer.err()).isEmpty();
    assertThat(longer.code()).isZero();
    Checkpoint newest = Checkpoint.open(more);
    assertThat(newest.step()).isEqualTo(5);
    assertThat(newest.options()).isEqualTo(options);
    assertThat(newest.stages().get(0).learningRate()).isEqualTo(expected.linear(0.5f));
  }

  @Test
  void sets_dynamic_evaluation_beside_evaluation() {
    Outcome plain = run("evaluate", model, "--corpus", corpus, "--streams", 2);
    Outcome both =
        run(
            "evaluate",
            model,
            "--corpus",
            corpus,
            "--streams",
            2,
            "--dynamic",
            "--dynamic-rate",
            0,
            "--dynamic-precision",
            "FLOAT32");
    assertThat(both.err()).isEmpty();
    assertThat(both.code()).isZero();
    assertThat(both.out()).startsWith(plain.out());
    String figure =
        plain.out().lines().filter(line -> line.contains(" BPC (")).findFirst().orElseThrow();
    assertThat(both.out().substring(plain.out().length()))
        .startsWith(figure.substring(0, figure.indexOf(" BPC")) + " BPC with dynamic evaluation")
        .contains("segments of 128, rate 0.0, decay 0.001");
    Outcome refused = run("evaluate", model, "--corpus", corpus, "--dynamic", "--dynamic-decay", 2);
    assertThat(refused.err()).contains("decay of dynamic evaluation must lie between 0 and 1");
    assertThat(refused.code()).isEqualTo(2);
  }

  @Test
  void a_recipe_of_two_stages_trains_both_unless_a_budget_is_given(@TempDir Path folder)
      throws IOException {
    Path tiny = Files.writeString(folder.resolve("tiny.txt"), "abcd efgh ijkl mnop. ".repeat(10));
    List<Object> options = new ArrayList<>();
    options.addAll(List.of("train", "--corpus", tiny, "--recipe", "paper", "--layers", 1));
    options.addAll(List.of("--embedding-size", 16, "--boom-size", 32, "--memory-length", 32));
    options.addAll(List.of("--batch-size", 4, "--sequence-length", 64));
    List<Object> args = new ArrayList<>(options);
    args.addAll(List.of("--warm-up", 9, "--patience", 1, "--output", folder.resolve("both")));
    Outcome both = run(args.toArray());
    assertThat(both.err()).isEmpty();
    assertThat(both.out())
        .contains("paper: ", "amount=32, patience=0", "amount=32, patience=1")
        .contains("warmUpSteps=9", "best of stage 1: step", "best of stage 2: step");
    args = new ArrayList<>(options);
    args.addAll(List.of("--cosine", "--learning-rate", 0.01, "--epochs", 1));
    args.addAll(List.of("--output", folder.resolve("one")));
    Outcome one = run(args.toArray());
    assertThat(one.out())
        .contains("peak=0.01", "finalRate=0.0", "best: step")
        .doesNotContain("stage 2", "peak=0.001");
  }

  @Test
  void plots_the_metrics_of_runs(@TempDir Path folder) throws IOException {
    List<Path> runs = new ArrayList<>();
    for (String name : List.of("one", "two")) {
      Path run = Files.createDirectory(folder.resolve(name));
      runs.add(run.resolve("metrics.jsonl"));
      train(
          "--steps", 12, "--output", run.resolve("model"), "--metrics", runs.get(runs.size() - 1));
    }
    Path svg = folder.resolve("curves.svg");
    Outcome outcome = run("plot", runs.get(0), runs.get(1), "--output", svg);
    assertThat(outcome.err()).isEmpty();
    assertThat(outcome.out()).contains("drawn in " + svg);
    assertThat(svg).content().contains("<svg", "</svg").containsPattern("(?s)(<circle.*){4}");
    assertThat(run("plot", runs.get(0), "--output", svg).err()).contains("exists already");
    Outcome corrupt = run("plot", corpus, "--output", folder.resolve("other.svg"));
    assertThat(corrupt.err()).contains("must hold lines as train --metrics writes them");
    assertThat(corrupt.code()).isEqualTo(2);
    assertThat(folder.resolve("other.svg")).doesNotExist();
  }

  @Test
  void reports_runs_side_by_side(@TempDir Path folder) throws IOException {
    Path other = folder.resolve("other");
    train("--steps", 3, "--layers", 1, "--report-text", "ijkl", "--output", other);
    assertThat(other.resolve("report.html")).content().contains("<h1>Run other</h1>", "ijkl");
    Path page = folder.resolve("page.html");
    Outcome outcome = run("report", model, other, "--output", page, "--text", "mnop");
    assertThat(outcome.err()).isEmpty();
    assertThat(outcome.out()).contains("written to " + page);
    assertThat(page)
        .content()
        .contains("<h1>Runs model, other</h1>", "model, valid; other, train")
        .contains("<tr class=\"differs\"><th>steps</th><td>60</td><td>3</td></tr>")
        .contains("<tr><th>embeddingSize</th><td>16</td><td>16</td></tr>")
        .contains("<pre>mnop</pre>", "Attention of layer 0")
        .contains("command</th><td>train --corpus " + corpus);
    assertThat(run("report", model, "--output", page).err()).contains("exists already", "--output");
    Outcome tooLong = run("report", model, "--output", folder + "/x", "--text", "x".repeat(81));
    assertThat(tooLong.err()).contains("--text must have 1 to 80 bytes").hasLineCount(1);
    assertThat(tooLong.code()).isEqualTo(2);
    Outcome none = run("report", folder, "--output", folder.resolve("x"));
    assertThat(none.err()).contains("metrics.jsonl").hasLineCount(1);
    assertThat(none.code()).isEqualTo(1);
  }

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
    Outcome resumed = train("--resume", tokens, "--vocabulary", kind);
    assertThat(resumed.err()).contains("--vocabulary and --resume exclude each other");
    resumed = run("train", "--resume", tokens, "--steps", 3);
    assertThat(resumed.err()).isEmpty();
    assertThat(resumed.out()).contains("step 3");
    Files.writeString(tokens.resolve(file), "other");
    assertThat(run("evaluate", tokens, "--corpus", corpus).err())
        .contains(file + " is not the model's vocabulary");
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
    assertThat(tokens.resolve("report.html")).content().contains("Attention of layer 0");
    Outcome evaluated = run("evaluate", tokens, "--corpus", corpus);
    assertThat(evaluated.out()).contains(" BPC (").containsPattern("perplexity .* a word");

    List<Object> generate = List.of("generate", tokens, "--prompt", "abcd ", "--length", 7);
    Outcome generated = run(generate.toArray());
    assertThat(generated.code()).isZero();
    assertThat(generated.out()).startsWith("abcd ").doesNotStartWith("abcd  ");
    if (words) {
      WordCount count = new WordCount();
      byte[] text = generated.out().stripTrailing().getBytes(StandardCharsets.UTF_8);
      count.write(text, 0, text.length);
      assertThat(count.words()).isBetween(1L, 1L + 7 + 1);
      Outcome blank = run("generate", tokens, "--prompt", "  ");
      assertThat(blank.err()).contains("prompt must have at least one of the model's 6 words");
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
        .containsPattern("^\\S+\t1\tabcd efgh\n\\S+\t2\tijkl mnop. new\n$");

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

  @Test
  void trains_on_a_folder_with_a_file_for_each_part(@TempDir Path folder) throws IOException {
    for (String part : List.of("train", "valid", "test")) {
      Files.writeString(folder.resolve("ptb." + part + ".txt"), " abcd efgh \n".repeat(40));
    }
    Path words = Files.writeString(folder.resolve("mine.txt"), "<eos>\nabcd\n<unk>\n");
    List<Object> args = new ArrayList<>(List.of("train", "--corpus", folder, "--steps", 1));
    args.addAll(List.of("--embedding-size", 16, "--boom-size", 32, "--memory-length", 32));
    args.addAll(List.of("--batch-size", 4, "--output", folder.resolve("m"), "--vocabulary", words));
    Outcome trained = run(args.toArray());
    assertThat(trained.err()).isEmpty();
    assertThat(trained.out()).contains("as 3 words: 120, 120 and 120 tokens");
    assertThat(folder.resolve("m/vocabulary.txt")).hasSameBinaryContentAs(words);
  }

  @ParameterizedTest
  @CsvSource({
    "bpe, 'must be bytes, words, words:SIZE, bpe:SIZE or a file, but is ''bpe'''",
    "bpe:many, a number of tokens after the colon",
    "bpe:100, 'must be at least 256, but is 100'",
    "words:1, 'maximumSize must be at least 2'",
    "no.json, 'bpe:SIZE or a file, but is ''no.json'''",
    "CORPUS, 'this is no vocabulary of words'"
  })
  void refuses_what_is_no_vocabulary(String kind, String message, @TempDir Path folder) {
    String given = kind.equals("CORPUS") ? corpus.toString() : kind;
    Outcome outcome = train("--output", folder.resolve("m"), "--vocabulary", given);
    assertThat(outcome.err()).contains(message).hasLineCount(1);
    assertThat(outcome.code()).isIn(1, 2);
    assertThat(folder.resolve("m")).doesNotExist();
  }

  @Test
  void lists_the_recipes() {
    assertThat(run("train", "--help").out())
        .contains("small               a small model")
        .contains("paper-four-heads    the same with a head in every layer");
  }

  @Test
  void evaluates_every_byte_but_the_first_of_a_part() {
    Outcome outcome = run("evaluate", model, "--corpus", corpus, "--streams", 1);
    assertThat(outcome.code()).isZero();
    assertThat(outcome.out())
        .matches(
            "(?s)device .* Java \\S+\n\\d\\.\\d{4} BPC \\(209 bytes of the test part.*1 streams\\).*");
  }

  @Test
  void scores_a_file_its_lines_and_its_bytes(@TempDir Path folder) throws IOException {
    Path file = Files.writeString(folder.resolve("log"), "abcd efgh\n\nijkl \u00fc!\nxqzw");
    Outcome totals = run("score", model, file);
    assertThat(totals.code()).isZero();
    assertThat(totals.err()).startsWith("device cpu, precision FLOAT32\n").hasLineCount(3);
    assertThat(totals.out())
        .matches(
            "24 bytes, \\S+ bits per byte, \\S+ nats, perplexity \\S+, expected \\S+ bits .*\n");
    Outcome lines = run("score", model, file, "--lines");
    assertThat(lines.out().lines().map(line -> line.replaceFirst("^\\d+\\.\\d{4}\t", "")))
        .containsExactly("1\tabcd efgh", "2\t", "3\tijkl \u00fc!", "4\txqzw");
    Outcome bytes = run("score", model, file, "--bytes");
    assertThat(bytes.out()).hasLineCount(25).endsWith(totals.out());
    assertThat(bytes.out().lines().skip(13).findFirst().orElseThrow())
        .matches("13\t107\t\\S+\t\\d+\t\\S+");
    assertThat(run("score", model, file, "--lines", "--bytes").code()).isEqualTo(2);
    assertThat(run("score", model, file, "--segment-length", 0).err())
        .contains("segmentLength must be at least 1 token, but is 0");
  }

  @Test
  void scores_lines_without_a_token(@TempDir Path folder) throws IOException {
    Path tokenizer = folder.resolve("tokenizer.json");
    Files.writeString(
        tokenizer,
        """
        {"version":"1.0","truncation":null,"padding":null,"added_tokens":[],
         "normalizer":{"type":"Replace","pattern":{"String":"#\\n"},"content":""},
         "pre_tokenizer":{"type":"Split","pattern":{"String":" "},"behavior":"Removed",
         "invert":false},"post_processor":null,
         "decoder":null,"model":{"type":"WordLevel","unk_token":"[UNK]",
         "vocab":{"[UNK]":0,"abcd":1,"efgh":2,"ijkl":3,"mnop":4,".":5}}}
        """);
    Path lossy = folder.resolve("model");
    assertThat(train("--output", lossy, "--steps", 1, "--vocabulary", tokenizer).err()).isEmpty();
    Path file = Files.writeString(folder.resolve("log"), "abcd efgh\n#\nijkl mnop .\n");
    Outcome lines = run("score", lossy, file, "--lines");
    assertThat(lines.err()).contains("device cpu").hasLineCount(3);
    assertThat(lines.out())
        .matches("\\d+\\.\\d{4}\t1\tabcd efgh\n-\t2\t#\n\\d+\\.\\d{4}\t3\tijkl mnop \\.\n");
  }

  @Test
  void goes_on_with_a_run_that_had_another_tracker(@TempDir Path folder) throws IOException {
    SHARNN block =
        SHARNN.builder().embeddingSize(16).boomSize(32).layers(1).memoryLength(32).build();
    try (Model begun = block.newModel("begun", Device.cpu())) {
      SHARNNTrainer.builder(begun)
          .batchSize(4)
          .sequenceLength(16)
          .learningRate(Tracker.fixed(1e-3f))
          .checkpoints(CheckpointPolicy.in(folder))
          .build()
          .fit(Corpus.open(corpus), Budget.steps(2));
    }
    assertThat(Checkpoint.open(folder).stages().get(0).learningRate()).isNull();
    Outcome without = run("train", "--resume", folder, "--steps", 3, "--warm-up", 5);
    assertThat(without.err()).contains("--learning-rate must be given").hasLineCount(1);
    assertThat(without.code()).isEqualTo(2);
    Outcome with = run("train", "--resume", folder, "--steps", 3, "--learning-rate", 0.01);
    assertThat(with.err()).isEmpty();
    assertThat(with.out()).contains("step 3");
    assertThat(Checkpoint.open(folder).stages().get(0).learningRate())
        .isEqualTo(LearningRateSchedule.peak(0.01f));
  }

  @Test
  void refuses_to_score_an_empty_file(@TempDir Path folder) throws IOException {
    Path empty = Files.createFile(folder.resolve("empty"));
    Outcome outcome = run("score", model, empty);
    assertThat(outcome.err()).contains(empty + " must have at least one token to score");
    assertThat(outcome.code()).isEqualTo(2);
    assertThat(outcome.out()).isEmpty();
    assertThat(run("score", model, empty, "--lines").out()).isEmpty();
  }

  @Test
  void compresses_and_decompresses(@TempDir Path folder) throws IOException {
    Path file = Files.writeString(folder.resolve("text"), "abcd efgh ijkl mnop. ".repeat(9));
    Outcome outcome = run("compress", model, file);
    assertThat(outcome.err()).isEmpty();
    assertThat(outcome.out()).contains("189 bytes to ", " bits per byte); ", "text.sharnn");
    Path compressed = folder.resolve("text.sharnn");
    assertThat(run("compress", model, file).err()).contains("text.sharnn exists already");
    Path back = folder.resolve("back");
    outcome = run("decompress", model, compressed, "--output", back);
    assertThat(outcome.out()).contains("to 189: header ", "decompressed in " + back);
    assertThat(back).hasSameBinaryContentAs(file);
    Path empty = Files.createFile(folder.resolve("empty"));
    outcome = run("compress", model, empty);
    assertThat(outcome.out())
        .containsPattern("\n0 bytes to \\d+: header \\d+, code \\d+; 0 bytes/s\n");
    Path damaged = folder.resolve("damaged");
    byte[] bytes = Files.readAllBytes(compressed);
    bytes[bytes.length - 20] ^= 1;
    Files.write(damaged, bytes);
    outcome = run("decompress", model, damaged, "--output", folder.resolve("other"));
    assertThat(outcome.code()).isEqualTo(1);
    assertThat(outcome.err()).contains("damaged").hasLineCount(1);
    assertThat(folder.resolve("other")).doesNotExist();
    outcome = run("decompress", model, file, "--output", folder.resolve("other"));
    assertThat(outcome.code()).isEqualTo(1);
    assertThat(outcome.err()).contains("is no file that sharnn.jar compress wrote").hasLineCount(1);
  }

  @Test
  void backs_off_to_less_memory_and_to_no_attention() {
    List<String> results = new ArrayList<>();
    for (List<Object> options :
        List.of(
            List.<Object>of(),
            List.<Object>of("--memory-length", 4),
            List.<Object>of("--memory-length", 0),
            List.<Object>of("--no-attention"))) {
      List<Object> args = new ArrayList<>(List.of("evaluate", model, "--corpus", corpus));
      args.addAll(List.of("--streams", 1, "--sequence-length", 2));
      args.addAll(options);
      Outcome outcome = run(args.toArray());
      assertThat(outcome.code()).isZero();
      assertThat(outcome.out()).contains(" BPC (209 bytes");
      results.add(outcome.out().lines().skip(1).findFirst().orElseThrow()); // parameters
    }
    assertThat(results.get(1)).isEqualTo(results.get(0));
    assertThat(results.get(3)).startsWith("parameters ").isNotEqualTo(results.get(0));
    assertThat(run("evaluate", model, "--memory-length", -1).err())
        .contains("memoryLength must be at least 0, but is -1");
  }

  @Test
  void generates_the_same_text_from_the_same_seed() {
    Outcome first = run("generate", model, "--prompt", "abcd ", "--length", 40);
    Outcome second = run("generate", model, "--prompt", "abcd ", "--length", 40);
    Outcome other = run("generate", model, "--prompt", "abcd ", "--length", 40, "--seed", 7);
    assertThat(first.code()).isZero();
    assertThat(first.out()).startsWith("abcd ").hasSizeGreaterThan(20);
    assertThat(first.err()).startsWith("device cpu, precision FLOAT32\n").hasLineCount(3);
    assertThat(second.out()).isEqualTo(first.out()).isNotEqualTo(other.out());
  }

  @Test
  void samples_with_every_option() {
    List<Object> args = new ArrayList<>(List.of("generate", model, "--temperature", 2));
    args.addAll(List.of("--length", 60));
    String plain = run(args.toArray()).out();
    for (List<Object> option :
        List.of(
            List.<Object>of("--min-p", 1),
            List.<Object>of("--repetition-penalty", 4),
            List.<Object>of("--top-k", 1),
            List.<Object>of("--top-p", 0.01))) {
      List<Object> more = new ArrayList<>(args);
      more.addAll(option);
      assertThat(run(more.toArray()).out()).as("%s", option).isNotEqualTo(plain);
    }
    args.addAll(List.of("--repetition-penalty", 4, "--repetition-window", 0));
    assertThat(run(args.toArray()).out()).isEqualTo(plain);
  }

  @Test
  void prints_the_text_as_it_comes_or_at_once() {
    Outcome plain = run("generate", model, "--length", 40);
    Outcome streamed = run("generate", model, "--length", 40, "--stream");
    Outcome atOnce = run("generate", model, "--length", 40, "--no-stream");
    assertThat(streamed.out()).isEqualTo(plain.out()).isEqualTo(atOnce.out()).endsWith("\n");
  }

  /** Two thousand million bytes, of which nobody reads more than the first. */
  @Test
  @Timeout(60)
  void stops_generating_where_nobody_reads_any_more() {
    PrintStream out = System.out;
    List<String> pieces = new ArrayList<>();
    OutputStream broken =
        new OutputStream() {
          @Override
          public void write(byte[] bytes, int from, int length) throws IOException {
            pieces.add(new String(bytes, from, length, StandardCharsets.UTF_8));
            if (pieces.size() > 3) {
              throw new IOException("Broken pipe");
            }
          }

          @Override
          public void write(int value) throws IOException {
            write(new byte[] {(byte) value}, 0, 1);
          }
        };
    try {
      System.setOut(new PrintStream(broken, false, StandardCharsets.UTF_8));
      int code = Sharnn.run("generate", model.toString(), "--length", "2000000000");
      assertThat(code).isZero();
    } finally {
      System.setOut(out);
    }
    assertThat(pieces).startsWith("The ").hasSizeBetween(4, 5);
  }

  @Test
  void trains_evaluates_and_generates_with_a_split_softmax(@TempDir Path folder) throws Exception {
    Path split = folder.resolve("split");
    assertThat(train("--output", split, "--steps", 5, "--splits", "101,110").code()).isZero();
    try (Model saved = SHARNN.load(split)) {
      assertThat(SHARNN.of(saved).config().splits()).containsExactly(101, 110);
    }
    assertThat(run("evaluate", split, "--corpus", corpus).code()).isZero();
    assertThat(run("generate", split, "--prompt", "abcd ", "--length", 9).code()).isZero();
    Outcome refused = train("--output", folder.resolve("no"), "--splits", "110,300");
    assertThat(refused.err()).contains("below vocabularySize (256), but have 300 after 110");
    assertThat(refused.code()).isEqualTo(2);
  }

  @Test
  void verifies_golden_vectors_of_every_kind() {
    Outcome outcome =
        run(
            "verify",
            GOLDEN + "single-head",
            GOLDEN + "every-layer",
            GOLDEN + "no-attention",
            GOLDEN + "split-softmax",
            GOLDEN + "sampling");
    assertThat(outcome.out())
        .contains("output", "loss", "state", "gradient", "clipped norm", "parameter")
        .contains("collapsed scale", "sampling", "passed")
        .doesNotContain("FAIL");
    assertThat(outcome.code()).isZero();
  }

  @Test
  void fails_on_numbers_that_differ_and_names_the_tensor(@TempDir Path folder) throws IOException {
    for (String file : List.of("config.json", "model.safetensors", "expected.safetensors")) {
      Files.copy(Path.of(GOLDEN, "no-attention", file), folder.resolve(file));
    }
    String config = Files.readString(folder.resolve("config.json"));
    Files.writeString(
        folder.resolve("config.json"), config.replace("\"beta1\": 0.9", "\"beta1\": 0.8"));
    Outcome outcome = run("verify", folder);
    assertThat(outcome.code()).isEqualTo(1);
    assertThat(outcome.out()).containsPattern("parameter .*FAIL +train\\.\\d\\.param\\.");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "train",
        "evaluate",
        "score",
        "generate",
        "compress",
        "decompress",
        "verify",
        "prepare-enwik8",
        "plot",
        "report",
        "benchmark"
      })
  void explains_every_command(String command) {
    Outcome outcome = run(command, "--help");
    assertThat(outcome.code()).isZero();
    assertThat(outcome.out()).contains("Usage: sharnn " + command);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "train --attention-layers 9 | attentionLayers",
        "train --boom-size 33 | boomSize (33) must be a multiple of embeddingSize (16)",
        "train --embedding-size 0 | embeddingSize must be at least 1, but is 0",
        "train --layers -1 | layers must be at least 1, but is -1",
        "train --batch-size 0 | batchSize must be at least 1, but is 0",
        "train --batch-size 100000 | use fewer streams (a smaller batchSize) or a longer corpus",
        "train --dropout 1.5 | inputDropout must be at least 0 and below 1",
        "train --split 0.5,0.5 | --split takes three numbers",
        "train --steps 0 | a budget of steps must be above 0, but is 0",
        "train --enwik8 | enwik8 has exactly 100000000 bytes",
        "train --recipe slow | expected one of [small, paper, paper-four-heads, paper-no-attention, fast]",
        "train --recipe paper --warm-up -1 | warmUpSteps must be at least 0, but is -1",
        "train --plateau 0.5 | --plateau takes a factor and a whole number of evaluations",
        "train --plateau 0.5,1.5 | --plateau takes a factor and a whole number of evaluations",
        "train --plateau 2,3 | plateauFactor must be above 0 and below 1, but is 2.0",
        "train --cosine --linear | --cosine and --linear exclude each other",
        "train --decay-after 5,0 | decay steps must be at least 1, but are [5, 0]",
        "train --lookahead 5 | --lookahead takes a whole number of steps and alpha",
        "train --lookahead 5,1.5 | Lookahead's alpha must be above 0 and at most 1, but is 1.5",
        "train --average-decay 1 | averageDecay must be at least 0 and below 1, but is 1.0",
        "train --zero-state 1 | zeroStateProbability must be at least 0 and below 1, but is 1.0",
        "train --label-smoothing 1 | labelSmoothing must be at least 0 and below 1, but is 1.0",
        "train --weight-drop 1 | weightDrop must be at least 0 and below 1",
        "train --patience -1 | patience must be at least 0, but is -1",
        "train --speed 3 | Unknown option",
        "train --layers many | Invalid value for option '--layers'",
        "train --steps 3 --epochs 2 | mutually exclusive"
      })
  void refuses_bad_options_of_train(String line, String message, @TempDir Path folder) {
    List<String> words = List.of(line.trim().split(" "));
    List<Object> args = new ArrayList<>(words.subList(1, words.size()));
    args.addAll(List.of("--output", folder.resolve("model")));
    Outcome outcome = run(defaults(args).toArray());
    assertThat(outcome.err()).contains(message).doesNotContain("\tat ");
    assertThat(outcome.code()).isEqualTo(2);
    assertThat(folder.resolve("model")).doesNotExist();
  }

  /** The tiny model's options where the line does not set them itself. */
  private static List<Object> defaults(List<Object> args) {
    List<Object> all = new ArrayList<>(List.of("train", "--corpus", corpus));
    List<String> options = List.of("--embedding-size", "16", "--boom-size", "32");
    for (int i = 0; i < options.size(); i += 2) {
      if (!args.contains(options.get(i))) {
        all.addAll(options.subList(i, i + 2));
      }
    }
    all.addAll(args);
    return all;
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "--top-p 0 | topP",
        "--top-p 1.5 | topP",
        "--temperature 0 | temperature",
        "--top-k -1 | topK",
        "--length 0 | length",
        "--min-p 2 | minP",
        "--repetition-penalty 0 | repetitionPenalty",
        "--repetition-window -1 | repetitionWindow",
        "--prompt= | prompt must not be empty"
      })
  void refuses_bad_options_of_generate(String options, String message) {
    List<Object> args = new ArrayList<>(List.of("generate", model));
    args.addAll(List.of(options.trim().split(" ")));
    Outcome outcome = run(args.toArray());
    assertThat(outcome.err().lines().reduce((first, last) -> last).orElseThrow())
        .startsWith("error: ")
        .contains(message);
    assertThat(outcome.code()).isEqualTo(2);
  }

  @Test
  void refuses_a_line_without_a_command() {
    Outcome outcome = run();
    assertThat(outcome.code()).isEqualTo(2);
    assertThat(outcome.err()).contains("name a command", "Usage: sharnn");
  }

  @Test
  void leaves_existing_files_alone(@TempDir Path folder) throws IOException {
    Files.writeString(folder.resolve("precious"), "work");
    Outcome outcome = train("--output", folder, "--steps", 1);
    assertThat(outcome.code()).isEqualTo(1);
    assertThat(outcome.err())
        .contains(folder.toString(), "exists already", "--output")
        .hasLineCount(1);
    outcome = train("--output", folder.resolve("new"), "--metrics", folder.resolve("precious"));
    assertThat(outcome.err()).contains("precious exists already", "--metrics").hasLineCount(1);
    assertThat(folder.resolve("new")).doesNotExist();
    assertThat(folder.resolve("precious")).hasContent("work");
  }

  @Test
  void says_what_is_wrong_with_a_file_in_one_line(@TempDir Path folder) throws IOException {
    Path empty = Files.createFile(folder.resolve("empty"));
    Path garbage = Files.createDirectory(folder.resolve("garbage"));
    Files.writeString(garbage.resolve("model-0000.params"), "this is no model");

    Outcome missing =
        run("train", "--corpus", folder.resolve("nowhere"), "--output", folder.resolve("m"));
    assertThat(missing.err()).contains("nowhere").hasLineCount(1);
    assertThat(missing.code()).isEqualTo(1);
    Outcome nothing = run("train", "--corpus", empty, "--output", folder.resolve("m"));
    assertThat(nothing.err()).contains("is empty").hasLineCount(1);
    Outcome noFolder = run("generate", folder.resolve("nowhere"));
    assertThat(noFolder.err()).contains("nowhere").hasLineCount(1);
    assertThat(noFolder.code()).isEqualTo(1);
    Outcome noModel = run("generate", folder);
    assertThat(noModel.err())
        .contains("must hold the NAME-0000.params of one model")
        .hasLineCount(1);
    Outcome foreign = run("generate", garbage);
    assertThat(foreign.err()).contains(garbage.toString()).hasLineCount(1);
    assertThat(foreign.code()).isEqualTo(1);
    Files.writeString(garbage.resolve("enwik8"), "this is no enwik8");
    Outcome notEnwik8 = run("prepare-enwik8", garbage);
    assertThat(notEnwik8.err()).contains("is another file than enwik8").hasLineCount(1);
    assertThat(notEnwik8.code()).isEqualTo(1);
    Outcome notGolden = run("verify", folder);
    assertThat(notGolden.err()).contains("no expected.safetensors").hasLineCount(1);
  }

  @Test
  void shows_the_stack_trace_only_when_asked(@TempDir Path folder) {
    assertThat(run("generate", folder, "--verbose").err()).contains("\tat ");
  }
}
