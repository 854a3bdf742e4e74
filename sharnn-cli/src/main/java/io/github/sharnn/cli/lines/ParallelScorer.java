package io.github.sharnn.cli.lines;

import com.google.common.base.Throwables;
import com.google.common.util.concurrent.ThreadFactoryBuilder;
import io.github.sharnn.io.Interrupts;
import io.github.sharnn.score.Score;
import io.github.sharnn.score.Scorer;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.CancellationException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.IntStream;

/**
 * A scorer of many lines on a few threads. PyTorch makes little use of several cores for one batch
 * of short lines, so that each thread scores batches of its own.
 */
public final class ParallelScorer implements AutoCloseable {

  private static final int MOST_WORKERS = 4; // bounds the memory for activations
  private static final int FEWEST_LINES = 32; // of a worker

  private final Scorer scorer;
  private final int workers;
  private final ExecutorService pool;

  /**
   * Creates a scorer.
   *
   * @param scorer scores the lines; the caller closes it
   * @param workers number of threads
   */
  public ParallelScorer(Scorer scorer, int workers) {
    this.scorer = scorer;
    this.workers = workers;
    pool =
        Executors.newFixedThreadPool(
            workers, new ThreadFactoryBuilder().setNameFormat("score-%d").setDaemon(true).build());
  }

  /** {@return a good number of workers for the lines of a file} */
  public static int workersForFiles() {
    return Math.min(Runtime.getRuntime().availableProcessors(), MOST_WORKERS);
  }

  /**
   * Divides PyTorch's threads among workers. Does nothing once PyTorch runs, or if the user chose.
   *
   * @param workers number of workers
   */
  public static void sharePyTorchThreads(int workers) {
    String property = "ai.djl.pytorch.num_threads";
    if (System.getProperty(property) == null && System.getenv("OMP_NUM_THREADS") == null) {
      int each = Math.max(Runtime.getRuntime().availableProcessors() / workers, 1);
      System.setProperty(property, Integer.toString(each));
    }
  }

  /**
   * {@return the totals of each line, in the lines' order}
   *
   * @param lines the lines
   */
  public List<Score.Totals> totals(List<byte[]> lines) {
    if (workers == 1 || lines.size() < FEWEST_LINES * workers) {
      return scorer.totals(lines);
    }
    List<Integer> longestFirst =
        IntStream.range(0, lines.size())
            .boxed()
            .sorted(Comparator.comparing(i -> -lines.get(i).length))
            .toList();
    List<List<Integer>> shares = new ArrayList<>();
    List<Future<List<Score.Totals>>> scored = new ArrayList<>();
    for (int worker = 0; worker < workers; worker++) {
      int first = worker;
      List<Integer> share =
          IntStream.iterate(first, i -> i < lines.size(), i -> i + workers)
              .mapToObj(longestFirst::get)
              .toList();
      shares.add(share);
      scored.add(pool.submit(() -> scorer.totals(share.stream().map(lines::get).toList())));
    }
    Map<Integer, Score.Totals> all = new TreeMap<>(); // by index of the line
    for (int worker = 0; worker < workers; worker++) {
      Iterator<Score.Totals> totals = get(scored.get(worker)).iterator();
      shares.get(worker).forEach(line -> all.put(line, totals.next()));
    }
    return List.copyOf(all.values());
  }

  private static <T> T get(Future<T> result) {
    Interrupts.check(); // get() returns a result that is there in spite of an interrupt
    try {
      return result.get();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new CancellationException("scoring was interrupted");
    } catch (ExecutionException e) {
      Throwables.throwIfUnchecked(e.getCause());
      throw new IllegalStateException("a scoring thread failed", e.getCause());
    }
  }

  /** Interrupts the workers. */
  @Override
  public void close() {
    pool.shutdownNow();
  }
}
