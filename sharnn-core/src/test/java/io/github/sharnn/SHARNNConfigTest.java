package io.github.sharnn;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.params.provider.Arguments.arguments;

import java.util.List;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class SHARNNConfigTest {

  private static final SHARNNConfig EVERY_OPTION_CHANGED =
      SHARNN
          .builder()
          .vocabularySize(29)
          .embeddingSize(16)
          .boomSize(40)
          .layers(5)
          .attentionLayers(4, 0)
          .memoryLength(18)
          .inputDropout(0.2f)
          .hiddenDropout(0.3f)
          .outputDropout(0.4f)
          .weightDrop(0.5f)
          .boomShortcut(false)
          .keyProjection(true)
          .valueProjection(true)
          .tiedOutput(false)
          .splits(7, 11)
          .config()
          .withCollapsed();

  @Test
  void defaults_to_the_papers_model() {
    assertThat(SHARNN.builder().config())
        .isEqualTo(
            new SHARNNConfig(
                256,
                1024,
                4096,
                4,
                List.of(2),
                5000,
                0.1f,
                0.1f,
                0.1f,
                0f,
                true,
                false,
                false,
                true,
                false,
                List.of(),
                List.of()));
  }

  @Test
  void holds_every_option_of_the_builder() {
    assertThat(EVERY_OPTION_CHANGED)
        .isEqualTo(
            new SHARNNConfig(
                29,
                16,
                40,
                5,
                List.of(0, 4),
                18,
                0.2f,
                0.3f,
                0.4f,
                0.5f,
                false,
                true,
                true,
                false,
                true,
                List.of(),
                List.of(7, 11)));
  }

  @ParameterizedTest
  @CsvSource({"1, 0", "2, 0", "3, 1", "4, 2", "6, 4"})
  void puts_attention_into_the_second_to_last_layer(int layers, int attention) {
    assertThat(SHARNN.builder().layers(layers).config().attentionLayers())
        .containsExactly(attention);
  }

  @Test
  void sorts_attention_layers_and_counts_each_once() {
    SHARNNConfig config = SHARNN.builder().attentionLayers(3, 0, 3).config();
    assertThat(config.attentionLayers()).containsExactly(0, 3);
    assertThat(config.hasAttention(0)).isTrue();
    assertThat(config.hasAttention(1)).isFalse();
    assertThat(SHARNN.builder().attentionLayers().config().attentionLayers()).isEmpty();
  }

  static Stream<Arguments> badOptions() {
    return Stream.of(
        bad(b -> b.vocabularySize(0), "vocabularySize must be at least 1, but is 0"),
        bad(b -> b.embeddingSize(-1), "embeddingSize must be at least 1, but is -1"),
        bad(b -> b.embeddingSize(0), "embeddingSize must be at least 1, but is 0"),
        bad(b -> b.boomSize(0), "boomSize must be at least 1, but is 0"),
        bad(b -> b.layers(0), "layers must be at least 1, but is 0"),
        bad(b -> b.layers(-3), "layers must be at least 1, but is -3"),
        bad(b -> b.layers(1001), "layers must be at most 1000, but is 1001"),
        bad(b -> b.memoryLength(-1), "memoryLength must be at least 0, but is -1"),
        bad(
            b -> b.embeddingSize(10).boomSize(25),
            "boomSize (25) must be a multiple of embeddingSize (10): the Boom's shortcut sums chunks"
                + " of embeddingSize; change one of them or set boomShortcut to false"),
        bad(
            b -> b.layers(2).attentionLayers(0, 2),
            "attentionLayers ([0, 2]) must lie between 0 and layers - 1 (1), but has 2: layers are"
                + " counted from 0"),
        bad(
            b -> b.attentionLayers(-1),
            "attentionLayers ([-1]) must lie between 0 and layers - 1 (3), but has -1: layers are"
                + " counted from 0"),
        bad(b -> b.inputDropout(1), rate("inputDropout", "1.0")),
        bad(b -> b.hiddenDropout(-0.5f), rate("hiddenDropout", "-0.5")),
        bad(b -> b.outputDropout(Float.NaN), rate("outputDropout", "NaN")),
        bad(b -> b.weightDrop(1.5f), rate("weightDrop", "1.5")),
        bad(b -> b.dropouts(2), rate("inputDropout", "2.0")),
        bad(b -> b.splits(0), splits("[0]", "0")),
        bad(b -> b.splits(256), splits("[256]", "256")),
        bad(b -> b.splits(20, 20), splits("[20, 20]", "20")),
        bad(b -> b.splits(-4, 20), splits("[-4, 20]", "-4")),
        bad(b -> b.splits(20, 100, 30), splits("[20, 100, 30]", "30")));
  }

  private static Arguments bad(UnaryOperator<SHARNNConfig.Builder> option, String message) {
    return arguments(option, message);
  }

  private static String splits(String splits, String wrong) {
    return "splits ("
        + splits
        + ") must be ascending, above 0 and below vocabularySize (256), but "
        + wrong
        + " is not: each is the first token of a tail; leave them empty for one softmax over all tokens";
  }

  private static String rate(String option, String value) {
    return option + " must be at least 0 and below 1 (a dropout rate), but is " + value;
  }

  @ParameterizedTest
  @MethodSource("badOptions")
  void names_option_rule_and_value(UnaryOperator<SHARNNConfig.Builder> option, String message) {
    assertThatThrownBy(() -> option.apply(SHARNN.builder()).build())
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage(message);
  }

  @Test
  void takes_any_boom_size_without_the_shortcut() {
    SHARNNConfig config =
        SHARNN.builder().embeddingSize(10).boomSize(25).boomShortcut(false).config();
    assertThat(config.boomSize()).isEqualTo(25);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "256 | []",
        "75000 | []",
        "75001 | [2800, 20000]",
        "76001 | [2800, 20000, 76000]",
        "267735 | [2800, 20000, 76000]",
        "500000 | [2800, 20000, 76000]",
        "500001 | [4200, 35000, 180000]",
        "793471 | [4200, 35000, 180000]"
      })
  void splits_by_the_size_of_the_vocabulary(int size, String splits) {
    SHARNNConfig.Builder builder = SHARNN.builder().defaultSplits().vocabularySize(size);
    assertThat(builder.config().splits()).hasToString(splits);
    assertThat(builder.config().hasSplits()).isEqualTo(size > 75_000);
    assertThat(SHARNN.builder().vocabularySize(size).config().splits()).isEmpty();
  }

  @Test
  void takes_the_config_of_a_model_saved_before_there_were_splits() {
    SHARNNConfig config = SHARNN.builder().config();
    String before = config.toJson().replace(",\"splits\":[]", "");
    assertThat(before).doesNotContain("splits");
    assertThat(SHARNNConfig.fromJson(before)).isEqualTo(config);
  }

  @Test
  void without_dropout_all_else_stays() {
    SHARNNConfig without = EVERY_OPTION_CHANGED.withoutDropout();
    String[] rates = {"inputDropout", "hiddenDropout", "outputDropout", "weightDrop"};
    assertThat(without).extracting(rates).containsOnly(0f);
    assertThat(without)
        .usingRecursiveComparison()
        .ignoringFields(rates)
        .isEqualTo(EVERY_OPTION_CHANGED);
  }

  @Test
  void goes_through_json_and_back() {
    assertThat(SHARNNConfig.fromJson(EVERY_OPTION_CHANGED.toJson()))
        .isEqualTo(EVERY_OPTION_CHANGED);
    SHARNNConfig defaults = SHARNN.builder().config();
    assertThat(SHARNNConfig.fromJson(defaults.toJson())).isEqualTo(defaults);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "null",
        "hello",
        "[1, 2]",
        "{",
        "{\"layers\": \"many\"}",
        "{\"attentionLayers\": [null], \"vocabularySize\": 9, \"embeddingSize\": 8, \"boomSize\": 8,"
            + " \"layers\": 2, \"memoryLength\": 3}",
        "{\"splits\": [null], \"attentionLayers\": [], \"vocabularySize\": 9, \"embeddingSize\": 8,"
            + " \"boomSize\": 8, \"layers\": 2, \"memoryLength\": 3}",
        "{\"splits\": [3, 2], \"attentionLayers\": [], \"vocabularySize\": 9, \"embeddingSize\": 8,"
            + " \"boomSize\": 8, \"layers\": 2, \"memoryLength\": 3}",
        "{}",
        "{\"layers\": 2.5}"
      })
  void rejects_what_is_no_config(String json) {
    assertThatThrownBy(() -> SHARNNConfig.fromJson(json))
        .isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void says_what_a_text_that_is_no_json_is() {
    assertThatThrownBy(() -> SHARNNConfig.fromJson("hello"))
        .hasMessage("the model's config is not valid JSON: hello");
    assertThatThrownBy(() -> SHARNNConfig.fromJson("")).hasMessage("the model's config is empty");
  }

  @Test
  void checks_the_options_that_it_reads() {
    String json = SHARNN.builder().config().toJson();
    assertThatThrownBy(() -> SHARNNConfig.fromJson(json.replace("{", "{\"layer\":1,")))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("the model's config has the unknown field 'layer': did you mean layers?");
    assertThatThrownBy(() -> SHARNNConfig.fromJson(json.replace("4096", "4097")))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("boomSize (4097) must be a multiple of embeddingSize (1024)");
    assertThatThrownBy(() -> SHARNNConfig.fromJson(json.replace("\"attentionLayers\"", "\"a\"")))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("attentionLayers must not be null: use an empty list");
  }

  @Test
  void shows_every_option() {
    assertThat(EVERY_OPTION_CHANGED.toString())
        .contains("vocabularySize=29", "embeddingSize=16", "boomSize=40", "layers=5")
        .contains("attentionLayers=[0, 4]", "memoryLength=18", "inputDropout=0.2")
        .contains("hiddenDropout=0.3", "outputDropout=0.4", "weightDrop=0.5")
        .contains("boomShortcut=false", "keyProjection=true", "valueProjection=true")
        .contains("tiedOutput=false", "collapsed=true", "splits=[7, 11]");
  }

  @Test
  void shows_nothing_but_what_differs_from_the_paper() {
    assertThat(SHARNN.builder().config()).hasToString("SHA-RNN of the paper");
    assertThat(SHARNN.builder().layers(3).dropouts(0).config())
        .hasToString(
            "SHA-RNN with layers=3, attentionLayers=[1], inputDropout=0.0, hiddenDropout=0.0,"
                + " outputDropout=0.0");
    assertThat(SHARNN.builder().attentionLayers().config())
        .hasToString("SHA-RNN with attentionLayers=[]");
  }
}
