package io.github.sharnn.train.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import ai.djl.Model;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.training.ParameterStore;
import ai.djl.training.dataset.Batch;
import com.google.common.primitives.Ints;
import io.github.sharnn.SHARNN;
import io.github.sharnn.SHARNNConfig;
import io.github.sharnn.softmax.ClusterLabels;
import io.github.sharnn.train.Budget;
import io.github.sharnn.train.Checkpoint;
import io.github.sharnn.train.FitResult;
import io.github.sharnn.train.SHARNNTrainer;
import io.github.sharnn.train.Tiny;
import io.github.sharnn.train.checkpoint.CheckpointPolicy;
import io.github.sharnn.train.evaluate.DynamicEvaluation;
import io.github.sharnn.train.evaluate.Evaluation;
import io.github.sharnn.train.optim.LearningRateSchedule;
import io.github.sharnn.vocabulary.Perplexity;
import io.github.sharnn.vocabulary.TextVocabulary;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Tokens that are words, from a part to training and its figures. */
class TokenCorpusTest extends WikiText {

  @Test
  void the_tokens_of_a_part_are_those_of_its_text() throws Exception {
    Corpus corpus = words();
    // <eos> 4; head, stop, ... by frequency; "dreaming" is unknown; the end of a line without one
    List<String> test =
        IntStream.of(tokens(corpus.test())).mapToObj(corpus.vocabulary()::getToken).toList();
    assertThat(test)
        .containsExactly("stop", "your", "<unk>", "head", "<eos>", "with", "thinking", "<eos>");
    assertThat(corpus.validation().units()).isEqualTo(new Perplexity.Units(31, 8, 8, 4));
    assertThat(corpus.test().units()).isEqualTo(new Perplexity.Units(TEST.length(), 8, 8, 8));
    assertThat(corpus.test().bytes()).isEqualTo(TEST.length());
    int[] some = new int[2];
    corpus.test().read(4, some);
    assertThat(some).isEqualTo(IntStream.of(tokens(corpus.test())).skip(4).limit(2).toArray());
    assertThatIllegalArgumentException()
        .isThrownBy(() -> corpus.test().read(7, some))
        .withMessageContaining("2 tokens from position 7 are outside the test part");
    assertThat(corpus.toString()).contains("as 11 words: 15, 8 and 8 tokens");
  }

  @ParameterizedTest
  @ValueSource(ints = {250, 257, 32_768, 32_769, 65_536, 65_537})
  void batches_have_the_tokens(int size) throws Exception {
    Corpus corpus = Corpus.folder(wikiText("%s.txt")).withVocabulary(ofSize(size));
    try (NDManager manager = NDManager.newBaseManager("PyTorch")) {
      StreamDataset dataset = StreamDataset.fixed(corpus.test(), 2, 2);
      Batch batch = dataset.getData(manager).iterator().next();
      assertThat(batch.getData().head().getDataType()).isEqualTo(DataType.INT64);
      int[] all = tokens(corpus.test());
      assertThat(batch.getData().head().toLongArray())
          .containsExactly(all[0], all[1], all[3], all[4]);
      assertThat(batch.getLabels().head().toLongArray())
          .containsExactly(all[1], all[2], all[4], all[5]);
    }
  }

  private static SHARNNConfig.Builder model(TextVocabulary vocabulary) {
    return Tiny.sharnn().vocabulary(vocabulary);
  }

  @Test
  void one_evaluation_gives_the_figures_of_every_unit() throws Exception {
    Corpus corpus = words();
    try (Model model = Tiny.model(model(corpus.vocabulary()), 3)) {
      Evaluation evaluation = Tiny.evaluation(model, corpus.test(), 1, 3);
      Perplexity perplexity = evaluation.perplexity();
      double nats = naiveNats(model, tokens(corpus.test()));
      assertThat(perplexity.nats()).isCloseTo(nats, within(1e-4));
      assertThat(perplexity.predicted()).isEqualTo(7);
      assertThat(perplexity.ofToken()).isCloseTo(Math.exp(nats / 7), within(1e-4));
      assertThat(perplexity.ofWord()).isEqualTo(perplexity.ofToken());
      double bytes = TEST.length() * 7 / 8.0;
      assertThat(evaluation.bitsPerCharacter())
          .isEqualTo(perplexity.bitsPerByte())
          .isCloseTo(nats / Math.log(2) / bytes, within(1e-5));
      assertThat(evaluation.settings().streams()).isEqualTo(1);
      assertThat(evaluation.settings().sequenceLength()).isEqualTo(3);
      assertThat(evaluation.memoryLength()).isEqualTo(64);
      DynamicEvaluation.Settings still =
          DynamicEvaluation.Settings.DEFAULT.sequenceLength(4).learningRate(0);
      assertThat(
              DynamicEvaluation.of(model, corpus.train(), corpus.test(), still).bitsPerCharacter())
          .isCloseTo(evaluation.bitsPerCharacter(), within(1e-5));
    }
  }

