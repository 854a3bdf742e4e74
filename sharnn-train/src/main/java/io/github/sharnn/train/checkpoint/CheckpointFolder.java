package io.github.sharnn.train.checkpoint;

import static com.google.common.base.Strings.lenientFormat;

import ai.djl.MalformedModelException;
import com.google.gson.JsonObject;
import java.io.IOException;
import java.nio.file.Path;
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

  /** The file of numbers and strings. */
  public static final String RECORD = "training.json";

  /** The file of checksums. */
  public static final String SUMS = "SHA256SUMS";

  /**
   * {@return the name of the file of a part's arrays}
   *
   * @param part the part's name
   */
  public static String file(String part) {
    return part + ".safetensors";
  }

  /**
   * {@return a checkpoint, after the sum of every file is checked}
   *
   * @param folder the checkpoint's folder
   * @throws DamagedCheckpointException if a file is missing or changed
   * @throws IOException if a file can't be read
   */
  public static CheckpointFolder read(Path folder) throws IOException {
    Map<String, String> sums = CheckpointSums.check(folder);
    try {
      return new CheckpointFolder(folder, sums, CheckpointJson.read(folder.resolve(RECORD)));
    } catch (MalformedModelException e) {
      throw damaged(folder, lenientFormat("%s can't be read: %s", RECORD, e.getMessage()), e);
    }
  }

  /**
   * {@return a part, which may be empty}
   *
   * @param name the part's name
   */
  public SavedPart part(String name) {
    return new SavedPart(this, name);
  }

  /**
   * {@return an exception that names this checkpoint}
   *
   * @param how the damage, for the message
   * @param cause the cause, or null for none
   */
  public DamagedCheckpointException damaged(String how, @Nullable Throwable cause) {
    return damaged(folder, how, cause);
  }

  static DamagedCheckpointException damaged(Path folder, String how, @Nullable Throwable cause) {
    return new DamagedCheckpointException(
        lenientFormat("the checkpoint %s is damaged: %s", folder, how), cause);
  }
}
