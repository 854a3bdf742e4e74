package io.github.sharnn.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * The commands of README.md and docs/*.md, run as a reader pastes them, with the built {@code
 * sharnn.jar}.
 *
 * <p>Each file has a folder of its own with a small {@code book.txt}, {@code log.txt}, {@code data}
 * and {@code model}. Its blocks {@code sh} run there in order. A comment before a block skips it:
 * {@code <!-- needs a GPU -->}, {@code <!-- downloads -->}, {@code <!-- slow -->} or {@code <!--
 * needs Maven -->}, each with a reason after a colon if need be.
 */
@DisabledOnOs(OS.WINDOWS) // the blocks are for a POSIX shell
class DocumentedCommandsIT {

  private static final Path ROOT = Path.of("..").toAbsolutePath().normalize();
  private static final Path JAR = ROOT.resolve("sharnn-cli/target/sharnn.jar");
  private static final Pattern FENCE = Pattern.compile("(\\s*)```\\s*(\\w*).*");
  private static final Pattern SKIP =
      Pattern.compile("<!-- (needs a GPU|downloads|slow|needs Maven)(: [^>]*)? -->");
  private static final List<String> OTHER_SHELLS = List.of("bash", "shell", "console", "zsh");
  private static final List<String> WORDS =
      List.of("the", "old", "man", "and", "child", "said", "house", "little", "night", "street");

  @TempDir static Path model;
  @TempDir Path folder;

  /**
   * A fenced block of shell commands.
   *
   * @param line the line of its fence
   * @param comment the comment before it, or an empty text
   */
  private record Block(int line, String comment, String script) {

    boolean isSkipped() {
      return !comment.isEmpty();
    }
  }

  static List<String> documents() throws IOException {
    try (Stream<Path> docs = Files.list(ROOT.resolve("docs"))) {
      return Stream.concat(Stream.of(ROOT.resolve("README.md")), docs.sorted())
          .filter(file -> file.toString().endsWith(".md"))
          .map(file -> ROOT.relativize(file).toString())
          .toList();
    }
  }

