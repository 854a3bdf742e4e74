package io.github.sharnn.examples;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.gson.Gson;
import com.google.gson.JsonObject;
import java.io.BufferedReader;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.regex.MatchResult;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The scripts of {@code jbang-catalog.json}, run with plain Java. */
class JBangTest {

  private static final Path ROOT = Path.of("..").toAbsolutePath().normalize();
  private static final Pattern PROPERTY = Pattern.compile("\\$\\{([a-z0-9.]+[.]version)}");
  private static final Pattern PROGRESS = Pattern.compile("^step (\\d+) .* ([\\d,]+) bytes/s");
  private static final double BYTES_OF_A_STEP = 16 * 64;
  private static final String PYTORCH =
      " ai.djl.pytorch:pytorch-native-cpu:${pytorch.version}:${native:linux-x86_64}"
          + " ai.djl.pytorch:pytorch-jni:${pytorch.version}-${djl.version}"
          + " org.slf4j:slf4j-simple:${slf4j.version}";
  private static final Map<String, String> DEPENDENCIES =
      Map.of(
          "generate",
          "io.github.sharnn:sharnn-models:${project.version}" + PYTORCH,
          "train",
          "io.github.sharnn:sharnn-train:${project.version}" + PYTORCH,
          "onnx-generate",
          "com.microsoft.onnxruntime:onnxruntime:${onnxruntime.version}");

  private static JsonObject aliases() throws IOException {
    String catalog = Files.readString(ROOT.resolve("jbang-catalog.json"));
    return new Gson().fromJson(catalog, JsonObject.class).getAsJsonObject("aliases");
  }

  private static Path script(JsonObject alias) {
    assertThat(alias.get("description").getAsString()).isNotBlank();
    return ROOT.resolve(alias.get("script-ref").getAsString());
  }

  private static Path script(String alias) throws IOException {
    return script(aliases().getAsJsonObject(alias));
  }

  /** Returns the dependencies that an alias or its script names. */
  private static List<String> dependencies(JsonObject alias) throws IOException {
    List<String> named = new ArrayList<>();
    if (alias.has("dependencies")) {
      alias.getAsJsonArray("dependencies").forEach(each -> named.add(each.getAsString()));
    }
    for (String line : Files.readAllLines(script(alias))) {
      if (line.startsWith("//DEPS ")) {
        named.add(line.substring("//DEPS ".length()));
      }
    }
    return named;
  }

  @Test
  void dependencies_have_the_versions_of_the_pom() throws IOException {
    String pom = Files.readString(ROOT.resolve("pom.xml"));
    for (String name : aliases().keySet()) {
      String expected =
          PROPERTY
              .matcher(DEPENDENCIES.get(name))
              .replaceAll(match -> version(pom, match.group(1)));
      assertThat(dependencies(aliases().getAsJsonObject(name)))
          .as(name)
          .containsExactly(expected.split(" "));
    }
    assertThat(DEPENDENCIES.keySet()).isEqualTo(aliases().keySet());
  }

  private static String version(String pom, String property) {
    String element = property.equals("project.version") ? "version" : property;
    Pattern pattern = Pattern.compile("<" + element + ">([^<]+)</" + element + ">");
    return pattern.matcher(pom).results().map((MatchResult m) -> m.group(1)).findFirst().get();
  }

  @Test
  void train_has_the_lines_of_the_readme() throws IOException {
    String readme = Files.readString(ROOT.resolve("README.md"));
    int start = readme.indexOf("```java\n") + "```java\n".length();
    String lines = readme.substring(start, readme.indexOf("```", start));
    String script =
        Files.readAllLines(script("train")).stream()
            .dropWhile(line -> line.startsWith("//"))
            .skip(1)
            .collect(Collectors.joining("\n", "", "\n"));
    assertThat(script).as("jbang/Train.java: copy the lines of README.md").isEqualTo(lines);
  }

  @Test
  void train_runs(@TempDir Path folder) throws Exception {
    Files.writeString(folder.resolve("book.txt"), "The quick brown fox.\n".repeat(300));
    String out = java(folder, script("train"));
    assertThat(out).contains("bits per character");
    assertThat(folder.resolve("book-model").resolve("model.safetensors")).isNotEmptyFile();
  }

  /** Issue 18: the README's lines show their progress from the second second on. */
  @Test
  @Tag("slow")
  void train_shows_its_progress_from_the_second_second_on(@TempDir Path folder) throws Exception {
    Files.writeString(folder.resolve("book.txt"), "The quick brown fox.\n".repeat(50_000));
    Process process = start(folder, script("train"));
    List<Double> seconds = new ArrayList<>(); // at which lines came
    double afterFitBegan = Double.NaN;
    try (BufferedReader out = process.inputReader(StandardCharsets.UTF_8)) {
      while (seconds.size() < 5) {
        Matcher line = PROGRESS.matcher(out.readLine());
        if (line.find()) {
          if (seconds.isEmpty()) {
            assertThat(line.group(1)).isEqualTo("1");
            afterFitBegan = BYTES_OF_A_STEP / Double.parseDouble(line.group(2).replace(",", ""));
          }
          seconds.add(System.nanoTime() / 1e9);
        }
      }
    } finally {
      process.destroyForcibly().waitFor();
    }
    assertThat(afterFitBegan).isLessThan(2);
    for (int i = 1; i < seconds.size(); i++) {
      assertThat(seconds.get(i) - seconds.get(i - 1)).isLessThan(15);
    }
  }

  @Test
  void generate_runs(@TempDir Path folder) throws Exception {
    assertThat(java(folder, script("generate"), "The old", "town "))
        .contains("The old town ")
        .hasSizeGreaterThan(400);
  }

  private static String java(Path folder, Path script, String... args) throws Exception {
    Process process = start(folder, script, args);
    String out = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertThat(process.waitFor()).as(out).isZero();
    return out;
  }

  private static Process start(Path folder, Path script, String... args) throws IOException {
    List<String> command = new ArrayList<>();
    command.addAll(
        List.of(
            System.getProperty("java.home") + "/bin/java",
            "-Dai.djl.pytorch.num_threads=1",
            "-DENGINE_CACHE_DIR=" + System.getProperty("ENGINE_CACHE_DIR"),
            "-cp",
            System.getProperty("java.class.path"),
            script.toString()));
    command.addAll(List.of(args));
    return new ProcessBuilder(command).directory(folder.toFile()).redirectErrorStream(true).start();
  }
}
