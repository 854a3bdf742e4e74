package io.github.sharnn.train.checkpoint;

import static com.google.common.base.Strings.lenientFormat;

import ai.djl.MalformedModelException;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import com.google.common.collect.Maps;
import io.github.sharnn.SafetensorsWeights;
import io.github.sharnn.io.Interrupts;
import io.github.sharnn.io.Safetensors;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Map;

/**
 * One part of a checkpoint on the disk.
 *
 * @param checkpoint the checkpoint
 * @param name the name of the part
 */
public record SavedPart(CheckpointFolder checkpoint, String name) {

  /**
   * {@return the numbers and strings}
   *
   * @param <T> the state's type
   * @param type the state's type, which Gson can read
   * @throws DamagedCheckpointException if they are missing or invalid
   */
  public <T> T state(Class<T> type) throws DamagedCheckpointException {
    try {
      return CheckpointJson.parse(checkpoint.states(), name, type);
    } catch (MalformedModelException e) {
      throw checkpoint.damaged(
          lenientFormat("%s can't be read: %s", CheckpointFolder.RECORD, e.getMessage()), e);
    }
  }

  /** {@return the path of the file of arrays} */
  public Path file() {
    return checkpoint.folder().resolve(CheckpointFolder.file(name));
  }

  /** {@return true if the part has a file of arrays} */
  public boolean hasTensors() {
    return checkpoint.sums().containsKey(CheckpointFolder.file(name));
  }

  /**
   * {@return the header of the part's array file: the shape and type of each array}
   *
   * @throws DamagedCheckpointException if the file is missing or invalid
   * @throws IOException if the file can't be read
   */
  public Map<String, Safetensors.Tensor> header() throws IOException {
    if (!hasTensors()) {
      throw checkpoint.damaged(CheckpointFolder.file(name) + " is missing", null);
    }
    try {
      return Interrupts.defer(this::readHeader);
    } catch (MalformedModelException e) {
      throw checkpoint.damaged(e.getMessage(), e);
    }
  }

  private Map<String, Safetensors.Tensor> readHeader() throws IOException, MalformedModelException {
    try (Safetensors opened = Safetensors.open(file())) {
      return opened.tensors();
    }
  }

  /**
   * Rejects a file that does not have exactly these arrays, before any array is read.
   *
   * @param shapes the shape of each array by its name
   * @param type the type of all arrays
   * @throws DamagedCheckpointException if the file is missing or has other arrays
   * @throws IOException if the file can't be read
   */
  public void check(Map<String, Shape> shapes, DataType type) throws IOException {
    Map<String, Safetensors.Tensor> tensors = header();
    if (!Maps.transformValues(tensors, Safetensors.Tensor::shape).equals(shapes)
        || !tensors.values().stream().allMatch(tensor -> tensor.dataType() == type)) {
      throw checkpoint.damaged(
          lenientFormat(
              "%s does not hold the arrays of the model, in %s", CheckpointFolder.file(name), type),
          null);
    }
  }

  /**
   * {@return FLOAT32 arrays of known shapes, on the manager's device}
   *
   * @param manager the owner of the arrays
   * @param shapes the shape of each array by its name
   * @throws DamagedCheckpointException if the file is missing or has other arrays
   * @throws IOException if the file can't be read
   */
  public Map<String, NDArray> tensors(NDManager manager, Map<String, Shape> shapes)
      throws IOException {
    check(shapes, DataType.FLOAT32);
    return tensors(manager);
  }

  /**
   * {@return the arrays, whose shapes and types the caller has checked}
   *
   * @param manager the owner of the arrays, which come onto its device
   * @throws DamagedCheckpointException if the file is invalid
   * @throws IOException if the file can't be read
   */
  public Map<String, NDArray> tensors(NDManager manager) throws IOException {
    try {
      return SafetensorsWeights.readTensors(manager, file());
    } catch (MalformedModelException e) {
      throw checkpoint.damaged(e.getMessage(), e);
    }
  }
}
