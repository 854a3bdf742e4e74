package io.github.sharnn.models;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.Model;
import io.github.sharnn.SHARNN;
import io.github.sharnn.generate.SHARNNGenerator;
import io.github.sharnn.pretrained.PretrainedModels;
import io.github.sharnn.score.Scorer;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.zip.GZIPOutputStream;
import org.junit.jupiter.api.Test;

class WikiBytesTest {

  private static final String TEXT =
      """
      The old town lies on the western bank of the river, about twelve kilometres above the point where it flows into the sea. \
      In the early nineteenth century, its harbour was the most important one of the province, and ships from all parts of \
      Europe brought wine, cloth and salt. After the railway was built in 1864, most of the trade moved to the larger port \
      further south, and the population fell from about 9,000 to less than 6,000. The former customs house is now a museum of \
      local history, which is open to the public from April to October.
      """;

  @Test
  void predicts_english_text() throws Exception {
    try (Model model = SHARNN.pretrained("wiki-bytes")) {
      assertThat(model.getName()).isEqualTo("wiki-bytes");
      double bits = Scorer.builder(model).build().score(TEXT).totals().bitsPerByte();
      assertThat(bits).isBetween(1.0, 2.0).isLessThan(gzip(TEXT) * 8.0 / TEXT.length() / 2);
      String text =
          SHARNNGenerator.builder(model)
              .length(60)
              .topK(1)
              .build()
              .generate("In the year 1861, the ");
      assertThat(text).matches("[ -~]+").contains(" ");
    }
  }

  private static int gzip(String text) throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (GZIPOutputStream out = new GZIPOutputStream(bytes)) {
      out.write(text.getBytes(StandardCharsets.UTF_8));
    }
    return bytes.size();
  }

  @Test
  void its_folder_is_small_and_has_a_card() throws IOException {
    Path folder = PretrainedModels.folder("wiki-bytes");
    assertThat(Files.size(folder.resolve("model.safetensors"))).isLessThan(16_000_000);
    assertThat(Files.readString(folder.resolve("config.json")))
        .contains("\"quantization\": \"int8\"");
    assertThat(folder.resolve("README.md"))
        .content()
        .contains("CC BY-SA", "Bits per byte", "sharnn.jar train");
  }
}
