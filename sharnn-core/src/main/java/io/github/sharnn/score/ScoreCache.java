package io.github.sharnn.score;

import com.google.common.cache.Cache;
import com.google.common.cache.CacheBuilder;
import java.nio.ByteBuffer;
import java.util.HashMap;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;

/** The totals of texts already scored, in a limited amount of memory. The oldest ones go first. */
final class ScoreCache {

  private static final int OBJECTS = 300; // bytes of an entry beside its text and top surprises
  private static final int SURPRISE = 48;

  private final Cache<ByteBuffer, Score.Totals> known;

  /** Creates a cache of about so many bytes. */
  ScoreCache(long mostBytes) {
    known =
        CacheBuilder.newBuilder()
            .maximumWeight(mostBytes)
            .concurrencyLevel(1) // each level would get a share of the bytes
            .weigher(
                (ByteBuffer text, Score.Totals totals) ->
                    text.capacity() + OBJECTS + SURPRISE * totals.top().size())
            .build();
  }

  /** Returns the totals of each text, and scores each unknown one once. */
  List<Score.Totals> totals(
      List<byte[]> texts, Function<List<byte[]>, List<Score.Totals>> scoring) {
    Map<ByteBuffer, Score.Totals> all = new HashMap<>();
    Map<ByteBuffer, byte[]> unknown = new LinkedHashMap<>();
    for (byte[] text : texts) {
      ByteBuffer key = ByteBuffer.wrap(text);
      Score.Totals totals = known.getIfPresent(key);
      if (totals == null) {
        unknown.put(key, text);
      } else {
        all.put(key, totals);
      }
    }
    Iterator<Score.Totals> scored = scoring.apply(List.copyOf(unknown.values())).iterator();
    for (byte[] text : unknown.values()) {
      ByteBuffer copy = ByteBuffer.wrap(text.clone()); // the caller may change its array
      Score.Totals totals = scored.next();
      all.put(copy, totals);
      known.put(copy, totals);
    }
    return texts.stream().map(ByteBuffer::wrap).map(all::get).toList();
  }
}
