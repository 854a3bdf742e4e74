package io.github.sharnn.bench;

import ai.djl.MalformedModelException;
import com.google.common.io.MoreFiles;
import com.google.common.io.RecursiveDeleteOption;
import io.github.sharnn.fuzzing.Fuzzing;
import io.github.sharnn.fuzzing.Mutation;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import net.jqwik.api.lifecycle.AfterContainer;
import net.jqwik.api.lifecycle.BeforeContainer;

/** Golden folders with a few things wrong; see {@code UntrustedFilesTest} for the other readers. */
class UntrustedGoldenFilesTest {

  private static Path folder;
  private static Path sampling;
  private static Path noAttention;

  @BeforeContainer
  static void findGoodFiles() throws Exception {
    sampling = GoldenCheckTest.golden("sampling");
    noAttention = GoldenCheckTest.golden("no-attention");
    folder = Files.createTempDirectory("untrusted");
  }

  @AfterContainer
  static void clean() throws IOException {
    Fuzzing.print();
    MoreFiles.deleteRecursively(folder, RecursiveDeleteOption.ALLOW_INSECURE);
  }

  @Provide
  Arbitrary<Long> seeds() {
    return Arbitraries.longs();
  }

  @Property
  void golden(@ForAll("seeds") long seed) throws IOException {
    Random random = new Random(seed);
    // the check of a model takes long
    Path good = random.nextInt(20) > 0 ? sampling : noAttention;
    List<Path> files;
    try (Stream<Path> list = Files.list(good)) {
      files = list.sorted().toList();
    }
    Path bad = files.get(random.nextInt(files.size()));
    for (Path file : files) {
      byte[] bytes = Files.readAllBytes(file);
      if (file.equals(bad)) {
        boolean json = file.toString().endsWith(".json");
        bytes = json ? Mutation.of(bytes, random) : Fuzzing.safetensors(bytes, random);
      }
      Fuzzing.write(folder.resolve(file.getFileName().toString()), bytes);
    }
    if (good.equals(sampling)) {
      Files.deleteIfExists(folder.resolve("config.json"));
    }
    Fuzzing.check(
        "GoldenCheck",
        () -> {
          try {
            GoldenCheck.run(folder, null);
          } catch (IllegalArgumentException e) {
            throw new MalformedModelException(e.getMessage(), e);
          }
          return 0;
        });
  }
}
