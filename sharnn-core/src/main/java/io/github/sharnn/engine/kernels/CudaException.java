package io.github.sharnn.engine.kernels;

/** An error of NVIDIA's driver or runtime compiler, with the function and the error's name. */
public final class CudaException extends RuntimeException {

  private static final long serialVersionUID = 1;

  CudaException(String function, String error) {
    super(function + " failed: " + error);
  }

  CudaException(String message, Throwable cause) {
    super(message, cause);
  }
}
