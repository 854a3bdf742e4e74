package io.github.sharnn.vocabulary;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.MalformedModelException;
import ai.djl.Model;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import io.github.sharnn.SHARNN;
import io.github.sharnn.SHARNNConfig;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SavedVocabularyTest {

  private static final WordVocabulary WORDS =
      WordVocabulary.of(List.of("the", "<eos>", "<unk>", "cat"));

  @TempDir Path folder;

  private static SHARNNConfig.Builder builder() {
    return SHARNN.builder().embeddingSize(8).boomSize(16).layers(1).memoryLength(8);
  }

  private void save(SHARNN block) throws IOException {
    try (Model model = block.newModel("tiny")) {
      block.initialize(model.getNDManager(), DataType.FLOAT32, new Shape(1, 1));
      model.save(folder, null);
    }
  }

  @Test
  void a_loaded_model_has_the_vocabulary_that_it_was_saved_with() throws Exception {
    save(builder().vocabulary(WORDS).build());
    try (Model model = SHARNN.load(folder)) {
      SHARNN block = SHARNN.of(model);
      assertThat(block.config().vocabularySize()).isEqualTo(4);
      assertThat(block.vocabulary().encode("the cat sat\n")).containsExactly(0, 3, 2, 1);
      assertThat(block.vocabulary().sha256()).isEqualTo(WORDS.sha256());
      assertThat(block.withoutAttention().vocabulary()).isSameAs(block.vocabulary());
      assertThat(block.collapse(model.getNDManager()).vocabulary()).isSameAs(block.vocabulary());
    }
  }

  @Test
  void bytes_have_no_file_and_no_property() throws Exception {
    save(builder().build());
    assertThat(folder.toFile().list())
        .containsExactlyInAnyOrder(
            "config.json", "model.safetensors", "SHA256SUMS", "serving.properties", "README.md");
    try (Model model = SHARNN.load(folder)) {
      assertThat(model.getProperty(TextVocabulary.MODEL_PROPERTY)).isNull();
      assertThat(SHARNN.of(model).vocabulary()).isSameAs(TextVocabulary.bytes());
    }
  }

  @Test
  void rejects_a_missing_vocabulary() throws Exception {
    save(builder().vocabulary(WORDS).build());
    Files.delete(folder.resolve("vocabulary.txt"));
    assertThatThrownBy(() -> SHARNN.load(folder))
        .isInstanceOf(NoSuchFileException.class)
        .hasMessageContaining("vocabulary.txt")
        .hasMessageContaining("is missing: copy it from the folder that the model was saved to");
  }

  @Test
  void rejects_an_altered_vocabulary_and_that_of_another_model() throws Exception {
    save(builder().vocabulary(WORDS).build());
    Path file = folder.resolve("vocabulary.txt");
    Files.writeString(file, "the\n<eos>\n<unk>\ndog\n");
    assertThatThrownBy(() -> SHARNN.load(folder))
        .isInstanceOf(MalformedModelException.class)
        .hasMessageContaining(file + " is damaged: its SHA-256 is ");
  }

  @Test
  void rejects_a_kind_that_nothing_reads() {
    assertThatThrownBy(() -> TextVocabulary.load(folder, "tokenizer 00"))
        .isInstanceOf(IOException.class)
        .hasMessageContaining("kind 'tokenizer'")
        .hasMessageContaining("io.github.sharnn:sharnn-tokenizers")
        .hasMessageEndingWith(
            "or register a VocabularyFormat with ServiceLoader for a kind of your own");
    assertThatThrownBy(() -> TextVocabulary.load(folder, "words"))
        .isInstanceOf(IOException.class)
        .hasMessageContaining("but names it 'words'");
  }

  @Test
  void saves_the_same_again_but_never_over_another() throws Exception {
    WORDS.save(folder);
    WORDS.save(folder);
    assertThat(folder.toFile().list()).containsExactly("vocabulary.txt");
    WordVocabulary other = WordVocabulary.of(List.of("<unk>", "<eos>"));
    assertThatThrownBy(() -> other.save(folder))
        .isInstanceOf(IOException.class)
        .hasMessageContaining("vocabulary.txt exists and holds another vocabulary");
    assertThat(folder.resolve("vocabulary.txt")).hasBinaryContent(WORDS.content());
  }

  @Test
  void rejects_a_model_of_another_size() {
    SHARNNConfig.Builder builder = builder().vocabulary(WORDS).vocabularySize(5);
    assertThatIllegalArgumentException()
        .isThrownBy(builder::build)
        .withMessageContaining(
            "vocabularySize must be the size of the vocabulary (4 words, 4 tokens)")
        .withMessageContaining("but is 5");
  }

  @Test
  void bytes_come_back_whatever_they_are() {
    byte[] all = new byte[256];
    for (int i = 0; i < 256; i++) {
      all[i] = (byte) i;
    }
    TextVocabulary bytes = TextVocabulary.bytes();
    assertThat(bytes.encode(all)).startsWith(0, 1, 2).endsWith(254, 255).hasSize(256);
    assertThat(bytes.decode(bytes.encode(all))).isEqualTo(all);
    assertThat(bytes.lossless()).isTrue();
    assertThat(bytes.getIndex(bytes.getToken(0xE9))).isEqualTo(0xE9);
    assertThatIllegalArgumentException()
        .isThrownBy(() -> bytes.decode(256))
        .withMessageContaining("a token must be a byte from 0 to 255, but is 256");
  }

  @Test
  void bytes_are_the_256_characters_of_iso_8859_1() {
    TextVocabulary bytes = TextVocabulary.bytes();
    assertThat(bytes.size()).isEqualTo(256);
    assertThat(bytes.contains("\u00ff")).isTrue();
    for (String none : List.of("\u0100", "ab", "")) {
      assertThat(bytes.contains(none)).isFalse();
      assertThatIllegalArgumentException()
          .isThrownBy(() -> bytes.getIndex(none))
          .withMessageContaining("but is '%s'", none);
    }
    assertThat(bytes).hasToString("bytes");
    // the SHA-256 of no content
    assertThat(bytes.property())
        .isEqualTo("bytes e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  }
}
