package io.github.sharnn;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.sharnn.generate.Sampler;
import io.github.sharnn.score.Score;
import io.github.sharnn.score.TokenScore;
import io.github.sharnn.vocabulary.Perplexity;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.ObjectInputStream;
import java.io.ObjectOutputStream;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The values that a program sends to other processes, as Spark does. */
class SerializableValuesTest {

  static List<Object> values() {
    Perplexity perplexity = new Perplexity(1.5, 3, new Perplexity.Units(4, 3, 2, 0));
    return List.of(
        SHARNN.builder().attentionLayers(0, 1).vocabularySize(300).splits(100, 200).config(),
        new Sampler(0.5f, 4, 0.9f, 0.1f, 1.2f),
        new Score(
            List.of(new TokenScore(1, -2, 3, 4, 5)),
            new Score.Totals(perplexity, 2, 3, List.of(new Score.Surprise(4, 5, 6)))));
  }

  @ParameterizedTest
  @MethodSource("values")
  void a_value_arrives_as_it_was(Object value) throws Exception {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (ObjectOutputStream out = new ObjectOutputStream(bytes)) {
      out.writeObject(value);
    }
    try (var in = new ObjectInputStream(new ByteArrayInputStream(bytes.toByteArray()))) {
      assertThat(in.readObject()).isEqualTo(value);
    }
  }
}
