package io.github.sharnn.train;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.Model;
import io.github.sharnn.train.evaluate.DynamicEvaluation;
import io.github.sharnn.train.evaluate.Evaluation;
import io.github.sharnn.train.optim.LearningRateSchedule;
import io.github.sharnn.train.optim.OuterStep;
import io.github.sharnn.vocabulary.Perplexity;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.ObjectInputStream;
import java.io.ObjectOutputStream;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The options and results that a program sends to other processes, as Spark does. */
class SerializableOptionsTest {

  static List<Object> values() {
    Perplexity perplexity = new Perplexity(1.5, 3, new Perplexity.Units(4, 3, 2, 0));
    return List.of(
        new TrainingStage(
            LearningRateSchedule.peak(1e-3f).warmUp(10).cosine(),
            Budget.time(Duration.ofSeconds(5))),
        new OuterStep.Settings(30, 0.7f, 0.9f, 4),
        new StepReport(1, 2, 3, 4, 5, 6, 7, 8, 9, 10),
        new Evaluation(perplexity, new Evaluation.Settings(4, 64), 128),
        new DynamicEvaluation(perplexity, DynamicEvaluation.Settings.DEFAULT));
  }

  @Test
  void training_options_arrive_as_they_were() throws Exception {
    try (Model model = Tiny.model(Tiny.sharnn(), 1)) {
      a_value_arrives_as_it_was(Tiny.trainer(model).averageDecay(0.9).build().options());
    }
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
