package io.github.sharnn.spark;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.File;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.jar.JarEntry;
import java.util.jar.JarFile;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

/** The Guava of sharnn-spark.jar, which must not meet the Guava of Spark. */
class RelocationIT {

  private static final Pattern GUAVA = Pattern.compile("com/google/common/[a-z/]+/[A-Z]");

  @Test
  void no_class_of_the_jar_uses_another_guava() throws Exception {
    List<String> foreign = new ArrayList<>();
    int relocated = 0;
    try (JarFile jar = new JarFile(LocalCluster.SHARNN_JAR.toFile())) {
      for (JarEntry entry : jar.stream().toList()) {
        if (entry.getName().startsWith("io/github/sharnn/shaded/guava/")) {
          relocated++;
        }
        if (entry.getName().endsWith(".class")) {
          try (InputStream in = jar.getInputStream(entry)) {
            String constants = new String(in.readAllBytes(), StandardCharsets.ISO_8859_1);
            if (GUAVA.matcher(constants).find()) {
              foreign.add(entry.getName());
            }
          }
        }
      }
    }
    assertThat(foreign).isEmpty();
    assertThat(relocated).isGreaterThan(1000);
  }

  /** The library's checks need a Guava of 2017 or later. */
  @Test
  void a_guava_of_2013_on_the_class_path_does_no_harm() throws Exception {
    String classPath =
        String.join(
            File.pathSeparator,
            Path.of("target/old/guava-14.0.1.jar").toString(),
            Path.of("target/test-classes").toString(),
            LocalCluster.SHARNN_JAR.toString(),
            System.getProperty("java.class.path"));
    Process process =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Dai.djl.pytorch.num_threads=1",
                "-cp",
                classPath,
                OldGuava.class.getName())
            .redirectErrorStream(true)
            .start();
    String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertThat(process.waitFor()).as(output).isZero();
    assertThat(output).contains("guava-14.0.1.jar").contains("bits of a text: ");
  }
}
