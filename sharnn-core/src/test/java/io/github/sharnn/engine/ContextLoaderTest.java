package io.github.sharnn.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.Model;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import io.github.sharnn.SHARNN;
import io.github.sharnn.generate.SHARNNGenerator;
import io.github.sharnn.score.Scorer;
import java.io.File;
import java.io.IOException;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.CompletableFuture;
import java.util.function.Supplier;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ContextLoaderTest {

  @Test
  void restores_the_threads_own_loader_after_a_result_and_after_an_exception() {
    Thread thread = Thread.currentThread();
    ClassLoader before = thread.getContextClassLoader();
    thread.setContextClassLoader(ClassLoader.getPlatformClassLoader());
    try {
      ClassLoader during = ContextLoader.call(thread::getContextClassLoader);
      assertThat(during).isSameAs(ContextLoader.class.getClassLoader());
      assertThatThrownBy(
              () ->
                  ContextLoader.call(
                      () -> {
                        throw new IOException("as expected");
                      }))
          .isInstanceOf(IOException.class);
      assertThat(thread.getContextClassLoader()).isSameAs(ClassLoader.getPlatformClassLoader());
    } finally {
      thread.setContextClassLoader(before);
    }
  }

  /** A program that loads the library as a plugin does, with a class loader of its own. */
  static final class Plugin {

    private Plugin() {}

    public static void main(String[] args) throws Exception {
      String[] path = System.getProperty("java.class.path").split(File.pathSeparator);
      URL[] urls = new URL[path.length];
      for (int i = 0; i < path.length; i++) {
        urls[i] = Path.of(path[i]).toUri().toURL();
      }
      Thread.currentThread().setContextClassLoader(ClassLoader.getPlatformClassLoader());
      URLClassLoader loader = new URLClassLoader(urls, ClassLoader.getPlatformClassLoader());
      if (args[0].equals("djl first")) {
        Object engines =
            loader.loadClass("ai.djl.engine.Engine").getMethod("getAllEngines").invoke(null);
        System.out.println("DJL finds " + engines);
      }
      Supplier<?> work = (Supplier<?>) loader.loadClass(args[1]).getConstructor().newInstance();
      System.out.println(CompletableFuture.supplyAsync(work).get());
      System.out.println(work.get());
    }
  }

  /** The work of a {@link Plugin}, in its class loader. */
  public static final class Work implements Supplier<String> {

    @Override
    public String get() {
      SHARNN block =
          SHARNN.builder().embeddingSize(16).boomSize(16).layers(1).memoryLength(32).build();
      try (Model model = block.newModel("m")) {
        block.initialize(model.getNDManager(), DataType.FLOAT32, new Shape(1, 1));
        String text = SHARNNGenerator.builder(model).seed(42).length(5).build().generate("The ");
        int tokens = Scorer.builder(model).build().score("abc").tokens().size();
        boolean restored =
            Thread.currentThread().getContextClassLoader() != getClass().getClassLoader();
        return String.format(Locale.ROOT, "%s %s %s", !text.isEmpty(), tokens, restored);
      }
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"library first", "djl first"})
  void the_first_use_may_come_from_a_thread_whose_loader_does_not_see_the_library(String first)
      throws Exception {
    Process process =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Dai.djl.pytorch.num_threads=1",
                "-XX:TieredStopAtLevel=1",
                "-cp",
                System.getProperty("java.class.path"),
                Plugin.class.getName(),
                first,
                Work.class.getName())
            .redirectError(ProcessBuilder.Redirect.INHERIT)
            .start();
    String out = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertThat(process.waitFor()).as(out).isZero();
    assertThat(out.lines())
        .containsExactlyElementsOf(
            first.equals("djl first")
                ? List.of("DJL finds []", "true 3 true", "true 3 true")
                : List.of("true 3 true", "true 3 true"));
  }
}
