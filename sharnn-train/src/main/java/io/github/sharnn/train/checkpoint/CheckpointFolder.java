package io.github.sharnn.train.checkpoint;

import ai.djl.MalformedModelException;
import com.google.gson.JsonObject;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * A checkpoint on disk: named parts in a folder {@code checkpoint-STAGE-STEP} of the run's folder,
 * with these files:
 *
 * <ul>
 *   <li>{@code training.json}: the format, and the numbers and strings of each part, keyed by its
 *       name
 *   <li>{@code PART.safetensors}: the arrays of a part
 *   <li>{@code SHA256SUMS}: the checksums of these files, in the format of {@code sha256sum}
 * </ul>
 *
 * <p>This package stores the parts without interpreting them. Reading a checkpoint runs no code
 * from its files and allocates no memory by a number that a file claims.
 *
 * @param folder the folder
 * @param sums the SHA-256 of each file by its name
 * @param states the numbers and strings of each part
 */
public record CheckpointFolder(Path folder, Map<String, String> sums, JsonObject states) {

  public static final String RECORD = "training.json";
  public static final String SUMS = "SHA256SUMS";

  /** Returns the name of the file of a part's arrays. */
  public static String file(String part) {
    return part + ".safetensors";
  }

  /** Reads a checkpoint and checks the sum of every file. */
  public static CheckpointFolder read(Path folder) throws IOException {
    Map<String, String> sums = CheckpointSums.check(folder);
    try {
      return new CheckpointFolder(folder, sums, CheckpointJson.read(folder.resolve(RECORD)));
    } catch (MalformedModelException e) {
      throw damaged(
          folder, String.format(Locale.ROOT, "%s can't be read: %s", RECORD, e.getMessage()), e);
    }
  }

  /** Returns a part, which may be empty. */
  public SavedPart part(String name) {
    return new SavedPart(this, name);
  }

  /** Creates an exception that names this checkpoint. */
  public DamagedCheckpointException damaged(String how, @Nullable Throwable cause) {
    return damaged(folder, how, cause);
  }

  static DamagedCheckpointException damaged(Path folder, String how, @Nullable Throwable cause) {
    return new DamagedCheckpointException(
        String.format(Locale.ROOT, "the checkpoint %s is damaged: %s", folder, how), cause);
  }
}