  @BeforeAll
  static void train_a_model() throws Exception {
    lay(model);
    String train =
        "java -jar sharnn-cli/target/sharnn.jar train --corpus book.txt --output model --steps 40"
            + " --embedding-size 32 --boom-size 64 --layers 2 --memory-length 64 --batch-size 4"
            + " --sequence-length 32";
    assertThat(run(model, train)).as(() -> train + "\n" + output(model)).isZero();
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("documents")
  void commands_work_as_pasted(String document) throws Exception {
    List<Block> blocks = blocks(Files.readAllLines(ROOT.resolve(document)));
    if (blocks.stream().allMatch(Block::isSkipped)) {
      return;
    }
    lay(folder);
    copy(model.resolve("model"), folder.resolve("model"));
    for (Block block : blocks) {
      if (!block.isSkipped()) {
        assertThat(run(folder, block.script()))
            .as(
                () ->
                    String.format(
                        Locale.ROOT,
                        "exit code of %s:%d%n%s%n%s",
                        document,
                        block.line(),
                        block.script(),
                        output(folder)))
            .isZero();
      }
    }
  }

  @Test
  void a_block_is_skipped_only_by_a_known_comment() {
    List<Block> blocks =
        blocks(
            List.of(
                "```sh",
                "java \\",
                "  -version",
                "```",
                "  <!-- slow: 11 h on a GPU -->",
                "",
                "  ```sh",
                "  train",
                "  ```",
                "```text",
                "```sh",
                "```"));
    assertThat(blocks)
        .containsExactly(
            new Block(1, "", "java \\\n  -version\n"),
            new Block(7, "<!-- slow: 11 h on a GPU -->", "train\n"));
    assertThat(blocks.get(0).isSkipped()).isFalse();
  }

  private static List<Block> blocks(List<String> lines) {
    List<Block> blocks = new ArrayList<>();
    String before = "";
    for (int i = 0; i < lines.size(); i++) {
      Matcher fence = FENCE.matcher(lines.get(i));
      if (!fence.matches()) {
        before = lines.get(i).isBlank() ? before : lines.get(i).strip();
        continue;
      }
      int line = i + 1;
      String language = fence.group(2);
      assertThat(language).as("line %s: mark shell commands as sh", line).isNotIn(OTHER_SHELLS);
      StringBuilder script = new StringBuilder();
      for (i++; !lines.get(i).strip().equals("```"); i++) {
        String text = lines.get(i);
        script.append(text.startsWith(fence.group(1)) ? text.substring(fence.end(1)) : text);
        script.append('\n');
      }
      if (language.equals("sh")) {
        boolean comment = before.startsWith("<!--");
        assertThat(!comment || SKIP.matcher(before).matches())
            .as("line %s: %s must be one of %s", line, before, SKIP)
            .isTrue();
        blocks.add(new Block(line, comment ? before : "", script.toString()));
      }
      before = "";
    }
    return blocks;
  }

  /** Lays out a folder as the documents assume it. */
  private static void lay(Path folder) throws IOException {
    Files.createDirectories(folder.resolve("sharnn-cli/target"));
    Files.createSymbolicLink(folder.resolve("sharnn-cli/target/sharnn.jar"), JAR);
    Files.writeString(folder.resolve("book.txt"), text(1, 20_000));
    Files.createDirectories(folder.resolve("data"));
    Files.writeString(folder.resolve("data/train.txt"), text(2, 40_000));
    Files.writeString(folder.resolve("data/valid.txt"), text(3, 8_000));
    Files.writeString(folder.resolve("data/test.txt"), text(4, 8_000));
    Files.writeString(folder.resolve("log.txt"), text(5, 8_000));
  }

  private static String text(int seed, int length) {
    Random random = new Random(seed);
    StringBuilder text = new StringBuilder();
    while (text.length() < length) {
      text.append(WORDS.get(random.nextInt(WORDS.size())));
      text.append(random.nextInt(9) == 0 ? ".\n" : " ");
    }
    return text.toString();
  }

  private static void copy(Path from, Path to) throws IOException {
    try (Stream<Path> files = Files.walk(from)) {
      for (Path file : files.toList()) {
        Files.copy(
            file, to.resolve(from.relativize(file).toString()), StandardCopyOption.COPY_ATTRIBUTES);
      }
    }
  }

  /** Runs a script in a folder, with this Java, on one thread. */
  private static int run(Path folder, String script) throws IOException, InterruptedException {
    ProcessBuilder builder = new ProcessBuilder("bash", "-e", "-c", script);
    builder.directory(folder.toFile());
    builder.redirectErrorStream(true).redirectOutput(folder.resolve(".output").toFile());
    String path = System.getProperty("java.home") + "/bin:" + System.getenv("PATH");
    builder.environment().put("PATH", path);
    builder.environment().put("JAVA_TOOL_OPTIONS", javaOptions());
    Process process = builder.start();
    try {
      process.getOutputStream().close();
      assertThat(process.waitFor(5, TimeUnit.MINUTES))
          .as(() -> String.format(Locale.ROOT, "ended in time:%n%s%n%s", script, output(folder)))
          .isTrue();
      return process.exitValue();
    } finally {
      process.descendants().forEach(ProcessHandle::destroyForcibly);
      process.destroyForcibly();
    }
  }

  /** Returns options for a fast start on one thread, and this test's cache folders of DJL. */
  private static String javaOptions() {
    StringBuilder options =
        new StringBuilder(
            "-Dai.djl.pytorch.num_threads=1 -XX:+UseSerialGC -XX:TieredStopAtLevel=1");
    for (String name : List.of("DJL_CACHE_DIR", "ENGINE_CACHE_DIR")) {
      if (System.getProperty(name) != null) {
        options.append(String.format(Locale.ROOT, " \"-D%s=%s\"", name, System.getProperty(name)));
      }
    }
    return options.toString();
  }

  private static String output(Path folder) {
    try {
      return Files.readString(folder.resolve(".output"));
    } catch (IOException e) {
      return "no output: " + e;
    }
  }
}
