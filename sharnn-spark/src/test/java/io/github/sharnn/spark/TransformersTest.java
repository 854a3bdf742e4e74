package io.github.sharnn.spark;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.apache.spark.ml.param.ParamMap;
import org.apache.spark.sql.internal.SQLConf;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;
import org.junit.jupiter.api.Test;

/** Options and columns, which need no cluster. */
class TransformersTest {

  private static final StructType LINES = new StructType().add("value", DataTypes.StringType);

  @Test
  void scoring_adds_its_columns() {
    assertThat(new SharnnScorer().transformSchema(LINES).fieldNames())
        .containsExactly(
            "value", "bits", "bitsPerByte", "surprisingPosition", "surprisingToken", "scoreError");
    SharnnScorer all = new SharnnScorer().setTokenScoresCol("tokens").setErrorCol("error");
    assertThat(all.transformSchema(LINES).fieldNames()).contains("tokens", "error");
  }

  @Test
  void generation_adds_its_columns() {
    assertThat(new SharnnGenerator().transformSchema(LINES).fieldNames())
        .containsExactly("value", "generated", "generationError");
  }

  @Test
  void a_copy_keeps_options_and_takes_others() {
    SharnnGenerator generator = new SharnnGenerator().setLength(7).setTopP(0.9);
    ParamMap other = new ParamMap().put(generator.length(), 8);
    SharnnGenerator copy = generator.copy(other);
    assertThat(copy.getOrDefault(copy.length())).isEqualTo(8);
    assertThat(copy.getOrDefault(copy.topP())).isEqualTo(0.9);
    assertThat(copy.uid()).isEqualTo(generator.uid());
    assertThat(generator.getOrDefault(generator.length())).isEqualTo(7);
  }

  @Test
  void all_options_are_found_by_name() {
    assertThat(new SharnnScorer().params())
        .extracting(param -> param.name())
        .contains("model", "inputCol", "errorCol", "failOnError", "batchSize", "windowBytes")
        .contains("device", "bitsCol", "tokenScoresCol", "lineEnd", "segmentLength");
    assertThat(new SharnnGenerator().params())
        .extracting(param -> param.name())
        .contains("model", "length", "temperature", "topK", "topP", "minP", "stop", "seed")
        .contains("repetitionPenalty", "repetitionWindow", "outputCol", "seedCol");
  }

  @Test
  void columns_are_checked() {
    assertThatThrownBy(() -> new SharnnScorer().setInputCol("text").transformSchema(LINES))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("inputCol must name a column, but there is no 'text' among value");
    StructType upper = new StructType().add("VALUE", DataTypes.StringType);
    assertThat(new SharnnScorer().transformSchema(upper).fieldNames()).contains("VALUE", "bits");
    assertThatThrownBy(() -> new SharnnScorer().setBitsCol("Value").transformSchema(LINES))
        .hasMessageContaining("there is already a column 'Value': choose another one");
    StructType numbers = new StructType().add("value", DataTypes.LongType);
    assertThatThrownBy(() -> new SharnnScorer().transformSchema(numbers))
        .hasMessage(
            "inputCol must name a column of type STRING, but 'value' has the type BIGINT: cast it");
    assertThatThrownBy(() -> new SharnnScorer().setBitsCol("value").transformSchema(LINES))
        .hasMessageContaining("there is already a column 'value': choose another one");
    assertThatThrownBy(() -> new SharnnGenerator().setSeedCol("value").transformSchema(LINES))
        .hasMessageContaining("seedCol must name a column of type BIGINT");
  }

  @Test
  void a_name_of_two_columns_is_refused() {
    StructType two = LINES.add("Value", DataTypes.StringType).add("id", DataTypes.LongType);
    assertThatThrownBy(() -> new SharnnScorer().transformSchema(two))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage(
            "inputCol must name one column, but 'value' names each of value, Value: rename the others, or"
                + " set spark.sql.caseSensitive if they differ in case");
    assertThatThrownBy(
            () ->
                new SharnnGenerator()
                    .setSeedCol("ID")
                    .transformSchema(
                        LINES.add("id", DataTypes.LongType).add("Id", DataTypes.LongType)))
        .hasMessageContaining("seedCol must name one column, but 'ID' names each of id, Id");
    SQLConf sensitive = new SQLConf();
    sensitive.setConf(SQLConf.CASE_SENSITIVE(), true);
    SQLConf.withExistingConf(
        sensitive,
        () -> {
          assertThat(new SharnnScorer().transformSchema(two).fieldNames()).contains("bits");
          assertThat(new SharnnScorer().setBitsCol("VALUE").transformSchema(two).fieldNames())
              .contains("VALUE");
          return null;
        });
  }

  @Test
  void options_are_checked_on_the_driver() {
    assertThatThrownBy(() -> new SharnnScorer().setBatchSize(0).transformSchema(LINES))
        .hasMessage("batchSize must be at least 1 text, but is 0");
    assertThatThrownBy(() -> new SharnnScorer().setWindowBytes(0).transformSchema(LINES))
        .hasMessage("windowBytes must be at least 1, but is 0");
    assertThatThrownBy(() -> new SharnnScorer().setSegmentLength(-1).transformSchema(LINES))
        .hasMessageContaining("segmentLength must be at least 1 token, or 0 for the default");
    assertThatThrownBy(() -> new SharnnGenerator().setLength(0).transformSchema(LINES))
        .hasMessage("length must be at least 1 token, but is 0");
    assertThatThrownBy(() -> new SharnnGenerator().setTopP(2).transformSchema(LINES))
        .hasMessageContaining("topP must be above 0 and at most 1, but is 2.0");
    assertThatThrownBy(() -> new SharnnGenerator().setRepetitionWindow(-1).transformSchema(LINES))
        .hasMessageContaining("repetitionWindow must be at least 0 tokens, but is -1");
  }

  @Test
  void the_address_of_a_gpu_is_its_number() {
    assertThat(ExecutorModels.gpu("3")).isEqualTo("gpu3");
    assertThatThrownBy(() -> ExecutorModels.gpu("MIG-4dd9ed01"))
        .hasMessageContaining(
            "must be numbers as in nvidia-smi, but one is MIG-4dd9ed01: for a MIG")
        .hasMessageContaining("set CUDA_VISIBLE_DEVICES for the executor and device to gpu0");
    assertThatThrownBy(() -> ExecutorModels.gpu("0:1"))
        .hasMessageContaining("must be numbers as in nvidia-smi, but one is 0:1: for a MIG device");
  }
}
