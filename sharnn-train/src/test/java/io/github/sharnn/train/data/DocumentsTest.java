package io.github.sharnn.train.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;
import static org.assertj.core.api.Assumptions.assumeThat;

import ai.djl.Model;
import ai.djl.util.Utils;
import com.google.common.hash.Hashing;
import io.github.sharnn.SHARNNConfig;
import io.github.sharnn.io.Records;
import io.github.sharnn.score.Scorer;
import io.github.sharnn.train.Tiny;
import io.github.sharnn.train.evaluate.DynamicEvaluation;
import io.github.sharnn.train.evaluate.Evaluation;
import io.github.sharnn.vocabulary.WordVocabulary;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Corpora made of documents, each of which a model reads from a zero state. */
class DocumentsTest {

  @TempDir Path folder;

  private static Corpus.Builder builder() throws IOException {
    return Corpus.builder().documents(Documents.LINES);
  }

  /** A part whose documents are exactly these lines. */
  private Corpus.Part part(List<String> lines) throws IOException {
    Path file = Files.write(Files.createTempFile(folder, "d", ".txt"), lines);
    return builder().file(file).validation(file).test(file).build().test();
  }

  private static String text(Corpus.Part part) throws IOException {
    return new String(part.open().readAllBytes(), StandardCharsets.UTF_8);
  }