  private static double naiveNats(Model model, int[] tokens) {
    try (NDManager manager = model.getNDManager().newSubManager()) {
      SHARNN block = SHARNN.of(model);
      float[] logits =
          block
              .forward(
                  new ParameterStore(manager, false),
                  manager.create(new int[][] {tokens}).toType(DataType.INT64, false),
                  block.zeroState(manager, 1),
                  false)
              .logits()
              .toFloatArray();
      int size = block.config().vocabularySize();
      double nats = 0;
      for (int t = 0; t + 1 < tokens.length; t++) {
        double sum = 0;
        for (int v = 0; v < size; v++) {
          sum += Math.exp(logits[t * size + v]);
        }
        nats += Math.log(sum) - logits[t * size + tokens[t + 1]];
      }
      return nats;
    }
  }

  @Test
  void refuses_a_model_of_another_vocabulary() throws Exception {
    Corpus corpus = words();
    try (Model bytes = Tiny.model(Tiny.sharnn(), 3);
        Model words = Tiny.model(model(corpus.vocabulary()), 3)) {
      assertThatIllegalArgumentException()
          .isThrownBy(() -> Tiny.evaluation(bytes, corpus.test(), 1, 3))
          .withMessageContaining("has the vocabulary 11 words (words ")
          .withMessageContaining("but the model has bytes (bytes ");
      Corpus plain = Corpus.folder(folder.resolve("data"));
      assertThatIllegalArgumentException()
          .isThrownBy(
              () ->
                  SHARNNTrainer.builder(words)
                      .batchSize(2)
                      .sequenceLength(4)
                      .build()
                      .fit(plain, Budget.steps(1)))
          .withMessageContaining("has the vocabulary bytes")
          .withMessageContaining("withVocabulary(SHARNN.of(model).vocabulary())");
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {9, 300})
  void knows_where_words_lie_in_a_split_vocabulary(int size) throws Exception {
    List<Integer> splits = List.of(3, size - 4, size - 1);
    Corpus corpus = Corpus.folder(wikiText("wiki.%s.tokens")).withVocabulary(ofSize(size));
    try (NDManager manager = NDManager.newBaseManager()) {
      for (Batch batch :
          StreamDataset.fixed(corpus.train(), 2, 4).withSplits(splits).getData(manager)) {
        NDList expected = ClusterLabels.of(batch.getLabels().head(), splits);
        assertThat(batch.getLabels()).hasSameSizeAs(expected).hasSize(5);
        for (int i = 0; i < expected.size(); i++) {
          assertThat(batch.getLabels().get(i).toLongArray())
              .isEqualTo(expected.get(i).toLongArray());
        }
      }
    }
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void trains_and_goes_on_with_words(boolean split) throws Exception {
    Corpus corpus = words();
    Path run = folder.resolve("run");
    int[] splits = split ? new int[] {2, 5} : new int[0];
    try (Model model = Tiny.model(model(corpus.vocabulary()).splits(splits), 3)) {
      FitResult result = fit(model, corpus, CheckpointPolicy.in(run), 4);
      double mean = TRAIN.length() / 15.0; // two streams of 7, in segments of 4 and 3
      // the batch's bits a token, by the part's mean bytes a token; the validation's own figures
      assertThat(result.last().bytes())
          .isEqualTo(2 * (Math.round(8 * mean) + Math.round(6 * mean)));
      assertThat(result.last().validationBpc())
          .isEqualTo(Tiny.evaluation(model, corpus.validation(), 2, 4).bitsPerCharacter());
    }
    assertThat(run.resolve("vocabulary.txt")).hasBinaryContent(corpus.vocabulary().content());
    Checkpoint checkpoint = Checkpoint.open(run);
    Corpus again = checkpoint.corpus();
    assertThat(again.vocabulary().property()).isEqualTo(corpus.vocabulary().property());
    SHARNN block = SHARNN.of(checkpoint.config(), checkpoint.vocabulary());
    try (Model model = block.newModel("again")) {
      FitResult result = fit(model, again, CheckpointPolicy.in(run).resume(), 6);
      assertThat(result.last().step()).isEqualTo(6);
    }
    Files.delete(run.resolve("vocabulary.txt"));
    assertThatThrownBy(checkpoint::corpus).hasMessageContaining("vocabulary is missing");
  }

  private static FitResult fit(Model model, Corpus corpus, CheckpointPolicy policy, int steps) {
    return SHARNNTrainer.builder(model)
        .batchSize(2)
        .sequenceLength(4)
        .evaluationInterval(1)
        .precision(DataType.FLOAT32)
        .learningRate(LearningRateSchedule.peak(1e-3f))
        .checkpoints(policy)
        .build()
        .fit(corpus, Budget.steps(steps));
  }

  @Test
  void the_bytes_of_a_part_are_there_with_any_vocabulary() throws Exception {
    Corpus corpus = words();
    assertThat(corpus.test().open().readAllBytes())
        .isEqualTo(TEST.getBytes(StandardCharsets.UTF_8));
    assertThat(Ints.asList(tokens(corpus.withVocabulary(TextVocabulary.bytes()).test())))
        .hasSize(TEST.length());
  }
}
