package io.github.sharnn.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.withinPercentage;

import ai.djl.Device;
import ai.djl.Model;
import ai.djl.engine.Engine;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import io.github.sharnn.SHARNN;
import io.github.sharnn.score.Scorer;
import io.github.sharnn.tokenizers.BytePairTrainer;
import io.github.sharnn.train.data.Corpus;
import io.github.sharnn.train.evaluate.Evaluation;
import io.github.sharnn.vocabulary.Perplexity;
import io.github.sharnn.vocabulary.TextVocabulary;
import io.github.sharnn.vocabulary.WordVocabulary;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Random;
import org.assertj.core.data.Percentage;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Two ways through a model, one set of figures. */
class EvaluationAndScorerTest {

  private static final Percentage ROUNDING = withinPercentage(1e-3); // 1e-5

  @TempDir Path folder;

  /** Words of which the last ones are rare, in lines, some with odd white space. */
  private static String text(int seed) {
    String[] words = {
      "the", "head", "stop", "thinking", "with", "your", "caf\u00e9", "attention", "\u6f22\u5b57"
    };
    Random random = new Random(seed);
    StringBuilder text = new StringBuilder();
    for (int i = 0; i < 150; i++) {
      text.append(words[(int) Math.abs(random.nextGaussian() * 3) % words.length]);
      text.append(random.nextInt(8) == 0 ? "\n" : random.nextInt(20) == 0 ? " \t " : " ");
    }
    return text + "end";
  }

  private static TextVocabulary vocabulary(String kind, Corpus corpus) throws IOException {
    return switch (kind) {
      case "words" -> WordVocabulary.train(corpus.train().open(), 1, 9);
      case "pieces" -> BytePairTrainer.train(corpus.train().open(), 280);
      default -> TextVocabulary.bytes();
    };
  }

  /** A model whose weights are large enough for context to matter. */
  private static Model model(TextVocabulary vocabulary, int[] splits) {
    SHARNN block =
        SHARNN
            .builder()
            .vocabulary(vocabulary)
            .splits(splits)
            .embeddingSize(8)
            .boomSize(16)
            .layers(2)
            .memoryLength(2000) // more than the text, so that segments make no difference
            .build();
    Model model = block.newModel("figures", Device.cpu());
    Engine.getEngine("PyTorch").setRandomSeed(5);
    block.initialize(model.getNDManager(), DataType.FLOAT32, new Shape(1, 1));
    for (Parameter parameter : block.getParameters().values()) {
      if (parameter.getType() == Parameter.Type.WEIGHT) {
        parameter.getArray().muli(4);
      }
    }
    return model;
  }

  /**
   * The scorer predicts all tokens of a text, after that of a newline; an evaluation of the text
   * with a newline before it does the same.
   */
  @ParameterizedTest
  @CsvSource({"bytes, 0", "words, 0", "words, 4", "pieces, 0", "pieces, 100"})
  void agree_on_every_unit(String kind, int split) throws Exception {
    String text = text(2);
    Files.writeString(folder.resolve("train.txt"), text(1));
    Files.writeString(folder.resolve("valid.txt"), text(3));
    Files.writeString(folder.resolve("test.txt"), "\n" + text);
    Corpus bytes = Corpus.folder(folder);
    TextVocabulary vocabulary = vocabulary(kind, bytes);
    Corpus corpus = bytes.withVocabulary(vocabulary);
    try (Model model = model(vocabulary, split == 0 ? new int[0] : new int[] {split})) {
      Perplexity evaluated =
          Evaluation.of(model, corpus.test(), new Evaluation.Settings(1, 17)).perplexity();
      Perplexity scored =
          Scorer.builder(model).segmentLength(29).build().score(text).totals().perplexity();

      assertThat(scored.nats()).isCloseTo(evaluated.nats(), ROUNDING);
      assertThat(scored.predicted()).isEqualTo(evaluated.predicted());
      assertThat(scored.ofToken()).isCloseTo(evaluated.ofToken(), ROUNDING);
      // the newline alone, which nothing predicts in the evaluation, is more
      Perplexity.Units all = evaluated.units();
      assertThat(scored.units())
          .isEqualTo(
              new Perplexity.Units(
                  all.bytes() - 1, all.tokens() - 1, all.words() - 1, all.lostBytes()));
      assertThat(scored.units().bytes())
          .isEqualTo(text.getBytes(StandardCharsets.UTF_8).length)
          .isNotEqualTo(text.length());
      assertThat(scored.units().tokens()).isEqualTo(scored.predicted());
      assertThat(all.lostBytes() > 0).isEqualTo(kind.equals("words"));

      Perplexity same = new Perplexity(evaluated.nats(), evaluated.predicted(), scored.units());
      assertThat(scored.bitsPerByte()).isCloseTo(same.bitsPerByte(), ROUNDING);
      assertThat(scored.bitsPerByteSpelled()).isCloseTo(same.bitsPerByteSpelled(), ROUNDING);
      assertThat(scored.ofWord()).isCloseTo(same.ofWord(), ROUNDING);
      // as it stands the evaluation's figure is less the first token's average share
      double share = (double) scored.predicted() / all.tokens();
      assertThat(evaluated.bitsPerByte() * share * all.bytes())
          .isCloseTo(scored.bitsPerByte() * scored.units().bytes(), ROUNDING);
      assertThat(Math.log(evaluated.ofWord()) * share * all.words())
          .isCloseTo(Math.log(scored.ofWord()) * scored.units().words(), ROUNDING);
      if (kind.equals("words")) {
        assertThat(scored.ofWord()).isEqualTo(scored.ofToken());
      }
      assertThat(evaluated.ofToken()).isNotCloseTo(vocabulary.size(), withinPercentage(1));
    }
  }
}
