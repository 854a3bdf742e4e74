package io.github.sharnn.architecture;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Set;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Each library's module descriptor exports every package, as the class path does. */
class ModuleDescriptorTest {

  private static final Pattern EXPORT = Pattern.compile("exports ([a-z0-9.]+);");

  @ParameterizedTest
  @ValueSource(strings = {"core", "train", "tokenizers", "onnx", "bench", "langchain4j", "models"})
  void exports_every_package(String module) throws IOException {
    Path main = Path.of("../sharnn-" + module + "/src/main");
    Set<String> exported =
        EXPORT
            .matcher(Files.readString(main.resolve("module/module-info.java")))
            .results()
            .map(match -> match.group(1))
            .collect(Collectors.toSet());
    Path sources = main.resolve("java");
    try (Stream<Path> files = Files.walk(sources)) {
      Set<String> packages =
          files
              .filter(file -> file.toString().endsWith(".java"))
              .map(file -> sources.relativize(file.getParent()).toString())
              .map(folder -> folder.replace(File.separatorChar, '.'))
              .collect(Collectors.toSet());
      assertThat(exported).isEqualTo(packages);
    }
  }
}
