package io.github.sharnn.engine;

/**
 * The thread's context class loader, set to this library's. DJL looks for engines, native libraries
 * and resources through that loader, and looks for engines only once in a process. A thread of the
 * common pool or of an application server often has a loader that sees none of them.
 */
public final class ContextLoader {

  private ContextLoader() {}

  /**
   * A call into DJL that may look something up.
   *
   * @param <T> the type of its result
   * @param <E> the type of its exception
   */
  @FunctionalInterface
  public interface LookUp<T, E extends Exception> {

    /**
     * Runs the call.
     *
     * @return its result
     * @throws E if it fails
     */
    T call() throws E;
  }

  /**
   * Makes a call with this library's loader, and restores the thread's own loader.
   *
   * @param lookUp the call
   * @param <T> the type of its result
   * @param <E> the type of its exception
   * @return the call's result
   * @throws E if the call fails
   */
  public static <T, E extends Exception> T call(LookUp<T, E> lookUp) throws E {
    Thread thread = Thread.currentThread();
    ClassLoader before = thread.getContextClassLoader();
    thread.setContextClassLoader(ContextLoader.class.getClassLoader());
    try {
      return lookUp.call();
    } finally {
      thread.setContextClassLoader(before);
    }
  }
}
