package io.github.sharnn.spark;

import ai.djl.Model;
import io.github.sharnn.SHARNN;
import io.github.sharnn.score.Score;
import io.github.sharnn.score.Scorer;
import io.github.sharnn.score.TokenScore;
import io.github.sharnn.vocabulary.TextVocabulary;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;
import org.jspecify.annotations.Nullable;

/**
 * The scoring of texts.
 *
 * @param batchSize texts side by side
 * @param segmentLength tokens at once, 0 for the default
 * @param lineEnd true to score a newline after each text that lacks one
 * @param withTokens true to return the scores of all tokens
 */
record Scoring(int batchSize, int segmentLength, boolean lineEnd, boolean withTokens)
    implements TextWork {

  /** The structure of a token's score. */
  static final StructType TOKEN =
      new StructType()
          .add("token", DataTypes.StringType)
          .add("bits", DataTypes.DoubleType)
          .add("rank", DataTypes.IntegerType)
          .add("entropy", DataTypes.DoubleType);

  private static final int MOST_SIDE_BY_SIDE = 1 << 16; // bytes of a text; longer ones are streamed

  @Override
  public OfModel open(Model model) {
    Scorer.Builder builder = Scorer.builder(model).batchSize(batchSize);
    Scorer scorer = (segmentLength > 0 ? builder.segmentLength(segmentLength) : builder).build();
    TextVocabulary vocabulary = SHARNN.of(model).vocabulary();
    return texts -> score(scorer, vocabulary, texts);
  }

  private List<Object[]> score(Scorer scorer, TextVocabulary vocabulary, List<Text> texts) {
    List<byte[]> bytes = texts.stream().map(this::bytes).toList();
    List<Object[]> values = new ArrayList<>();
    if (bytes.stream().anyMatch(text -> text.length > MOST_SIDE_BY_SIDE)) {
      for (byte[] text : bytes) {
        Tokens tokens = new Tokens(vocabulary);
        values.add(tokens.values(score(scorer, text, tokens)));
      }
      return values;
    }
    for (Score score : scorer.scoreAll(bytes)) {
      Tokens tokens = new Tokens(vocabulary);
      score.tokens().forEach(tokens::add);
      values.add(tokens.values(score.totals()));
    }
    return values;
  }

  private static Score.Totals score(Scorer scorer, byte[] text, Tokens tokens) {
    try {
      return scorer.score(new ByteArrayInputStream(text), tokens::add);
    } catch (IOException e) { // not from memory
      throw new UncheckedIOException(e);
    }
  }

  private byte[] bytes(Text text) {
    String line = lineEnd && !text.text().endsWith("\n") ? text.text() + "\n" : text.text();
    return line.getBytes(StandardCharsets.UTF_8);
  }

  /** A text's tokens so far: the most surprising one, and all of them if they are wanted. */
  private final class Tokens {

    private final TextVocabulary vocabulary;
    private final List<Row> all = new ArrayList<>();
    private @Nullable TokenScore surprising;
    private int position;
    private int count;

    Tokens(TextVocabulary vocabulary) {
      this.vocabulary = vocabulary;
    }

    void add(TokenScore next) {
      if (surprising == null || next.logProbability() < surprising.logProbability()) {
        surprising = next;
        position = count;
      }
      count++;
      if (withTokens) {
        all.add(
            RowFactory.create(
                vocabulary.getToken(next.token()),
                bits(-next.logProbability()),
                next.rank(),
                bits(next.entropy())));
      }
    }

    Object[] values(Score.Totals totals) {
      List<@Nullable Object> values = new ArrayList<>();
      values.add(totals.bits());
      values.add(surprising == null ? null : totals.bitsPerByte());
      values.add(surprising == null ? null : position);
      values.add(surprising == null ? null : vocabulary.getToken(surprising.token()));
      if (withTokens) {
        values.add(all.toArray(Row[]::new));
      }
      return values.toArray();
    }
  }

  private static double bits(double nats) {
    return nats / Math.log(2);
  }
}
