package io.github.sharnn.io;

import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.nio.file.Path;

/** Messages for the file system's exceptions, whose own messages are often only file names. */
public final class FileErrors {

  private FileErrors() {}

  /**
   * {@return what happened, with the file's name}
   *
   * @param e the exception
   */
  public static String describe(IOException e) {
    if (!(e instanceof FileSystemException failure) || failure.getFile() == null) {
      return e.getMessage() == null ? e.toString() : e.getMessage();
    }
    String reason = failure.getReason() == null ? "" : "; " + failure.getReason();
    if (e instanceof NoSuchFileException) {
      return "no such file or folder: " + failure.getFile() + reason;
    }
    if (e instanceof AccessDeniedException) {
      return "access denied: " + failure.getFile() + reason;
    }
    if (e instanceof FileAlreadyExistsException) {
      return failure.getFile() + " exists already" + reason;
    }
    // this library gives a NotDirectoryException a whole sentence
    boolean says = failure.getReason() != null || e instanceof NotDirectoryException;
    return says ? e.getMessage() : e.toString();
  }

  /** Returns the same exception for the file that a writer named, in place of its temporary one. */
  static IOException of(IOException e, Path temporary, Path file) {
    if (e instanceof FileSystemException failure
        && temporary.toString().equals(failure.getFile())) {
      if (e instanceof NoSuchFileException) {
        return new NoSuchFileException(
            file.toString(), null, "its folder is missing: create it, or name another");
      }
      if (e instanceof AccessDeniedException) {
        return new AccessDeniedException(file.toString(), null, failure.getReason());
      }
    }
    return e;
  }
}
