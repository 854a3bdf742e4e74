package io.github.sharnn.serve;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.Model;
import ai.djl.ndarray.types.DataType;
import io.github.sharnn.SHARNN;
import io.github.sharnn.generate.GeneratedText;
import io.github.sharnn.generate.SHARNNGenerator;
import io.github.sharnn.generate.TinyModel;
import io.github.sharnn.score.Scorer;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;

class SHARNNServiceTest {

  private static final UnaryOperator<SHARNNGenerator.Builder> SHORT =
      builder -> builder.length(20).seed(42);

  private static Model model(float deviation) {
    return TinyModel.of(TinyModel.builder(), DataType.FLOAT32, deviation);
  }

  private static String generate(Model model) {
    return SHORT.apply(SHARNNGenerator.builder(model)).build().generate("The ");
  }

  private static boolean isOpen(Model model) {
    return SHARNN.lifetime(model).isOpen();
  }

  @Test
  void answers_with_the_current_model_and_closes_each_model() {
    Model first = model(0.6f);
    Model second = model(0.8f);
    String firstText = generate(first);
    String secondText = generate(second);
    assertThat(firstText).isNotEqualTo(secondText);
    try (SHARNNService service = SHARNNService.of(first)) {
      assertThat(service.generate("The ", SHORT)).isEqualTo(firstText);
      assertThat(service.score("abc")).isEqualTo(Scorer.builder(first).build().score("abc"));
      service.swap(second);
      assertThat(isOpen(first)).isFalse();
      assertThat(service.generate("The ", SHORT)).isEqualTo(secondText);
      service.swap(second); // the same one stays open
      assertThat(service.generate("The ", SHORT)).isEqualTo(secondText);
    }
    assertThat(isOpen(second)).isFalse();
  }

  @Test
  void an_open_text_goes_on_with_its_model_after_a_swap() {
    Model first = model(0.6f);
    String expected = generate(first);
    try (SHARNNService service = SHARNNService.of(first)) {
      StringBuilder text = new StringBuilder();
      try (GeneratedText pieces = service.stream("The ", SHORT)) {
        text.append(pieces.next());
        service.swap(model(0.8f));
        assertThatThrownBy(() -> generate(first)).hasMessage("the model tiny is closed");
        pieces.forEachRemaining(text::append);
      }
      assertThat(text.toString()).isEqualTo(expected);
      assertThatThrownBy(() -> first.getNDManager().create(1f))
          .isInstanceOf(RuntimeException.class);
    }
  }

  @Test
  void a_request_may_swap_and_close_from_within() {
    Model first = model(0.6f);
    Model second = model(0.8f);
    String firstText = generate(first);
    SHARNNService service = SHARNNService.of(first);
    String text =
        service.call(
            model -> {
              service.swap(second);
              service.close();
              return generate(model);
            });
    assertThat(text).isEqualTo(firstText);
    assertThat(isOpen(first)).isFalse();
    assertThat(isOpen(second)).isFalse();
    assertThatThrownBy(() -> service.generate("The ", SHORT))
        .isInstanceOf(IllegalStateException.class)
        .hasMessage("the service is closed");
    service.close();
  }

  @Test
  void closing_ends_an_idle_text() {
    SHARNNService service = SHARNNService.of(model(0.6f));
    GeneratedText text = service.stream("The ", builder -> builder.length(1_000_000));
    assertThat(text.hasNext()).isTrue();
    service.close();
    assertThat(text.next()).isNotEmpty();
    assertThat(text.hasNext()).isFalse();
  }

  @Test
  void refuses_closed_models_and_models_without_weights() {
    Model closed = model(0.6f);
    closed.close();
    assertThatThrownBy(() -> SHARNNService.of(closed)).hasMessage("the model tiny is closed");
    SHARNNService service = SHARNNService.of(model(0.8f));
    try (Model empty = TinyModel.builder().build().newModel("empty");
        Model other = model(0.6f)) {
      assertThatThrownBy(() -> service.swap(empty)).hasMessageContaining("must have weights");
      assertThatThrownBy(() -> service.swap(closed)).hasMessage("the model tiny is closed");
      assertThat(service.generate("The ", SHORT)).isNotEmpty();
      service.close();
      assertThatThrownBy(() -> service.swap(other)).hasMessage("the service is closed");
      assertThat(isOpen(other)).isTrue();
    }
  }

  @Test
  void a_model_that_somebody_else_closes_is_named() {
    Model model = model(0.6f);
    try (SHARNNService service = SHARNNService.of(model)) {
      model.close();
      assertThatThrownBy(() -> service.score("abc"))
          .isInstanceOf(IllegalStateException.class)
          .hasMessageStartingWith("the model tiny of the service is closed");
    }
  }
}
