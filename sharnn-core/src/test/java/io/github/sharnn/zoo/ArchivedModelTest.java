package io.github.sharnn.zoo;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.Model;
import ai.djl.inference.Predictor;
import ai.djl.ndarray.types.DataType;
import ai.djl.repository.zoo.Criteria;
import ai.djl.repository.zoo.ModelNotFoundException;
import ai.djl.repository.zoo.ZooModel;
import io.github.sharnn.SHARNN;
import io.github.sharnn.generate.SHARNNGenerator;
import io.github.sharnn.generate.TinyModel;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.stream.Stream;
import java.util.zip.GZIPOutputStream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ArchivedModelTest {

  @TempDir private Path folder;

  private Path save(float scale) throws IOException {
    Path saved = Files.createTempDirectory(folder, "model");
    try (Model model = TinyModel.of(TinyModel.builder(), DataType.FLOAT32, scale)) {
      model.save(saved, null);
    }
    return saved;
  }

  private static List<Path> files(Path saved) throws IOException {
    try (Stream<Path> files = Files.list(saved)) {
      return files.sorted().toList();
    }
  }

  private static void pack(Path saved, Path archive, String prefix) throws IOException {
    try (OutputStream file = Files.newOutputStream(archive)) {
      if (archive.toString().endsWith(".zip")) {
        ZipOutputStream zip = new ZipOutputStream(file);
        for (Path each : files(saved)) {
          zip.putNextEntry(new ZipEntry(prefix + each.getFileName()));
          Files.copy(each, zip);
        }
        zip.finish();
        return;
      }
      boolean plain = archive.toString().endsWith(".tar");
      try (OutputStream tar = plain ? file : new GZIPOutputStream(file)) {
        for (Path each : files(saved)) {
          tar.write(header(prefix + each.getFileName(), Files.size(each)));
          Files.copy(each, tar);
          tar.write(new byte[(int) (-Files.size(each) & 511)]);
        }
        tar.write(new byte[1024]);
      }
    }
  }

  /** A header of the format ustar. */
  private static byte[] header(String name, long size) {
    byte[] header = new byte[512];
    put(header, 0, name);
    put(header, 100, "0000644\0000000000\0000000000\0");
    put(header, 124, String.format(Locale.ROOT, "%011o\00000000000000\0", size));
    put(header, 148, "        0");
    put(header, 257, "ustar\00000");
    int sum = 0;
    for (byte each : header) {
      sum += each;
    }
    put(header, 148, String.format(Locale.ROOT, "%06o\0 ", sum));
    return header;
  }

  private static void put(byte[] header, int at, String text) {
    byte[] bytes = text.getBytes(StandardCharsets.US_ASCII);
    System.arraycopy(bytes, 0, header, at, bytes.length);
  }

  private static String predict(Path path) throws Exception {
    try (ZooModel<String, String> model =
            Criteria.builder()
                .setTypes(String.class, String.class)
                .optModelPath(path)
                .optArgument("length", 30)
                .build()
                .loadModel();
        Predictor<String, String> predictor = model.newPredictor()) {
      return predictor.predict("ab");
    }
  }

  private static String generated(Path saved) throws Exception {
    try (Model model = SHARNN.load(saved)) {
      return SHARNNGenerator.builder(model).seed(42).length(30).build().generate("ab");
    }
  }

  @ParameterizedTest
  @CsvSource({"zip, ''", "zip, m/", "tar, ''", "tar, m/", "tar.gz, m/", "tgz, ./", "tgz, ./a b/"})
  void a_packed_folder_loads_like_the_folder(String type, String prefix) throws Exception {
    Path saved = save(1);
    Path archive = folder.resolve("packed." + type);
    pack(saved, archive, prefix);
    String text = generated(saved);
    assertThat(predict(saved)).isEqualTo(text);
    assertThat(predict(archive)).isEqualTo(text);
    assertThat(predict(archive)).as("from the cache").isEqualTo(text);
  }

  @Test
  void another_archive_of_the_same_name_is_another_model() throws Exception {
    Path archive = folder.resolve("model.zip");
    Path first = save(1);
    pack(first, archive, "");
    assertThat(predict(archive)).isEqualTo(generated(first));
    Path second = save(2);
    pack(second, archive, "");
    assertThat(generated(second)).isNotEqualTo(generated(first));
    assertThat(predict(archive)).isEqualTo(generated(second));
  }

  @Test
  void an_archive_of_something_else_is_left_to_djl() throws Exception {
    Path other = Files.createDirectory(folder.resolve("other"));
    Files.writeString(other.resolve("serving.properties"), "engine=PyTorch\n");
    Path archive = folder.resolve("other.zip");
    pack(other, archive, "");
    assertThat(ArchivedModel.unpack(archive)).isEmpty();
    assertThat(ArchivedModel.unpack(other)).isEmpty();
    assertThat(ArchivedModel.unpack(folder.resolve("missing.zip"))).isEmpty();
    assertThatThrownBy(() -> predict(archive)).isInstanceOf(ModelNotFoundException.class);
  }

  @Test
  void a_damaged_model_in_an_archive_is_refused() throws Exception {
    Path saved = save(1);
    Path weights = saved.resolve("model.safetensors");
    byte[] bytes = Files.readAllBytes(weights);
    bytes[bytes.length / 2] ^= 1;
    Files.write(weights, bytes);
    Path archive = folder.resolve("damaged.zip");
    pack(saved, archive, "");
    assertThatThrownBy(() -> predict(archive)).hasStackTraceContaining("is damaged");
  }
}
