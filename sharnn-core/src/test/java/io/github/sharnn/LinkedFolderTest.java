package io.github.sharnn;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.Model;
import com.google.common.hash.Hashing;
import com.google.common.io.MoreFiles;
import io.github.sharnn.io.AtomicFile;
import io.github.sharnn.io.CheckedFolder;
import io.github.sharnn.vocabulary.WordVocabulary;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

/** A save into a folder with links writes nothing outside, and a failed save leaves nothing. */
@DisabledOnOs(OS.WINDOWS)
class LinkedFolderTest {

  private static final WordVocabulary WORDS =
      WordVocabulary.of(List.of("the", "<eos>", "<unk>", "cat"));

  @TempDir private Path temporary;

  private static Model model(int layers) {
    return TestModels.model(
        TestModels.tiny().vocabularySize(4).vocabulary(WORDS).layers(layers), layers);
  }

  private static Map<String, String> contents(Path folder) throws IOException {
    Map<String, String> contents = new TreeMap<>();
    try (Stream<Path> paths = Files.list(folder)) {
      for (Path path : paths.toList()) {
        contents.put(
            path.getFileName().toString(),
            MoreFiles.asByteSource(path).hash(Hashing.sha256()).toString());
      }
    }
    return contents;
  }

  /** Moves every file of a saved model outside, and leaves a link to each. */
  private Path link(Path model, boolean hard) throws IOException {
    Path outside = Files.createDirectory(temporary.resolve("outside" + hard));
    try (Stream<Path> files = Files.list(model)) {
      for (Path file : files.toList()) {
        Path target = outside.resolve(file.getFileName());
        Files.move(file, target);
        if (hard) {
          Files.createLink(file, target);
        } else {
          Files.createSymbolicLink(file, target);
        }
      }
    }
    return outside;
  }

  @Test
  void a_save_replaces_links_and_leaves_their_targets() throws Exception {
    for (boolean hard : new boolean[] {true, false}) {
      Path folder = temporary.resolve("model" + hard);
      try (Model one = model(1);
          Model two = model(2)) {
        one.save(folder, "one");
        Path outside = link(folder, hard);
        Path left = folder.resolve(".model.safetensors." + "0".repeat(64));
        Files.createSymbolicLink(left, outside.resolve("config.json"));
        Files.createSymbolicLink(folder.resolve(".config.json"), outside.resolve("config.json"));
        Map<String, String> before = contents(outside);
        two.save(folder, "two");
        assertThat(contents(outside)).isEqualTo(before);
      }
      try (Model loaded = SHARNN.load(folder)) {
        assertThat(loaded.getName()).isEqualTo("two");
      }
      assertThat(folder.toFile().list())
          .containsExactlyInAnyOrder(
              "README.md",
              "SHA256SUMS",
              "config.json",
              "model.safetensors",
              "serving.properties",
              "vocabulary.txt");
    }
  }

  @Test
  void a_broken_link_makes_no_file_at_its_target() throws Exception {
    Path folder = Files.createDirectory(temporary.resolve("model"));
    for (String name :
        List.of(
            "README.md", "SHA256SUMS", "config.json", "model.safetensors", "serving.properties")) {
      Files.createSymbolicLink(folder.resolve(name), temporary.resolve("none-" + name));
    }
    Files.createSymbolicLink(folder.resolve("vocabulary.txt"), temporary.resolve("none"));
    try (Model one = model(1)) {
      one.save(folder, "one");
    }
    SHARNN.load(folder).close();
    assertThat(temporary.toFile().list()).containsExactly("model");
  }

  @Test
  void an_open_file_is_appended_to_whatever_takes_its_place() throws Exception {
    Path file = Files.writeString(temporary.resolve("file"), "old");
    Path victim = Files.writeString(temporary.resolve("victim"), "precious");
    try (FileChannel channel =
        AtomicFile.open(file, start -> start.write(ByteBuffer.wrap(new byte[] {'a'})))) {
      assertThat(file).hasContent("a");
      channel.write(ByteBuffer.wrap(new byte[] {'b'}));
      assertThat(file).hasContent("ab");
      Files.delete(file);
      Files.createSymbolicLink(file, victim);
      channel.write(ByteBuffer.wrap(new byte[] {'c'}));
      channel.truncate(1);
    }
    assertThat(victim).hasContent("precious");
    assertThatThrownBy(
            () ->
                AtomicFile.open(
                    file,
                    start -> {
                      throw new IOException("full");
                    }))
        .hasMessage("full");
    assertThat(temporary.toFile().list()).containsExactlyInAnyOrder("file", "victim");
  }

  @Test
  void a_failed_save_leaves_the_old_files_and_no_others() throws Exception {
    Path folder = temporary.resolve("model");
    try (Model one = model(1)) {
      one.save(folder, "one");
      Map<String, String> before = contents(folder);
      for (String name : List.of("config.json", "model.safetensors")) {
        AtomicFile.Writer full =
            channel -> {
              channel.write(ByteBuffer.wrap(new byte[10]));
              throw new IOException("full");
            };
        AtomicFile.Writer whole = AtomicFile.of(new byte[] {1});
        Map<String, AtomicFile.Writer> writers = new TreeMap<>();
        writers.put("config.json", name.equals("config.json") ? full : whole);
        writers.put("model.safetensors", full);
        assertThatThrownBy(() -> CheckedFolder.write(folder, writers, List.of()))
            .hasMessage("full");
        assertThat(contents(folder)).isEqualTo(before);
      }
      Files.delete(folder.resolve("README.md"));
      Files.writeString(Files.createDirectory(folder.resolve("README.md")).resolve("x"), "x");
      one.save(folder, "two"); // a card that is a folder is somebody's own
      SHARNN.load(folder).close();
    }
  }
}
