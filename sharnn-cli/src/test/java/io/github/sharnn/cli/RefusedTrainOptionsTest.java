package io.github.sharnn.cli;

import static io.github.sharnn.cli.Outcome.run;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The command {@code train} with bad options, and with files that exist already. */
class RefusedTrainOptionsTest extends TrainedModelTest {

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "train --attention-layers 9 | --attention-layers",
        "train --attention-layers 1,x | --attention-layers takes layers separated by commas",
        "train --checkpoint-minutes 1 --checkpoint-interval 2 | exclude each other: leave one out",
        "train --lerning-rate 0.1 | --learning-rate",
        "train --boom-size 33 | --boom-size (33) must be a multiple of --embedding-size (16)",
        "train --embedding-size 0 | --embedding-size must be at least 1, but is 0",
        "train --layers -1 | --layers must be at least 1, but is -1",
        "train --batch-size 0 | --batch-size must be at least 1, but is 0",
        "train --batch-size 100000 | use fewer streams (a smaller --batch-size) or a longer corpus",
        "train --dropout 1.5 | inputDropout must be at least 0 and below 1",
        "train --split 0.5,0.5 | --split takes three numbers",
        "train --steps 0 | a budget of steps must be above 0, but is 0",
        "train --split NaN,0.5,0.5 | --split takes three fractions that add up to 1, or three whole",
        "train --split 100.5,20,20 | numbers of bytes, but was given [100.5, 20.0, 20.0]",
        "train --split 100,1,20 | each part of a corpus needs at least 2 bytes",
        "train --documents= | --documents must be lines or files, but is ''",
        "train --separator= | --separator must have at least 1 character",
        "train --split 0.5,0.25,0.25 --enwik8 | --split and --enwik8 exclude each other",
        "train --split 0.5,0.25,0.25 --corpus src | --split is for a file, but src is a folder",
        "train --enwik8 | enwik8 has exactly 100000000 bytes",
        "train --recipe slow | expected one of [small, paper, paper-four-heads, paper-no-attention,"
            + " fast, fast-subwords]",
        "train --recipe paper --warm-up -1 | warmUpSteps must be at least 0, but is -1",
        "train --plateau 0.5 | --plateau takes a factor and a whole number of evaluations",
        "train --plateau 0.5,1.5 | --plateau takes a factor and a whole number of evaluations",
        "train --plateau 2,3 | plateauFactor must be above 0 and below 1, but is 2.0",
        "train --cosine --linear | --cosine and --linear exclude each other",
        "train --recipe paper --final-rate 0.1 | --final-rate needs --cosine or --linear",
        "train --recipe paper --hold 0.5 | --hold needs --cosine or --linear",
        "train --linear --hold 1 | holdUntil must be at least 0 and below 1, but is 1.0",
        "train --optimizer sgd | expected one of [lamb, adamw, muon], but was 'sgd'",
        "train --optimizer muon --weight-decay -1 | --weight-decay must be at least 0 and finite",
        "train --optimizer adamw --iterations 3 | iterations need the optimizer muon",
        "train --recipe paper --embedding-rate 2 | need the optimizer adamw or muon, but the optimizer is lamb",
        "train --decay-after 5,0 | decay steps must be at least 1, but are [5, 0]",
        "train --lookahead 5 | --lookahead takes a whole number of steps and alpha",
        "train --lookahead 5,1.5 | Lookahead's alpha must be above 0 and at most 1, but is 1.5",
        "train --average-decay 1 | --average-decay must be at least 0 and below 1, but is 1.0",
        "train --zero-state 1 | zeroStateProbability must be at least 0 and below 1, but is 1.0",
        "train --label-smoothing 1 | --label-smoothing must be at least 0 and below 1, but is 1.0",
        "train --weight-drop 1 | --weight-drop must be at least 0 and below 1",
        "train --patience -1 | patience must be at least 0, but is -1",
        "train --speed 3 | Unknown option",
        "train --layers many | Invalid value for option '--layers'",
        "train --steps 3 --epochs 2 | mutually exclusive"
      })
  void refuses_bad_options_of_train(String line, String message, @TempDir Path folder) {
    List<String> words = List.of(line.trim().split(" "));
    List<Object> args = new ArrayList<>(words.subList(1, words.size()));
    args.addAll(List.of("--output", folder.resolve("model")));
    Outcome outcome = run(defaults(args).toArray());
    assertThat(outcome.err()).contains(message).doesNotContain("\tat ");
    assertThat(outcome.code()).isEqualTo(2);
    assertThat(folder.resolve("model")).doesNotExist();
  }

  /** The tiny model's options where the line does not set them itself. */
  private static List<Object> defaults(List<Object> args) {
    List<Object> all = new ArrayList<>(List.of("train"));
    List<String> options =
        List.of("--embedding-size", "16", "--boom-size", "32", "--corpus", corpus.toString());
    for (int i = 0; i < options.size(); i += 2) {
      if (!args.contains(options.get(i))) {
        all.addAll(options.subList(i, i + 2));
      }
    }
    all.addAll(args);
    return all;
  }

  @Test
  void changes_nothing_for_kernels_that_cannot_run(@TempDir Path folder) {
    Path output = folder.resolve("model");
    Outcome outcome = train("--output", output, "--steps", 1, "--kernels", "required");
    assertThat(outcome.code()).isEqualTo(1);
    assertThat(outcome.err())
        .contains("because the device is cpu: --kernels must be auto or off, but is required");
    assertThat(output).doesNotExist();
  }

  @Test
  @DisabledOnOs(OS.WINDOWS)
  void says_why_an_output_is_impossible(@TempDir Path folder) throws IOException {
    Path link = Files.createSymbolicLink(folder.resolve("link"), folder.resolve("none"));
    assertThat(train("--output", link, "--steps", 1).err()).contains(link + " exists already");
    assertThat(train("--output", link.resolve("run"), "--steps", 1).err())
        .contains("error: " + link + ": not a folder, but a file or a link to nothing");
    Path missing = folder.resolve("a\\batchSize\\b"); // as on Windows
    assertThat(train("--output", folder.resolve("new"), "--corpus", missing).err())
        .contains(missing.toString());
  }

  @Test
  void leaves_existing_files_alone(@TempDir Path folder) throws IOException {
    Files.writeString(folder.resolve("precious"), "work");
    Outcome outcome = train("--output", folder, "--steps", 1);
    assertThat(outcome.code()).isEqualTo(1);
    assertThat(outcome.err())
        .contains(folder.toString(), "exists already", "--output")
        .hasLineCount(1);
    outcome = train("--output", folder.resolve("new"), "--metrics", folder.resolve("precious"));
    assertThat(outcome.err()).contains("precious exists already", "--metrics").hasLineCount(1);
    assertThat(folder.resolve("new")).doesNotExist();
    assertThat(folder.resolve("precious")).hasContent("work");
  }
}
