package io.github.sharnn.cli.faults;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.sharnn.cli.faults.Disk.Crash;
import io.github.sharnn.cli.faults.RecordedFileSystem.Recorded;
import io.github.sharnn.train.data.Corpus;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * A run of which the i-th file operation fails, or after whose i-th file operation the power fails,
 * for every i. All that was there before is whole, and the run resumes to the bit.
 */
class EveryFileOperationTest {

  private static final int FIRST = 2; // steps of the first process
  private static final int SECOND = 4;
  private static final String RUN = "/runs/run";

  /** The others lose as much, and differ in the files of killed writers alone. */
  private static final Set<Crash> RESUMED = Set.of(Crash.KEEPS_ALL, Crash.LOSES_AT_RANDOM);

  @TempDir private static Path folder;
  private static Corpus corpus;
  private static List<Recorded> first;
  private static List<Recorded> second;
  private static Map<String, byte @Nullable []> between; // the files after the first process
  private static Map<String, float[]> weights; // after an uninterrupted run
  private static Map<String, String> arrays;

  @BeforeAll
  static void record_two_processes() throws Exception {
    corpus = Session.corpus(folder);
    RecordedFileSystem straight = empty();
    weights = Session.run(straight.path(RUN), corpus, SECOND);
    arrays = Session.arrays(straight.path(RUN));
    RecordedFileSystem system = empty();
    Session.run(system.path(RUN), corpus, FIRST);
    first = system.trace();
    Disk disk = replay(new Disk(), first);
    between = disk.after(Crash.KEEPS_ALL, 0);
    RecordedFileSystem resumed = new RecordedFileSystem(between);
    assertResumes(resumed.path(RUN));
    second = resumed.trace();
    assertThat(first).hasSizeGreaterThan(70);
    assertThat(second).hasSizeGreaterThan(70);
  }

  private static RecordedFileSystem empty() {
    Map<String, byte @Nullable []> state = new TreeMap<>();
    state.put("/runs", null);
    return new RecordedFileSystem(state);
  }

  private static Disk replay(Disk disk, List<Recorded> changes) {
    if (changes == first) {
      disk.createFolder("/runs");
      disk.settle();
    }
    changes.forEach(change -> change.change().apply(disk));
    return disk;
  }

  /** Resumes the run to its end, and compares it with the uninterrupted run. */
  private static void assertResumes(Path run) throws IOException {
    Map<String, float[]> resumed = Session.run(run, corpus, SECOND);
    assertThat(resumed.keySet()).isEqualTo(weights.keySet());
    resumed.forEach((name, values) -> assertThat(values).as(name).isEqualTo(weights.get(name)));
    assertThat(Session.arrays(run)).isEqualTo(arrays);
    Session.assertWhole(run, SECOND, FIRST, true);
    Session.assertTidy(run);
  }

  private static Disk afterTheFirst() {
    Disk disk = replay(new Disk(), first);
    disk.settle();
    return disk;
  }

  private final Set<Integer> seen = new HashSet<>();

  /** Checks a disk in each state that a crash may leave; skips the states seen before. */
  private void assertSurvives(Disk disk, String when, long seed, int step, boolean hadModel) {
    for (Crash crash : Crash.values()) {
      Map<String, byte @Nullable []> state = disk.after(crash, seed);
      if (seen.add(fingerprint(state))) {
        try {
          RecordedFileSystem system = new RecordedFileSystem(state);
          Path run = system.path(RUN);
          Session.assertWhole(run, step, step, hadModel);
          if (step > 0 && RESUMED.contains(crash)) {
            assertResumes(run);
          }
        } catch (IOException | RuntimeException | AssertionError e) {
          throw new AssertionError(crash + " after " + when, e);
        }
      }
    }
  }

  private static int fingerprint(Map<String, byte @Nullable []> state) {
    int hash = 0;
    for (Map.Entry<String, byte @Nullable []> entry : state.entrySet()) {
      hash = 31 * (31 * hash + entry.getKey().hashCode()) + Arrays.hashCode(entry.getValue());
    }
    return hash;
  }

  @Test
  void a_power_cut_after_any_operation_loses_nothing_old() {
    Disk disk = afterTheFirst();
    for (int i = 0; i < second.size(); i++) {
      second.get(i).change().apply(disk);
      assertSurvives(disk, i + ", " + second.get(i).what(), i, FIRST, true);
    }
    assertSurvives(disk, "the end", 0, SECOND, true);
  }

  @Test
  void a_power_cut_in_the_first_process_leaves_whole_files_alone() {
    Disk disk = replay(new Disk(), List.of());
    disk.createFolder("/runs");
    disk.settle();
    for (int i = 0; i < first.size(); i++) {
      first.get(i).change().apply(disk);
      assertSurvives(disk, i + ", " + first.get(i).what(), i, 0, false);
    }
    assertSurvives(disk, "the end", 0, FIRST, true);
  }

  @Test
  void a_failure_of_any_operation_loses_nothing_old() throws Exception {
    int changes = 0;
    for (boolean once : new boolean[] {true, false}) {
      boolean failed = true;
      for (int i = 0; failed; i++) {
        RecordedFileSystem system = new RecordedFileSystem(between).failAt(i, once);
        try {
          Session.run(system.path(RUN), corpus, SECOND);
        } catch (IOException | UncheckedIOException e) {
          assertThat(e).hasStackTraceContaining("injected");
        }
        failed = system.hasFailed();
        changes = Math.max(changes, i);
        try {
          system.failAt(Integer.MAX_VALUE, true);
          Session.assertWhole(system.path(RUN), FIRST, FIRST, true);
          if (once) { // else the files are those of a power cut that keeps all
            assertResumes(system.path(RUN));
          }
        } catch (IOException | RuntimeException | AssertionError e) {
          throw new AssertionError("after a failure of operation " + i + ", once: " + once, e);
        }
      }
    }
    assertThat(changes).isGreaterThan(70);
  }

  @Test
  void a_rename_before_its_force_is_found() {
    List<String> found = new ArrayList<>();
    List<String> missed = new ArrayList<>();
    for (int move = 0; move < second.size(); move++) {
      String what = second.get(move).what();
      if (!what.matches(
          "move .* to .*/(SHA256SUMS|metrics\\.jsonl|report\\.html|README\\.md|checkpoint-[^/]*)")) {
        continue;
      }
      for (int force = move - 1; force >= 0 && !isCommit(second.get(force).what()); force--) {
        String forced = second.get(force).what();
        boolean lastLines = forced.contains("/.metrics.") && !what.contains("/.metrics.");
        if (forced.startsWith("force /") && !lastLines) { // which a power cut may cut off
          (isFoundIfLate(force, move) ? found : missed).add(forced + " after " + what);
        }
      }
    }
    assertThat(missed).isEmpty();
    assertThat(found).hasSizeGreaterThan(10);
  }

  private static boolean isCommit(String what) {
    return what.matches(
        "move .* to .*/(SHA256SUMS|metrics\\.jsonl|report\\.html|README\\.md|checkpoint-[^/]*)");
  }

  /** Replays the run with a force after a rename instead of before it. */
  private boolean isFoundIfLate(int force, int move) {
    Disk disk = afterTheFirst();
    seen.clear();
    for (int i = 0; i <= move; i++) {
      if (i != force) {
        second.get(i).change().apply(disk);
      }
    }
    try {
      assertSurvives(disk, second.get(move).what(), move, FIRST, true);
      return false;
    } catch (AssertionError e) {
      return true;
    }
  }
}
