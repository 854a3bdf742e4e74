package io.github.sharnn.score;

import com.google.common.collect.ListMultimap;
import com.google.common.collect.MultimapBuilder;
import com.google.common.collect.Multimaps;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** Texts that follow other texts, in batches whose states can be joined. */
final class CarriedTexts {

  private final Scorer scorer;
  private final List<ScoringState> before;
  private final List<Segments.Text> texts;
  private final Map<Integer, CarriedScore> scores = new TreeMap<>(); // by index of the text

  CarriedTexts(Scorer scorer, List<ScoringState> before, List<byte[]> texts) {
    this.scorer = scorer;
    this.before = before;
    this.texts = texts.stream().map(text -> Segments.encode(scorer.model(), text)).toList();
  }

  /** Scores the texts, in their order. */
  List<CarriedScore> score() {
    ListMultimap<List<Integer>, Integer> groups =
        MultimapBuilder.hashKeys().arrayListValues().build();
    for (int text = 0; text < texts.size(); text++) {
      int length = texts.get(text).tokens().length;
      if (length == 0) {
        Score.Totals nothing = scorer.newSums().totals(texts.get(text).units());
        scores.put(text, new CarriedScore(nothing, before.get(text)));
      } else {
        int equalLength = scorer.scoresParts() ? 0 : length;
        groups.put(List.of(before.get(text).positions(), equalLength), text);
      }
    }
    Multimaps.asMap(groups).values().forEach(this::score);
    return List.copyOf(scores.values());
  }

  private void score(List<Integer> group) {
    int[] lengths = group.stream().mapToInt(text -> texts.get(text).tokens().length).toArray();
    for (List<Integer> batch : scorer.batches().of(lengths)) {
      List<Integer> longestFirst = batch.stream().map(group::get).toList();
      Iterator<CarriedScore> scored =
          scorer
              .score(
                  longestFirst.stream().map(before::get).toList(),
                  longestFirst.stream().map(texts::get).toList())
              .iterator();
      longestFirst.forEach(text -> scores.put(text, scored.next()));
    }
  }
}