  private static List<String> randomLines(Random random, int count) {
    List<String> lines = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      int length = random.nextInt(30);
      lines.add(
          random.ints(length, 'a', 'z').mapToObj(Character::toString).reduce("", String::concat));
    }
    return lines;
  }

  private static double nats(Model model, Corpus.Part part, int streams, int length) {
    return Tiny.evaluation(model, part, streams, length).perplexity().nats();
  }

  /** Also holds for padded rows, for documents of several segments, and with splits. */
  @ParameterizedTest
  @CsvSource({"1, 64, false", "3, 64, false", "3, 7, false", "16, 5, false", "3, 7, true"})
  void loss_of_a_document_does_not_depend_on_the_others(int streams, int length, boolean splits)
      throws IOException {
    Random random = new Random(streams * 100L + length);
    SHARNNConfig.Builder config = Tiny.sharnn();
    if (splits) {
      config.splits(100, 110);
    }
    try (Model model = Tiny.model(config, 1)) {
      for (int i = 0; i < 3; i++) {
        List<String> lines = randomLines(random, 7);
        double[] alone = new double[lines.size()];
        for (int line = 0; line < alone.length; line++) {
          // a part needs two bytes, so that the line appears twice
          String own = lines.get(line);
          alone[line] = nats(model, part(List.of(own, own)), streams, length) / 2;
        }
        double sum = 0;
        for (double each : alone) {
          sum += each;
        }
        double together = nats(model, part(lines), streams, length);
        assertThat(together).isCloseTo(sum, within(1e-4 * sum));
        Collections.reverse(lines);
        assertThat(nats(model, part(lines), streams, length)).isCloseTo(sum, within(1e-4 * sum));
      }
    }
  }

  @Test
  void loss_is_that_of_the_scorer() throws IOException {
    List<String> lines = randomLines(new Random(5), 20);
    try (Model model = Tiny.model(Tiny.sharnn(), 1)) {
      List<byte[]> texts =
          lines.stream().map(line -> (line + "\n").getBytes(StandardCharsets.UTF_8)).toList();
      double scored =
          Scorer.builder(model).build().totals(texts).stream()
              .mapToDouble(totals -> totals.perplexity().nats())
              .sum();
      Evaluation evaluation = Tiny.evaluation(model, part(lines), 4, 64);
      assertThat(evaluation.perplexity().nats()).isCloseTo(scored, within(1e-4 * scored));
      assertThat(evaluation.predictedBytes()).isEqualTo(part(lines).bytes());
    }
  }

  @Test
  void dynamic_evaluation_resets_too() throws IOException {
    Corpus.Part part = part(randomLines(new Random(5), 20));
    DynamicEvaluation.Settings none =
        DynamicEvaluation.Settings.DEFAULT.streams(4).sequenceLength(8).learningRate(0);
    try (Model model = Tiny.model(Tiny.sharnn(), 1)) {
      assertThat(DynamicEvaluation.of(model, part, part, none).perplexity().nats())
          .isCloseTo(nats(model, part, 4, 8), within(0.05));
    }
  }

  @Test
  void ends_documents_after_a_separator_that_may_overlap_itself() throws IOException {
    Path file = Tiny.file(folder, "aab.aaab.baabx".getBytes(StandardCharsets.US_ASCII));
    Documents documents = Documents.endingWith("aab");
    assertThat(documents.ends(MappedFile.open(file)).asList()).containsExactly(3L, 8L, 13L, 14L);
    assertThat(Documents.FILES.ends(MappedFile.open(file)).asList()).containsExactly(14L);
  }

  @Test
  void cuts_between_documents() throws IOException {
    StringBuilder text = new StringBuilder();
    for (int i = 0; i < 100; i++) {
      text.append("line ").append(1000 + i).append('\n');
    }
    Corpus corpus =
        builder().text(text.toString()).split(Split.byPosition(0.805, 0.1, 0.095)).build();
    assertThat(text(corpus.train())).endsWith("line 1080\n");
    assertThat(text(corpus.validation())).startsWith("line 1081\n").endsWith("line 1090\n");
    assertThat(text(corpus.test())).startsWith("line 1091\n").endsWith("line 1099\n");
    assertThat(corpus).asString().contains("text: ", "; 81, 10 and 9 documents");
  }

  @Test
  void shares_whole_documents_among_workers() throws IOException {
    Corpus corpus = builder().text("a\nbb\nccc\ndddd\nv\nt\n").build();
    assertThat(text(corpus.train())).isEqualTo("a\nbb\nccc\ndddd\n");
    assertThat(text(corpus.share(0, 2).train())).isEqualTo("a\nbb\n");
    assertThat(corpus.share(1, 2).train().documents().asList()).containsExactly(4L, 9L);
    assertThat(text(corpus.share(1, 2).train())).isEqualTo("ccc\ndddd\n");
  }

  @Test
  void gives_each_part_a_document_even_of_three() throws IOException {
    Corpus corpus = builder().text("a very long first line\nb\nc\n").build();
    assertThat(text(corpus.validation()) + text(corpus.test())).isEqualTo("b\nc\n");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> builder().text("a\nb\n").build())
        .withMessageContaining("at least three documents, one in each part, but has 2");
  }

  @Test
  void chooses_parts_by_document() throws IOException {
    List<String> lines = randomLines(new Random(2), 2000);
    Path file = Files.write(folder.resolve("a"), lines.subList(0, 1000));
    Path more = Files.write(folder.resolve("b"), lines.subList(1000, 2000));
    Corpus hashed = builder().file(file).file(more).split(Split.byHash(0.6, 0.3, 0.1)).build();
    List<String> train = text(hashed.train()).lines().toList();
    List<String> validation = text(hashed.validation()).lines().toList();
    List<String> test = text(hashed.test()).lines().toList();
    assertThat(train.size()).isBetween(1100, 1300);
    assertThat(validation.size()).isBetween(500, 700);
    List<String> all = new ArrayList<>(train);
    all.addAll(validation);
    all.addAll(test);
    assertThat(all).containsExactlyInAnyOrderElementsOf(lines);
    assertThat(new TreeSet<>(train)).doesNotContainAnyElementsOf(test);
    assertThat(text(builder().file(more).split(Split.byHash(0.6, 0.3, 0.1)).build().test()).lines())
        .as("a document keeps its part in another corpus")
        .isSubsetOf(test);
    Corpus random = builder().file(file).split(Split.random(3, 0.5, 0.25, 0.25)).build();
    Corpus same = builder().file(file).split(Split.random(3, 0.5, 0.25, 0.25)).build();
    Corpus other = builder().file(file).split(Split.random(4, 0.5, 0.25, 0.25)).build();
    assertThat(text(random.test())).isEqualTo(text(same.test())).isNotEqualTo(text(other.test()));
    assertThat(random.record().layout()).isNotEqualTo(other.record().layout());
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Corpus.builder().file(file).split(Split.byHash(0.5, 0.25, 0.25)).build())
        .withMessage("a split by HASH chooses documents: set the documents, for example to lines");
  }

  @Test
  void joins_files_texts_and_streams() throws IOException {
    byte[] bytes = "stream".getBytes(StandardCharsets.US_ASCII);
    Path file = Files.writeString(folder.resolve("f"), "file ");
    Path test = Files.writeString(folder.resolve("t"), "test");
    Corpus corpus =
        Corpus.builder().file(file).text("text ").stream(new ByteArrayInputStream(bytes))
            .validation(test)
            .validation(test)
            .test(test)
            .documents(Documents.FILES)
            .build();
    assertThat(text(corpus.train())).isEqualTo("file text stream");
    assertThat(corpus.train().documents().asList()).containsExactly(5L, 10L, 16L);
    assertThat(text(corpus.validation())).isEqualTo("testtest");
    assertThat(corpus.name()).isEqualTo("f and 5 more");
    assertThat(corpus.record().files()).isNull();
    assertThat(corpus.record().layout().counts()).containsExactly(3, 2, 1);
    assertThat(corpus.sha256()).matches("[0-9a-f]{64}");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Corpus.builder().file(file).test(test).build())
        .withMessageContaining("name the file of the validation part too");
  }

  @Test
  void encodes_each_document_by_itself() throws IOException {
    Corpus bytes =
        Corpus.builder()
            .text("one two")
            .text("one three\nfour\n")
            .text("two")
            .text("one")
            .documents(Documents.FILES)
            .split(Split.byPosition(0.8, 0.1, 0.1))
            .build();
    WordVocabulary words =
        WordVocabulary.train(
            new ByteArrayInputStream("one two three four\n".getBytes(StandardCharsets.US_ASCII)),
            1,
            100);
    Corpus corpus = bytes.withVocabulary(words);
    // <eos> ends each document: one two <eos> | one three <eos> four <eos>
    assertThat(corpus.train().documents().asList()).containsExactly(3L, 8L);
    assertThat(corpus.train().length()).isEqualTo(8);
    assertThat(corpus.train().units().words()).isEqualTo(bytes.train().units().words());
    assertThat(bytes.withVocabulary(words).train().documents().asList())
        .as("from the cache")
        .containsExactly(3L, 8L);
  }

  @Test
  void a_record_with_a_missing_entry_is_rejected() {
    String files = "{\"train\":[null],\"validation\":[],\"test\":[]}";
    assertThatThrownBy(() -> Records.fromJson(CorpusRecord.Files.class, "files", files))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("the corpus files are incomplete");
    String layout = "{\"documents\":{\"files\":true},\"counts\":[1,null,0]}";
    assertThatThrownBy(() -> Records.fromJson(CorpusRecord.Layout.class, "layout", layout))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("the layout of the corpus is incomplete");
  }

  /** A process may map only some ten thousand files, and open even fewer. */
  @Test
  void many_small_files_and_texts_are_not_mapped() throws IOException {
    Path maps = Path.of("/proc/self/maps");
    assumeThat(maps).exists();
    Corpus.Builder files = builder();
    Corpus.Builder texts = builder();
    long before = Files.readAllLines(maps).size();
    for (int i = 0; i < 500; i++) {
      Path file = Files.writeString(folder.resolve(i + ".txt"), "document " + i + "\n");
      files.file(file);
      texts.text("document " + i + "\n");
    }
    Corpus fromFiles = files.build();
    Corpus fromTexts = texts.build();
    assertThat(Files.readAllLines(maps).size() - before).isLessThan(100);
    assertThat(fromTexts.sha256()).isEqualTo(fromFiles.sha256());
    assertThat(text(fromTexts.train()))
        .isEqualTo(text(fromFiles.train()))
        .startsWith("document 0\n");
    assertThat(text(fromTexts.test())).isEqualTo(text(fromFiles.test())).endsWith("document 499\n");
    assertThat(text(texts.text("document 500\n").build().test())).endsWith("document 500\n");
  }

  /** A corpus of many small files would fill the cache. */
  @Test
  void hashes_of_small_files_are_not_cached() throws IOException {
    Path file = Path.of("pom.xml"); // the hash of a file written just now is not cached anyway
    String name =
        Hashing.sha256()
            .hashString(file.toRealPath().toString(), StandardCharsets.UTF_8)
            .toString();
    Path cached = Utils.getCacheDir().resolve("sharnn").resolve(name + ".sha256");
    Files.deleteIfExists(cached);
    String sha256 = builder().file(file).build().sha256();
    assertThat(sha256).isEqualTo(CorpusHash.compute(file));
    assertThat(cached).doesNotExist();
    assertThat(Corpus.open(file).sha256()).isEqualTo(sha256);
    assertThat(cached).exists();
  }

  /** A checkpoint with more paths could not be read again. */
  @Test
  void very_many_paths_are_not_kept_in_a_checkpoint() throws IOException {
    Path file = Tiny.file(folder, "a line\n".getBytes(StandardCharsets.US_ASCII));
    assertThat(sources(file, 10_000).files().train()).hasSize(10_000);
    assertThat(sources(file, 10_001).files()).isNull();
  }

  private static CorpusSources sources(Path file, int count) throws IOException {
    List<CorpusSources.Source> all = Collections.nCopies(count, CorpusSources.Source.of(file));
    return new CorpusSources(
        List.of(all, List.of(), List.of()), Documents.LINES, Split.byHash(0.8, 0.1, 0.1));
  }
}
